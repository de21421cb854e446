import type { Store } from 'fieldwise/store-contract'
import { createStore } from './lib/create-store.js'
import type { MemcachedOptions } from './lib/options.js'
import type { Servers } from './lib/servers.js'

export type { BinaryOptions, MemcachedOptions, MetaOptions } from './lib/options.js'
export type { Servers } from './lib/servers.js'

export function memcachedStore(servers?: Servers, options: MemcachedOptions = {}): Store {
  return createStore(servers, options)
}
