import type { Deadline } from './core.js'
import type { Header } from './header.js'
import type { Reading } from './reader.js'

/** One caller's change of one field, waiting to be written. */
export class Edit {
  readonly field: string
  /** When the call has to end, waiting included (W9). */
  readonly deadline: Deadline
  /** Does not look at the value before, so that it can be written without reading. */
  readonly isBlind: boolean
  /** The reading with which this very call opened its session: what it found may be built on as if it had been read for this change. */
  opening: Reading | undefined
  /** What its request has written of this field before: good for a try, which only its version makes safe. */
  recent: Reading | undefined
  /** The header as the caller last saw it, to write a blind change without reading. */
  known: Header | undefined
  readonly #change: (json: string | undefined) => string | undefined
  #outcome: EditOutcome | undefined
  #resolve: ((reading: Reading) => void) | undefined
  #reject: ((error: unknown) => void) | undefined

  constructor(field: string, deadline: Deadline, isBlind: boolean, change: (json: string | undefined) => string | undefined) {
    this.field = field
    this.deadline = deadline
    this.isBlind = isBlind
    this.#change = change
  }

  get isSettled(): boolean {
    return this.#outcome !== undefined
  }

  /** The JSON to store after `json`; undefined is unset. May run several times. What it throws fails this change alone. */
  apply(json: string | undefined): string | undefined {
    return this.#change(json)
  }

  /** It is stored. `reading` is what was last seen of the session, this change included. */
  done(reading: Reading): void {
    if (this.#outcome) return
    this.#outcome = { reading }
    this.#resolve?.(reading)
  }

  fail(error: unknown): void {
    if (this.#outcome) return
    this.#outcome = { error }
    this.#reject?.(error)
  }

  /** Settles with the outcome. To be asked for once; an outcome that nobody asks for is dropped. */
  outcome(): Promise<Reading> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      if (this.#outcome === undefined) return
      if ('error' in this.#outcome) reject(this.#outcome.error)
      else resolve(this.#outcome.reading)
    })
  }
}

type EditOutcome = { readonly reading: Reading } | { readonly error: unknown }
