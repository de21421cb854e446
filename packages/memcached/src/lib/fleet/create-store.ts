import { runningClock } from 'fieldwise/adapter'
import type { Store } from 'fieldwise/store-contract'
import { type Clocks, systemClocks } from '../connection/clocks.js'
import { dialPlain, dialTls } from '../connection/dial.js'
import type { Wire, WireHost } from '../connection/protocol.js'
import { BinaryWire } from '../protocol/binary/protocol.js'
import { MetaWire } from '../protocol/meta/protocol.js'
import { Fleet } from './fleet.js'
import { type MemcachedOptions, parseOptions, type Settings } from './options.js'
import { Server, type ServerRuntime } from './server.js'
import { parseServers, type Servers, serversFromEnvironment } from './servers.js'

/** Puts a store together from what the user wrote. */
export function createStore(servers: Servers | undefined, options: MemcachedOptions): Store {
  const settings = parseOptions(options)
  const configs = parseServers(servers ?? serversFromEnvironment(process.env), settings.timeouts)
  let host: Pick<Clocks, 'running' | 'sleep'> = {
    running: () => runningClock.now(),
    sleep: (milliseconds) => runningClock.sleep(milliseconds, true),
  }
  const runtime: ServerRuntime = {
    clocks: { ...systemClocks, running: () => host.running(), sleep: (milliseconds) => host.sleep(milliseconds) },
    random: Math.random,
    dial: settings.tls === undefined ? dialPlain : dialTls(settings.tls),
    ...wiresOf(settings),
  }
  const fleet = configs.map((config) => new Server(config, runtime))
  return new Fleet(fleet, settings.protocol, (newHost) => {
    host = newHost
  })
}

function wiresOf({ protocol, credentials }: Settings): Pick<ServerRuntime, 'wire' | 'otherwise'> {
  const meta = (host: WireHost): Wire => new MetaWire(host, credentials)
  const binary = (host: WireHost): Wire => new BinaryWire(host, credentials)
  if (protocol === 'auto') return { wire: meta, otherwise: binary }
  return { wire: protocol === 'meta' ? meta : binary }
}
