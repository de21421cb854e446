import { memcachedStore } from '@fieldwise/memcached'
import { createSessions, memoryStore } from 'fieldwise'
import { z } from 'zod'

export const sessions = createSessions({
  schema: z.object({ count: z.int().default(0) }),
  // In memory, unless MEMCACHE_SERVERS says where memcached is: then all processes share their sessions.
  store: process.env.MEMCACHE_SERVERS ? memcachedStore() : memoryStore(),
})
