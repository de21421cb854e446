/**
 * The memcached store. Begin with {@link memcachedStore}.
 *
 * @module @fieldwise/memcached
 */

import { fromCaller } from 'fieldwise/adapter'
import type { Store } from 'fieldwise/store-contract'
import { createStore } from './lib/fleet/create-store.js'
import type { MemcachedOptions } from './lib/fleet/options.js'
import type { Servers } from './lib/fleet/servers.js'

export type { AutoOptions, BinaryOptions, MemcachedOptions, MetaOptions } from './lib/fleet/options.js'
export type { Servers } from './lib/fleet/servers.js'

/**
 * Keeps sessions in memcached, on one server or on a fleet of them. Connects when it is first used, and again by itself after an outage.
 *
 * Each session lives on one server, and its id names that server by a label: four characters that reveal no address, or the name that you
 * give it. While a server is down, calls for its sessions fail at once with `STORE_UNAVAILABLE`, and new sessions go to the others.
 *
 * @param servers `'host:port'`, `'[::1]:11211'`, `'/path/to.sock'`, `'tcp://host:port?weight=2'`, several of these separated by commas,
 * an array, or a record of named servers. Default: the environment variable `MEMCACHE_SERVERS`, or else `'127.0.0.1:11211'`.
 * @param options The protocol, timeouts, login and TLS: see {@link MemcachedOptions}. Times are durations such as `'500ms'`.
 * @throws {BadConfigError} (`BAD_CONFIG`) for arguments that cannot work, saying what to write instead. Does not connect.
 *
 * @example
 * const sessions = createSessions({ schema, store: memcachedStore('10.0.0.1:11211, 10.0.0.2:11211') })
 *
 * @example
 * const store = memcachedStore({ a: 'tcp://cache-1:11211?weight=2', b: 'tcp://cache-2:11211' }, { protocol: 'meta', tls: true })
 */
export function memcachedStore(servers?: Servers, options: MemcachedOptions = {}): Store {
  return fromCaller(memcachedStore, () => createStore(servers, options))
}
