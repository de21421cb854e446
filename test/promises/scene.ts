import type * as z from 'zod'
import { type Choose, interleave, interleaveWithFault } from '../support/interleavings.js'
import type { SteppingStore } from '../support/stepping-store.js'
import { type Process, World } from '../support/world.js'

/** The web servers of a scene in which several requests use one session at once. */
export interface Scene<S extends z.ZodObject> {
  readonly world: World
  /** Makes the session. */
  readonly here: Process<S>
  /** Who serves each of the other requests. */
  readonly others: readonly Process<S>[]
  readonly stores: readonly SteppingStore[]
}

/** Each of the other requests has a process of its own, or `here` serves all of them. */
export function scene<S extends z.ZodObject>(schema: S, others: number, inOneProcess = false): Scene<S> {
  const world = new World()
  const here = world.process(schema)
  const served = Array.from({ length: others }, () => (inOneProcess ? here : world.process(schema)))
  return { world, here, others: served, stores: [...new Set([here, ...served])].map(({ store }) => store) }
}

/** Carries out what the processes send, until `work` has settled. */
export type Drive = (world: World, stores: readonly SteppingStore[], work: Promise<unknown>) => Promise<void>

/** Request by request, in an order that is chosen. */
export function inAnyOrder(choose: Choose): Drive {
  return (world, stores, work) => interleave(world, stores, work, choose)
}

/** Flight by flight, in an order that is chosen, of which as many as `most` go wrong. */
export function withFaults(choose: Choose, most = 1): Drive {
  return (world, stores, work) => interleaveWithFault(world, stores, work, choose, most)
}

/** Begins calls at once, has all that they send carried out, and resolves with what they came to. None of them rejects. */
export async function play<T>({ world, stores }: Scene<z.ZodObject>, drive: Drive, calls: () => Promise<T>[]): Promise<T[]> {
  for (const store of stores) store.holding = true
  const work = Promise.all(calls())
  await drive(world, stores, work)
  for (const store of stores) store.holding = false
  return work
}

/** What a call came to, where only its error counts. */
export interface Settled {
  readonly error?: unknown
}

export function settled(call: Promise<unknown>): Promise<Settled> {
  return call.then(
    () => ({}),
    (error) => ({ error }),
  )
}
