import { type Deadline, writeDeadline } from '../engine/context.js'
import type { Change, WritingSession } from '../engine/edit.js'
import type { Engine } from '../engine/engine.js'
import { type Called, Operation } from '../engine/operation.js'
import type { RequestSession, SessionWrite } from './request-session.js'

/** A call that changes fields. When all its changes have ended it succeeds, or fails as the first of them that failed. */
export class WriteOperation<T> extends Operation<T> implements SessionWrite {
  changes: readonly Change[] = none
  readonly #engine: Engine
  readonly #session: RequestSession
  #finish!: () => T
  /** How many changes are under way. */
  #left = 0
  #failures: Map<Change, unknown> | undefined

  constructor(engine: Engine, called: Called, fields: readonly string[], session: RequestSession) {
    super(engine, called, fields, session)
    this.#engine = engine
    this.#session = session
  }

  get session(): WritingSession {
    return this.#session.standing
  }

  get deadline(): Deadline {
    return writeDeadline(this.#engine, this.started)
  }

  /** Makes changes of different fields. `finish` gives what the caller gets. */
  write(changes: readonly Change[], finish: () => T): void {
    this.changes = changes
    this.#left = changes.length
    this.#finish = finish
    if (this.#left === 0) this.done()
    else this.#session.write(this)
  }

  stored(_change: Change): void {
    this.#settle()
  }

  failed(change: Change, error: unknown): void {
    this.#failures ??= new Map()
    this.#failures.set(change, error)
    this.#settle()
  }

  /** All its changes are stored. */
  done(): void {
    try {
      this.succeed(this.#finish())
    } catch (error) {
      this.fail(error)
    }
  }

  #settle(): void {
    if (--this.#left > 0) return
    const failed = this.#failures && this.changes.find((change) => this.#failures?.has(change))
    if (failed) this.fail(this.#failures?.get(failed))
    else this.done()
  }
}

const none: readonly Change[] = []
