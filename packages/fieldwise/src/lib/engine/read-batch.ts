import type { Deadline } from './context.js'
import type { Snapshot } from './snapshot.js'

/** Who waits for fields of a session, and is told once: a snapshot, or why there is none. */
export interface Waiter {
  readonly fields: readonly string[]
  readonly deadline: Deadline
  /** What it throws, it is rejected with. */
  resolve(snapshot: Snapshot): void
  reject(error: unknown): void
}

/** A read that waits for the end of its tick, for others of the same session to join. */
export class ReadBatch {
  readonly sid: string
  readonly deadline: Deadline
  readonly #waiters: Waiter[]
  #fields: readonly string[]

  constructor(sid: string, waiter: Waiter) {
    this.sid = sid
    this.deadline = waiter.deadline
    this.#fields = waiter.fields
    this.#waiters = [waiter]
  }

  get fields(): readonly string[] {
    return this.#fields
  }

  /** True where all that the waiter asks for is asked for already. */
  join(waiter: Waiter): boolean {
    const others = waiter.fields.filter((field) => !this.#fields.includes(field))
    this.#fields = [...this.#fields, ...others]
    this.#waiters.push(waiter)
    return others.length === 0
  }

  resolve(snapshot: Snapshot): void {
    for (const waiter of this.#waiters) resolveOne(waiter, snapshot)
  }

  readonly reject = (error: unknown): void => {
    for (const waiter of this.#waiters) waiter.reject(error)
  }
}

function resolveOne(waiter: Waiter, snapshot: Snapshot): void {
  try {
    waiter.resolve(snapshot)
  } catch (error) {
    waiter.reject(error)
  }
}
