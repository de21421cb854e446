import { measure } from '../lib/meter.js'
import { note, profile, visitedJson } from '../lib/values.js'
import { type Client, indexOf, type Kind, population } from './client.js'

/** What a client without sessions has to offer. */
export interface Bare {
  set(key: string, value: string): Promise<unknown>
  /** The bytes or text of a value as the client gives it, or nothing. */
  get(key: string): Promise<Buffer | string | null | undefined>
  /** A compare-and-swap loop. `slot`: for clients that need a connection for each that is in flight. */
  update(key: string, change: (value: string) => string, slot: number): Promise<unknown>
}

/** Stores the values and does with them what an application has to do where nothing does it for it: parse and serialise. */
export async function bareClient(bare: Bare): Promise<Client> {
  await fill(bare)
  const operations: Record<Kind, (index: number, slot: number) => Promise<unknown>> = {
    'get text': async (index) => expectFound(await bare.get(textKey(index))),
    'get object': async (index) => JSON.parse(String(expectFound(await bare.get(objectKey(index))))),
    'update number': (index, slot) => bare.update(numberKey(index), oneMore, slot),
    'update object': (index, slot) => bare.update(objectKey(index), visitedJson, slot),
  }
  return {
    measure: (kind, inFlight, milliseconds) =>
      measure(inFlight, milliseconds, (slot, turn) => operations[kind](indexOf(slot, turn, inFlight), slot)),
  }
}

export async function fill(bare: Pick<Bare, 'set'>): Promise<void> {
  const object = JSON.stringify(profile)
  const indexes = Array.from({ length: population }, (_, index) => index)
  await Promise.all(indexes.map((index) => bare.set(textKey(index), note)))
  await Promise.all(indexes.map((index) => bare.set(objectKey(index), object)))
  await Promise.all(indexes.map((index) => bare.set(numberKey(index), '0')))
}

export function textKey(index: number): string {
  return `bench:${process.pid}:${index}:note`
}

export function objectKey(index: number): string {
  return `bench:${process.pid}:${index}:profile`
}

export function numberKey(index: number): string {
  return `bench:${process.pid}:${index}:visits`
}

export function oneMore(value: string): string {
  return String(Number(value) + 1)
}

/** A get that finds nothing would be a fast one. */
export function expectFound<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error('the value is not there')
  return value
}
