import { measure, type Sample } from '../lib/meter.js'
import { type Client, indexOf, type Kind } from './client.js'

/** The operations of a client whose calls are promises. `slot` is for clients that need a connection for each that is in flight. */
export interface Operations {
  get(index: number, slot: number): Promise<unknown>
  update(index: number, slot: number): Promise<unknown>
}

export function simpleClient(operations: Operations): Client {
  return {
    measure(kind: Kind, inFlight: number, milliseconds: number): Promise<Sample> {
      return measure(inFlight, milliseconds, (slot, turn) => operations[kind](indexOf(slot, turn, inFlight), slot))
    },
  }
}

/** A bare get that finds nothing would be a fast one. */
export function expectFound<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error('the value is not there')
  return value
}
