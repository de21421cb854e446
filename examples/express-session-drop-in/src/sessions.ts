import { memcachedStore } from '@fieldwise/memcached'
import { createSessions, memoryStore } from 'fieldwise'
import { z } from 'zod'

export const sessions = createSessions({
  schema: z
    .object({
      cookie: z.json(),
      visits: z.int(),
      cart: z.array(z.string()),
    })
    // Everything else that the app, or a middleware of it, may put into req.session.
    .catchall(z.json()),
  // In memory, unless MEMCACHE_SERVERS says where memcached is: then all processes share their sessions.
  store: process.env.MEMCACHE_SERVERS ? memcachedStore() : memoryStore(),
})
