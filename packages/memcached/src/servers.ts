/**
 * Where a store's servers are, for tools that speak to them by other means.
 *
 * @module @fieldwise/memcached/servers
 */
import { fromCaller } from 'fieldwise/adapter'
import { type MemcachedOptions, parseOptions } from './lib/fleet/options.js'
import { parseServers, type ServerConfig, type Servers, serversFromEnvironment } from './lib/fleet/servers.js'

export type { Address } from './lib/connection/address.js'
export type { MemcachedOptions } from './lib/fleet/options.js'
export type { ServerConfig, Servers } from './lib/fleet/servers.js'

/**
 * The servers that `memcachedStore` would use for the same arguments, with their labels. Does not connect.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for arguments that cannot work, saying what to write instead.
 *
 * @example
 * serversOf('10.0.0.1:11211, 10.0.0.2:11211').map(({ label }) => label) // ['i5jj', 'd2b9']
 */
export function serversOf(servers?: Servers, options: MemcachedOptions = {}): readonly ServerConfig[] {
  return fromCaller(serversOf, () => parseServers(servers ?? serversFromEnvironment(process.env), parseOptions(options).timeouts))
}
