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
  /** The caller's own reading of this field and its session, which nobody else's change may build on (W8). */
  seen: Reading | undefined
  /** The header as the caller last saw it, to write a blind change without reading. */
  known: Header | undefined
  /** What became of it; undefined while it is under way. */
  outcome: EditOutcome | undefined
  readonly #change: (json: string | undefined) => string | undefined
  #listener: (() => void) | undefined

  constructor(field: string, deadline: Deadline, isBlind: boolean, change: (json: string | undefined) => string | undefined) {
    this.field = field
    this.deadline = deadline
    this.isBlind = isBlind
    this.#change = change
  }

  /** The JSON to store after `json`; undefined is unset. May run several times. What it throws fails this change alone. */
  apply(json: string | undefined): string | undefined {
    return this.#change(json)
  }

  /** It is stored. `reading` is what was last seen of the session. */
  done(reading: Reading): void {
    this.#settle({ reading })
  }

  fail(error: unknown): void {
    this.#settle({ error })
  }

  /** Calls `listener` once when the outcome is known. */
  whenSettled(listener: () => void): void {
    if (this.outcome) listener()
    else this.#listener = listener
  }

  #settle(outcome: EditOutcome): void {
    if (this.outcome) return
    this.outcome = outcome
    this.#listener?.()
  }
}

export type EditOutcome = { readonly reading: Reading } | { readonly error: unknown }

/** Resolves when all edits have their outcomes; never rejects. */
export function settled(edits: readonly Edit[]): Promise<void> {
  return new Promise((resolve) => {
    let left = edits.length
    for (const edit of edits) {
      edit.whenSettled(() => {
        left--
        if (left === 0) resolve()
      })
    }
  })
}
