import { runningClock } from 'fieldwise/adapter'
import type { Store } from 'fieldwise/store-contract'
import { type Clocks, systemClocks } from '../connection/clocks.js'
import { dialPlain, dialTls } from '../connection/dial.js'
import type { Protocol, ProtocolHost } from '../connection/protocol.js'
import { BinaryProtocol } from '../protocol/binary/protocol.js'
import { MetaProtocol } from '../protocol/meta/protocol.js'
import { Fleet } from './fleet.js'
import { type MemcachedOptions, parseOptions, type StoreSettings } from './options.js'
import { Server, type ServerEnvironment } from './server.js'
import { parseServers, type Servers, serversFromEnvironment } from './servers.js'

/** Makes a store from the user's servers and options. @throws {BadConfigError} */
export function createStore(servers: Servers | undefined, options: MemcachedOptions): Store {
  const settings = parseOptions(options)
  const configs = parseServers(servers ?? serversFromEnvironment(process.env), settings.timeouts)
  let host: Pick<Clocks, 'running' | 'sleep'> = {
    running: () => runningClock.now(),
    sleep: (milliseconds) => runningClock.sleep(milliseconds, true),
  }
  const environment: ServerEnvironment = {
    clocks: { ...systemClocks, running: () => host.running(), sleep: (milliseconds) => host.sleep(milliseconds) },
    random: Math.random,
    dial: settings.tls === undefined ? dialPlain : dialTls(settings.tls),
    ...protocolsOf(settings),
  }
  const fleet = configs.map((config) => new Server(config, environment))
  return new Fleet(fleet, settings.protocol, (newHost) => {
    host = newHost
  })
}

function protocolsOf({ protocol, credentials }: StoreSettings): Pick<ServerEnvironment, 'protocol' | 'otherwise'> {
  const meta = (host: ProtocolHost): Protocol => new MetaProtocol(host, credentials)
  const binary = (host: ProtocolHost): Protocol => new BinaryProtocol(host, credentials)
  if (protocol === 'auto') return { protocol: meta, otherwise: binary }
  return { protocol: protocol === 'meta' ? meta : binary }
}
