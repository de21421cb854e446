import type { Deadline } from './core.js'
import type { Header } from './header.js'
import type { Item } from './item.js'
import type { Reading } from './reader.js'
import type { Version } from './store.js'

/** One caller's change of one field, waiting to be written. */
export class Edit {
  readonly field: string
  /** When the call has to end, waiting included (W9). */
  readonly deadline: Deadline
  /** Does not look at the value before, so that it can be written without reading. */
  readonly isBlind: boolean
  /** The reading with which this very call opened its session: what it found may be built on as if it had been read for this change. */
  opening: Reading | undefined
  /** What the last write of this field by its request has left. */
  recent: Left | undefined
  /** The header as the caller last saw it, to write a blind change without reading. */
  known: Header | undefined
  readonly #change: (json: string | undefined) => string | undefined
  readonly #call: { readonly isOver: boolean } | undefined
  #author: Author | undefined
  #end: ((author: Author) => void) | undefined

  /** `call` is the one that it belongs to, where there is one: when that is over, nobody waits for it any more. */
  constructor(
    field: string,
    deadline: Deadline,
    isBlind: boolean,
    change: (json: string | undefined) => string | undefined,
    call?: { readonly isOver: boolean },
  ) {
    this.field = field
    this.deadline = deadline
    this.isBlind = isBlind
    this.#change = change
    this.#call = call
  }

  get isSettled(): boolean {
    return this.#end !== undefined || this.#call?.isOver === true
  }

  /** The JSON to store after `json`; undefined is unset. May run several times. What it throws fails this change alone. */
  apply(json: string | undefined): string | undefined {
    return this.#change(json)
  }

  /** It is stored. `reading` is what was last seen of the session, this change included. */
  done(reading: Reading, left: Left | undefined): void {
    this.#settle((author) => author.stored(reading, left))
  }

  fail(error: unknown): void {
    this.#settle((author) => author.failed(error))
  }

  /** Names who is to be told how it ends. */
  report(author: Author): void {
    this.#author = author
    this.#end?.(author)
  }

  #settle(end: (author: Author) => void): void {
    if (this.isSettled) return
    this.#end = end
    if (this.#author) end(this.#author)
  }
}

/** Who is told how an edit ends, once. */
export interface Author {
  stored(reading: Reading, left: Left | undefined): void
  failed(error: unknown): void
}

/** What a write has left: good for the next change of the field to try without reading, which only its version makes safe. */
export interface Left {
  readonly field: string
  readonly key: string
  readonly item: Item
  readonly version: Version
  /** The header as it was seen then. */
  readonly header: Header
  /** The server's time when it was seen, and the monotonic clock then. */
  readonly at: number
  readonly heard: number
}
