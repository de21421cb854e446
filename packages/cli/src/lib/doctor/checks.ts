import { checkAddresses } from './checks/addresses.js'
import { checkCaches } from './checks/caches.js'
import { checkCas } from './checks/cas.js'
import { checkCertificate } from './checks/certificate.js'
import { checkClock } from './checks/clock.js'
import { checkConnections } from './checks/connections.js'
import { checkEvictions } from './checks/evictions.js'
import { checkExposure } from './checks/exposure.js'
import { checkItemSize } from './checks/item-size.js'
import { checkMemory } from './checks/memory.js'
import { checkNoEvictions } from './checks/no-evictions.js'
import { checkPassword } from './checks/password.js'
import { checkProtocol } from './checks/protocol.js'
import { checkProxy } from './checks/proxy.js'
import { checkSpeed } from './checks/speed.js'
import { checkTinyChunks } from './checks/tiny-chunks.js'
import { checkUdp } from './checks/udp.js'
import { checkVersion } from './checks/version.js'
import type { Check } from './finding.js'

/** Every check of a server that tells its statistics, in the order in which findings are shown. */
export const checks: readonly Check[] = [
  checkProxy,
  checkAddresses,
  checkCas,
  checkTinyChunks,
  checkExposure,
  checkUdp,
  checkPassword,
  checkCertificate,
  checkProtocol,
  checkVersion,
  checkItemSize,
  checkNoEvictions,
  checkEvictions,
  checkCaches,
  checkMemory,
  checkConnections,
  checkSpeed,
  checkClock,
]
