import { memcachedStore } from '@fieldwise/memcached'
import { createSessions } from 'fieldwise'
import { runningClock } from 'fieldwise/adapter'
import type { Store, StoreAnswer, StoreRequest } from 'fieldwise/store-contract'
import * as z from 'zod'
import type { Course } from './course.js'

/** One web server of a race: it has a store and a connection of its own. */
export interface Contender {
  /** One request of the visitor: adds one to `visits`. Resolves when the visitor is told that it is done. */
  increment(): Promise<void>
  close(): Promise<void>
}

export const raceSchema = z.object({ username: z.string(), cart: z.array(z.string()).default([]), visits: z.int().default(0) })

/** What the visitor's session holds besides the count, so that a whole session is more than a number. */
export const visitor = { username: 'ada', cart: ['poppy', 'cornflower', 'bluebell'] }

/** Longer than any race. What a killed race leaves behind expires by this time. */
const raceLife = 600_000

/** Changes one field by compare-and-swap. */
export function fieldwiseContender({ servers, options, prefix, token }: Course): Contender {
  const sessions = createSessions({ schema: raceSchema, store: memcachedStore(servers, options), prefix })
  return {
    increment: async () => {
      await sessions.resume(token).increment('visits')
    },
    close: () => sessions.close(),
  }
}

/** Does what libraries do that keep a session in one piece: reads all of it, changes it, writes all of it back. */
export function naiveContender({ servers, options, naive }: Course): Contender {
  const store = memcachedStore(servers, options)
  return {
    increment: async () => {
      const session = await readNaive(store, naive)
      session.visits++
      const value = Buffer.from(JSON.stringify(session))
      await send(store, naive.sid, { op: 'replace', key: naive.key, value, ttl: raceLife })
    },
    close: () => store.close(),
  }
}

export async function startNaive(store: Store, { sid, key }: Course['naive']): Promise<void> {
  const value = Buffer.from(JSON.stringify({ ...visitor, visits: 0 }))
  await send(store, sid, { op: 'add', key, value, ttl: raceLife })
}

export async function readNaive(store: Store, { sid, key }: Course['naive']): Promise<{ visits: number }> {
  const answer = await send(store, sid, { op: 'get', key })
  if (answer.result !== 'found') throw new Error('The whole session is gone: memcached was restarted or evicted it')
  return JSON.parse(answer.value.toString()) as { visits: number }
}

export async function endNaive(store: Store, { sid, key }: Course['naive']): Promise<void> {
  await send(store, sid, { op: 'delete', key })
}

async function send(store: Store, sid: string, request: StoreRequest): Promise<StoreAnswer> {
  const { answers } = await store.flight(sid, [request], runningClock.now() + store.traits.timeout)
  const answer = answers[0] as StoreAnswer
  if ('error' in answer) throw answer.error
  return answer
}
