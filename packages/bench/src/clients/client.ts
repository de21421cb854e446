import type { Sample } from '../lib/meter.js'

export type Kind = 'get' | 'update'

/** One candidate: reads and changes values by turns of so many at once. */
export interface Client {
  /** How many values there are, each under its own key. Always a multiple of what is in flight, so that those in flight are distinct. */
  measure(kind: Kind, inFlight: number, milliseconds: number): Promise<Sample>
}

/** How many values each candidate reads and changes: a multiple of every number in flight. */
export const population = 1_024

export function keyOf(index: number): string {
  return `bench:${index}:profile`
}

/** The value of a slot's next operation: no other slot of the same run ever uses it. */
export function indexOf(slot: number, turn: number, inFlight: number): number {
  return (slot + turn * inFlight) % population
}
