import type { Addresses } from '../lib/addresses.js'
import { connectMemcached, connectRedis, memoryStore } from '../lib/session-stores.js'
import { bare } from './bare.js'
import { wholeSessions } from './express-session.js'
import { fieldwise } from './fieldwise.js'
import type { Keeping } from './shop.js'

type OpenKeeping = (addresses: Addresses) => Keeping | Promise<Keeping>

/** All candidates, in the order in which they are shown. */
export const keepings = {
  'bare Express': bare,
  'express-session, MemoryStore': () => wholeSessions(memoryStore()),
  'express-session, connect-memcached': (addresses) => wholeSessions(connectMemcached(addresses)),
  'express-session, connect-redis': async (addresses) => wholeSessions(await connectRedis(addresses)),
  'Fieldwise, memory': (addresses) => fieldwise(addresses, 'memory', false),
  'Fieldwise, memory, sealed': (addresses) => fieldwise(addresses, 'memory', true),
  'Fieldwise, binary': (addresses) => fieldwise(addresses, 'binary', false),
  'Fieldwise, binary, sealed': (addresses) => fieldwise(addresses, 'binary', true),
  'Fieldwise, meta': (addresses) => fieldwise(addresses, 'meta', false),
  'Fieldwise, meta, sealed': (addresses) => fieldwise(addresses, 'meta', true),
} satisfies Record<string, OpenKeeping>

export type KeepingName = keyof typeof keepings
