import { isFieldwiseError, SessionGoneError } from '../api/errors.js'
import type { TokenSink } from '../api/token-sink.js'
import { isWhole } from '../engine/contents.js'
import { type Deadline, readDeadline } from '../engine/context.js'
import type { Engine } from '../engine/engine.js'
import type { Waiter } from '../engine/read-batch.js'
import { EndOfSession, headerIn, type Snapshot } from '../engine/snapshot.js'
import type { Token } from '../format/token.js'
import type { Standing } from './standing.js'
import { judge, ownedOf, type Verdict } from './verification.js'
import { Verified } from './verified.js'

/** One read of a request's session. The batch that answers it calls `resolve`; {@link SessionReads} judges the snapshot, and then ends the read. */
export interface SessionRead extends Waiter {
  /** The token that the snapshot is to verify, as long as none of the request's was verified yet. */
  token: Token | undefined
  /** `snapshot` is undefined where there is no session, so that every field is unset. */
  end(snapshot: Snapshot | undefined): void
}

/** Reads the session of one request. The first read verifies its token (R1). */
export class SessionReads {
  readonly #engine: Engine
  readonly #standing: Standing
  /** When the request came, on the monotonic clock. */
  readonly #arrived: number
  /** Told when several tokens open a session, so that none of them counts. */
  readonly #sink: Pick<TokenSink, 'ambiguous'> | undefined

  constructor(engine: Engine, standing: Standing, arrived: number, sink: Pick<TokenSink, 'ambiguous'> | undefined) {
    this.#engine = engine
    this.#standing = standing
    this.#arrived = arrived
    this.#sink = sink
  }

  /**
   * Reads fields with the header behind them. `read` ends with undefined where there is no session, and is rejected with a
   * {@link SessionGoneError} for a session that this request has used and that has ended since.
   */
  read(read: SessionRead): void {
    const { state } = this.#standing
    switch (state.is) {
      case 'unopened':
        return this.#open(read, state.tokens)
      case 'new':
        return read.end(undefined)
      case 'stored':
        return this.#readStored(read)
      case 'gone':
        // Whoever came with a secret that was superseded already sees nothing (T2).
        if (state.verified === undefined && state.error.reason === 'superseded') read.end(undefined)
        else read.reject(state.error)
    }
  }

  /** The same as a promise, for a step of a larger call. */
  snapshot(fields: readonly string[], deadline: Deadline): Promise<Snapshot | undefined> {
    return new Promise((resolve, reject) => this.read(new StepRead(this, fields, deadline, resolve, reject)))
  }

  /** Judges the snapshot of a read: does the token open the session, has it ended, has it lost a field, is a renewal due? */
  receive(snapshot: Snapshot, read: SessionRead): void {
    const { token, fields } = read
    const standing = this.#standing
    if (token !== undefined) {
      // Another call of this request may have come first; whatever it made of the token holds.
      if (standing.state.is === 'unopened' && this.#verify(token, snapshot) === 'over') return this.#leave(snapshot, read)
      if (standing.sid !== token.sid) return this.#readAgain(read)
    }
    if (!snapshot.over && isWhole(this.#engine, snapshot, fields)) return read.end(standing.see(snapshot))
    this.#settle(snapshot, read)
      .then((settled) => read.end(settled))
      .catch((error) => read.reject(error))
  }

  /** Verifies a token by a first read. Of several tokens the one that opens a session counts, if exactly one does. */
  #open(read: SessionRead, tokens: readonly Token[]): void {
    const [token] = tokens
    if (token !== undefined && tokens.length === 1) {
      read.token = token
      return this.#engine.reader.submit(token.sid, read)
    }
    this.#choose(tokens, read.deadline)
      .then(() => this.read(read))
      .catch((error) => read.reject(error))
  }

  async #choose(tokens: readonly Token[], deadline: Deadline): Promise<void> {
    const snapshots = await Promise.all(tokens.map((token) => this.#engine.reader.read(token.sid, [], deadline)))
    const standing = this.#standing
    // Another call of this request may have chosen meanwhile.
    if (standing.state.is !== 'unopened' || standing.state.tokens !== tokens) return
    const verdicts = tokens.map((token, index) => judge(this.#engine, token, snapshots[index] as Snapshot, this.#arrived))
    const owned = ownedOf(tokens, verdicts)
    if (owned.length > 1) this.#sink?.ambiguous?.()
    if (owned.length === 1) standing.state = { is: 'unopened', tokens: owned }
    else if (owned.length === 0 && verdicts.includes('superseded')) standing.end(new SessionGoneError('superseded'))
    else standing.state = { is: 'new' }
  }

  #verify(token: Token, snapshot: Snapshot): Verdict {
    const verdict = judge(this.#engine, token, snapshot, this.#arrived)
    if (verdict === 'superseded') this.#standing.end(new SessionGoneError('superseded'))
    if (verdict === 'unknown') this.#standing.state = { is: 'new' }
    if (verdict === 'current') {
      this.#standing.store(new Verified(this.#engine, token, headerIn(snapshot).value, snapshot))
    }
    return verdict
  }

  /** Reads by what is known now: the token of `read` opened nothing, or another call has found the one that does. */
  #readAgain(read: SessionRead): void {
    read.token = undefined
    this.read(read)
  }

  #readStored(read: SessionRead): void {
    read.token = undefined
    this.#engine.reader.submit(this.#standing.expectVerified().token.sid, read)
  }

  /** The token was right, but the absolute end has passed: it opens nothing, once nothing can bring the session back (L5). */
  #leave(snapshot: Snapshot, read: SessionRead): void {
    this.#endOver(new EndOfSession(snapshot, new SessionGoneError('expired')), read.deadline)
      .then((ended) => {
        if (!isFieldwiseError(ended, 'SESSION_GONE')) return read.reject(ended)
        if (this.#standing.state.is === 'unopened') this.#standing.state = { is: 'new' }
        this.#readAgain(read)
      })
      .catch((error) => read.reject(error))
  }

  async #settle(snapshot: Snapshot, { fields, deadline }: SessionRead): Promise<Snapshot> {
    try {
      return this.#standing.see(await this.#engine.reader.settle(snapshot, fields, deadline))
    } catch (error) {
      if (!(error instanceof EndOfSession)) throw error
      throw this.#standing.failed(await this.#endOver(error, deadline))
    }
  }

  #endOver(end: EndOfSession, deadline: Deadline): Promise<Error> {
    return this.#engine.headers.endOver(end, Math.max(deadline, readDeadline(this.#engine)))
  }
}

/** A read that is a step of a larger call. */
export class StepRead implements SessionRead {
  token: Token | undefined
  readonly fields: readonly string[]
  readonly deadline: Deadline
  readonly end: (snapshot: Snapshot | undefined) => void
  readonly reject: (error: unknown) => void
  readonly #reads: SessionReads

  constructor(
    reads: SessionReads,
    fields: readonly string[],
    deadline: Deadline,
    end: (snapshot: Snapshot | undefined) => void,
    reject: (error: unknown) => void,
  ) {
    this.#reads = reads
    this.fields = fields
    this.deadline = deadline
    this.end = end
    this.reject = reject
  }

  resolve(snapshot: Snapshot): void {
    this.#reads.receive(snapshot, this)
  }
}
