import type { Deadline } from '../engine/context.js'
import type { Author, WriteOutcome } from '../engine/edit.js'
import type { Snapshot } from '../engine/reader.js'
import type { Receiver } from '../engine/receiver.js'
import type { Header } from '../format/header.js'
import type { Token } from '../format/token.js'
import type { RequestSession } from './request-session.js'

/** One reading on its way to its taker, by way of the session that it is of. */
export class Look implements Receiver<Snapshot> {
  readonly #session: RequestSession
  /** Whom the snapshot is to verify. */
  readonly token: Token | undefined
  readonly fields: readonly string[]
  readonly deadline: Deadline
  readonly taker: Receiver<Snapshot | undefined>

  constructor(
    session: RequestSession,
    token: Token | undefined,
    fields: readonly string[],
    deadline: Deadline,
    taker: Receiver<Snapshot | undefined>,
  ) {
    this.#session = session
    this.token = token
    this.fields = fields
    this.deadline = deadline
    this.taker = taker
  }

  succeed(snapshot: Snapshot): void {
    this.#session.look(snapshot, this)
  }

  fail(error: unknown): void {
    this.taker.fail(error)
  }
}

/** One change on its way back, by way of the session that it was made in. */
export class Change implements Author {
  readonly #session: RequestSession
  readonly #done: Receiver<void>

  constructor(session: RequestSession, done: Receiver<void>) {
    this.#session = session
    this.#done = done
  }

  get known(): Header | undefined {
    return this.#session.known
  }

  admits(snapshot: Snapshot): boolean {
    return this.#session.admits(snapshot)
  }

  succeed(stored: WriteOutcome): void {
    try {
      this.#session.written(stored)
      this.#done.succeed()
    } catch (error) {
      this.#done.fail(error)
    }
  }

  fail(error: unknown): void {
    this.#done.fail(this.#session.failed(error))
  }
}
