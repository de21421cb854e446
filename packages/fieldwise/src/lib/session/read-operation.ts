import { type Deadline, readDeadline } from '../engine/context.js'
import type { Engine } from '../engine/engine.js'
import { type Called, Operation } from '../engine/operation.js'
import type { Snapshot } from '../engine/snapshot.js'
import type { Token } from '../format/token.js'
import type { RequestSession } from './request-session.js'
import type { SessionRead, SessionReads } from './session-reads.js'

/** A call that reads fields in one round trip: of all that happens on the way only its caller waits for a promise. */
export class ReadOperation<T> extends Operation<T> implements SessionRead {
  token: Token | undefined
  readonly #engine: Engine
  readonly #reads: SessionReads
  #finish!: (snapshot: Snapshot | undefined) => T

  constructor(engine: Engine, called: Called, fields: readonly string[], session: RequestSession) {
    super(engine, called, fields, session)
    this.#engine = engine
    this.#reads = session.reads
  }

  get deadline(): Deadline {
    return readDeadline(this.#engine, this.started)
  }

  /** Reads. `finish` makes of the snapshot what the caller gets. */
  read(finish: (snapshot: Snapshot | undefined) => T): void {
    this.#finish = finish
    this.#reads.read(this)
  }

  /** The snapshot has come. */
  resolve(snapshot: Snapshot): void {
    this.#reads.receive(snapshot, this)
  }

  end(snapshot: Snapshot | undefined): void {
    try {
      this.succeed(this.#finish(snapshot))
    } catch (error) {
      this.fail(error)
    }
  }

  reject(error: unknown): void {
    this.fail(error)
  }
}
