import { memcachedStore } from '@fieldwise/memcached'
import { createSessions, memoryStore, type SessionOf } from 'fieldwise'
import { z } from 'zod'
import { avatars, goods } from './goods.js'

/** What the servers remember of a visitor. Each field is an item of its own in the store. */
const schema = z.object({
  username: z.string().min(1).max(40),
  cart: z.array(z.object({ good: z.enum(goods), packets: z.int().min(1).max(99) })).default([]),
  visits: z.int().default(0),
  avatar: z.enum(avatars).default('hedgehog'),
})

export function openSessions(memcached: string | undefined) {
  return createSessions({
    schema,
    store: memcached === undefined ? memoryStore() : memcachedStore(memcached, { timeout: patience }),
    retry: { deadline: patience },
  })
}

/** Everything runs on one computer, and one that is busy for a second is no outage. In production the defaults are better: half a second, and two. */
const patience = '5s'

export type Sessions = ReturnType<typeof openSessions>
export type Visitor = SessionOf<Sessions>

declare module '@fieldwise/http' {
  interface Register {
    sessions: Sessions
  }
}

/** Counts the visit and reads everything that a page shows. */
export async function look(visitor: Visitor) {
  await visitor.increment('visits')
  return visitor.getAll()
}

export type Seen = Awaited<ReturnType<typeof look>>
