import type { Deadline } from '../engine/context.js'
import type { Author, Stored } from '../engine/edit.js'
import type { Reading } from '../engine/reader.js'
import type { Receiver } from '../engine/receiver.js'
import type { Header } from '../format/header.js'
import type { Token } from '../format/token.js'
import type { Visit } from './request-session.js'

/** One reading on its way to its taker, by way of the session that it is of. */
export class Look implements Receiver<Reading> {
  readonly #visit: Visit
  /** Whom the reading is to verify. */
  readonly token: Token | undefined
  readonly fields: readonly string[]
  readonly deadline: Deadline
  readonly taker: Receiver<Reading | undefined>

  constructor(
    visit: Visit,
    token: Token | undefined,
    fields: readonly string[],
    deadline: Deadline,
    taker: Receiver<Reading | undefined>,
  ) {
    this.#visit = visit
    this.token = token
    this.fields = fields
    this.deadline = deadline
    this.taker = taker
  }

  succeed(reading: Reading): void {
    this.#visit.look(reading, this)
  }

  fail(error: unknown): void {
    this.taker.fail(error)
  }
}

/** One change on its way back, by way of the session that it was made in. */
export class Change implements Author {
  readonly #visit: Visit
  readonly #done: Receiver<void>

  constructor(visit: Visit, done: Receiver<void>) {
    this.#visit = visit
    this.#done = done
  }

  get known(): Header | undefined {
    return this.#visit.known
  }

  admits(reading: Reading): boolean {
    return this.#visit.admits(reading)
  }

  succeed(stored: Stored): void {
    try {
      this.#visit.written(stored)
      this.#done.succeed()
    } catch (error) {
      this.#done.fail(error)
    }
  }

  fail(error: unknown): void {
    this.#done.fail(this.#visit.failed(error))
  }
}
