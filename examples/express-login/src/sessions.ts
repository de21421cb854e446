import { memcachedStore } from '@fieldwise/memcached'
import { createSessions, dateCodec, memoryStore } from 'fieldwise'
import { z } from 'zod'

export const sessions = createSessions({
  schema: z.object({
    userId: z.string(),
    /** Where the user logged in: the browser and its system. */
    device: z.string(),
    lastUse: dateCodec,
    visits: z.int().default(0),
  }),
  lifetime: { idle: '30m', absolute: '12h' },
  // In memory, unless MEMCACHE_SERVERS says where memcached is: then all processes share their sessions.
  store: process.env.MEMCACHE_SERVERS ? memcachedStore() : memoryStore(),
})

declare module '@fieldwise/http' {
  interface Register {
    sessions: typeof sessions
  }
}
