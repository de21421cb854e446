import type { Addresses } from '../lib/addresses.js'
import { bare } from './bare.js'
import { onConnectMemcached, onConnectRedis, onMemory } from './express-session.js'
import { fieldwise } from './fieldwise.js'
import type { Keeping } from './shop.js'

type Open = (addresses: Addresses) => Keeping | Promise<Keeping>

/** All candidates, in the order in which they are shown. */
export const keepings = {
  'bare Express': bare,
  'express-session, MemoryStore': onMemory,
  'express-session, connect-memcached': onConnectMemcached,
  'express-session, connect-redis': onConnectRedis,
  'Fieldwise, memory': (addresses) => fieldwise(addresses, 'memory', false),
  'Fieldwise, memory, sealed': (addresses) => fieldwise(addresses, 'memory', true),
  'Fieldwise, binary': (addresses) => fieldwise(addresses, 'binary', false),
  'Fieldwise, binary, sealed': (addresses) => fieldwise(addresses, 'binary', true),
  'Fieldwise, meta': (addresses) => fieldwise(addresses, 'meta', false),
  'Fieldwise, meta, sealed': (addresses) => fieldwise(addresses, 'meta', true),
} satisfies Record<string, Open>

export type KeepingName = keyof typeof keepings
