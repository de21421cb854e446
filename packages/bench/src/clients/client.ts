import type { Sample } from '../lib/meter.js'

export const kinds = ['get text', 'get object', 'update number', 'update object'] as const

export type Kind = (typeof kinds)[number]

/** One candidate: reads or changes values, several at once. */
export interface Client {
  measure(kind: Kind, inFlight: number, milliseconds: number): Promise<Sample>
}

/** How many values of each kind there are, so that those in flight are all distinct: a multiple of every number in flight. */
export const population = 1_024

/** The value of a slot's next operation: no other slot of the same run ever uses it. */
export function indexOf(slot: number, turn: number, inFlight: number): number {
  return (slot + turn * inFlight) % population
}
