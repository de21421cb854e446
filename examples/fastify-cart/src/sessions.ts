import { memcachedStore } from '@fieldwise/memcached'
import { createSessions, memoryStore } from 'fieldwise'
import { z } from 'zod'

export const goods = ['bread', 'cheese', 'tea'] as const
export type Good = (typeof goods)[number]

export const sessions = createSessions({
  schema: z.object({
    /** How many of each good. */
    cart: z.partialRecord(z.enum(goods), z.int().min(1)).default({}),
  }),
  // In memory, unless MEMCACHE_SERVERS says where memcached is: then all processes share their sessions.
  store: process.env.MEMCACHE_SERVERS ? memcachedStore() : memoryStore(),
})

declare module '@fieldwise/http' {
  interface Register {
    sessions: typeof sessions
  }
}
