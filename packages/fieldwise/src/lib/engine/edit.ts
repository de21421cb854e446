import type { Version } from '../api/store.js'
import type { Header } from '../format/header.js'
import type { Item } from '../format/item.js'
import type { Deadline } from './context.js'
import type { Snapshot } from './reader.js'
import type { Receiver } from './receiver.js'

/** One caller's change of one field, waiting to be written. */
export class Edit {
  readonly field: string
  /** When the call has to end, waiting included (W9). */
  readonly deadline: Deadline
  /** Does not look at the value before, so that it can be written without reading. */
  readonly isBlind: boolean
  /** The reading with which this very call opened its session: what it found may be built on as if it had been read for this change. */
  opening: Snapshot | undefined
  /** What the last write of this field by its request has left. */
  lastWrite: LastWrite | undefined
  author: Author | undefined
  readonly #change: (json: string | undefined) => string | undefined
  readonly #call: { readonly isOver: boolean } | undefined
  #hasEnded = false

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

  /** It has ended, or nobody waits for it any more. */
  get isSettled(): boolean {
    return this.#hasEnded || this.#call?.isOver === true
  }

  /** The JSON to store after `json`; undefined is unset. May run several times. What it throws fails this change alone. */
  apply(json: string | undefined): string | undefined {
    return this.#change(json)
  }

  /** The header to write by without reading first, where there is one. */
  get known(): Header | undefined {
    return this.author?.known
  }

  /** Whether it may be made over what was read. */
  mayFollow(snapshot: Snapshot): boolean {
    return this.author?.admits(snapshot) !== false
  }

  done(stored: WriteOutcome): void {
    if (this.isSettled) return
    this.#hasEnded = true
    this.author?.succeed(stored)
  }

  fail(error: unknown): void {
    if (this.isSettled) return
    this.#hasEnded = true
    this.author?.fail(error)
  }
}

/** Whose change it is, and who is told how it ends. */
export interface Author extends Receiver<WriteOutcome> {
  /** The header as the author has seen it lately; undefined where the author's token may have been cut off since (T5). */
  readonly known: Header | undefined
  /** Whether the author's token is still good for what was read (T5). */
  admits(snapshot: Snapshot): boolean
}

/** How a change is stored. */
export interface WriteOutcome {
  /** What was last seen of the session, this change included. */
  readonly reading: Snapshot
  readonly left: LastWrite | undefined
}

/** What a write has left: good for the next change of the field to try without reading, which only its version makes safe. */
export interface LastWrite {
  readonly field: string
  readonly key: string
  readonly item: Item
  readonly version: Version
  /** The header as it was seen then. */
  readonly header: Header
  /** The server's time when it was seen, and the monotonic clock then. */
  readonly serverTime: number
  readonly readAt: number
}
