import type { Version } from '../api/store.js'
import type { Header } from '../format/header.js'
import type { Item } from '../format/item.js'
import type { Deadline } from './context.js'
import type { SeenAt, Snapshot } from './snapshot.js'

/** What a caller wants of one field. */
export interface Change {
  readonly field: string
  /** Does not look at the value before, so that it can be written without reading. */
  readonly isBlind: boolean
  /** The JSON to store in place of `json`; undefined stands for unset. May run several times. If it throws, this change alone fails. */
  apply(json: string | undefined): string | undefined
}

/** Who asked for changes, and is told how each has ended. */
export interface Writing {
  /** When the call has to end, waiting included (W9). */
  readonly deadline: Deadline
  /** Nobody waits for it any more. */
  readonly isOver: boolean
  /** The session that it was asked of. */
  readonly session: WritingSession
  stored(change: Change): void
  failed(change: Change, error: unknown): void
}

/** One request's session, as far as a write has to know it. */
export interface WritingSession {
  /** The header as it was seen lately; undefined where the session's token may have been cut off since (T5). */
  readonly freshHeader: Header | undefined
  /** Whether the session's token is still good for what was read (T5). */
  admits(snapshot: Snapshot): boolean
  /** A change is stored. */
  written(outcome: WriteOutcome): void
  /** A change has failed. Gives the error for the caller. */
  failed(error: unknown): unknown
}

/** One change of one field, waiting to be written. It does not change after it was handed in; it only ends. */
export class Edit {
  readonly change: Change
  /** The snapshot with which this very call opened its session: what it found may be built on as if it had been read for this change. */
  readonly opening: Snapshot | undefined
  /** What this request's last write of the field has stored. */
  readonly lastWrite: LastWrite | undefined
  readonly #writing: Writing
  #hasEnded = false

  constructor(change: Change, writing: Writing, opening?: Snapshot, lastWrite?: LastWrite) {
    this.change = change
    this.#writing = writing
    this.opening = opening
    this.lastWrite = lastWrite
  }

  get deadline(): Deadline {
    return this.#writing.deadline
  }

  /** It has ended, or nobody waits for it any more. */
  get isSettled(): boolean {
    return this.#hasEnded || this.#writing.isOver
  }

  /** The header to write by without reading first, where there is one. */
  get freshHeader(): Header | undefined {
    return this.#writing.session.freshHeader
  }

  /** Whether it may be made over what was read (T5). */
  mayFollow(snapshot: Snapshot): boolean {
    return this.#writing.session.admits(snapshot)
  }

  succeed(outcome: WriteOutcome): void {
    if (this.isSettled) return
    this.#hasEnded = true
    try {
      this.#writing.session.written(outcome)
      this.#writing.stored(this.change)
    } catch (error) {
      this.#writing.failed(this.change, error)
    }
  }

  fail(error: unknown): void {
    if (this.isSettled) return
    this.#hasEnded = true
    this.#writing.failed(this.change, this.#writing.session.failed(error))
  }
}

/** How a change is stored. */
export interface WriteOutcome {
  /** What was last seen of the session, this change included. */
  readonly snapshot: Snapshot
  readonly lastWrite: LastWrite | undefined
}

/**
 * The item as this process stored it last. The next change may be tried over it without reading: its version tells the store whether it is still
 * there.
 */
export interface LastWrite extends SeenAt {
  readonly field: string
  readonly key: string
  readonly item: Item
  readonly version: Version
  /** The header as it was seen then. */
  readonly header: Header
}
