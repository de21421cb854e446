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
  /** Resolves when the change is stored, with what was last seen of the session. */
  readonly written: Promise<Reading | undefined>
  /** The caller's own reading of this field and its session, which nobody else's change may build on (W8). */
  seen: Reading | undefined
  /** The header as the caller last saw it, to write a blind change without reading. */
  known: Header | undefined
  readonly #change: (json: string | undefined) => string | undefined
  #resolve!: (reading: Reading | undefined) => void
  #reject!: (error: unknown) => void
  #isSettled = false

  constructor(field: string, deadline: Deadline, isBlind: boolean, change: (json: string | undefined) => string | undefined) {
    this.field = field
    this.deadline = deadline
    this.isBlind = isBlind
    this.#change = change
    this.written = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // The caller awaits it, possibly only after it has failed.
    this.written.catch(() => {})
  }

  get isSettled(): boolean {
    return this.#isSettled
  }

  /** The JSON to store after `json`; undefined is unset. May run several times. What it throws fails this change alone. */
  apply(json: string | undefined): string | undefined {
    return this.#change(json)
  }

  done(reading?: Reading): void {
    this.#isSettled = true
    this.#resolve(reading)
  }

  fail(error: unknown): void {
    this.#isSettled = true
    this.#reject(error)
  }
}
