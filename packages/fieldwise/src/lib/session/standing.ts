import { isFieldwiseError, SessionGoneError } from '../api/errors.js'
import type { LastWrite, WriteOutcome, WritingSession } from '../engine/edit.js'
import type { Engine } from '../engine/engine.js'
import type { RenewalListener } from '../engine/renewals.js'
import { headerIn, type Snapshot } from '../engine/snapshot.js'
import type { Header } from '../format/header.js'
import type { Token } from '../format/token.js'
import type { Verified } from './verified.js'

/** What a request knows of its session. */
export type State = Unopened | New | Stored | Gone

/** It came with these tokens, and none was verified yet. */
interface Unopened {
  readonly is: 'unopened'
  readonly tokens: readonly Token[]
}

/** Nothing is stored, unless a creation is under way. */
export interface New {
  readonly is: 'new'
  creation?: Promise<void> | undefined
}

/** The token was verified. */
interface Stored {
  readonly is: 'stored'
  readonly verified: Verified
  /** What this request's last write has left. */
  lastWrite?: LastWrite | undefined
}

/** It has ended. */
interface Gone {
  readonly is: 'gone'
  readonly error: SessionGoneError
  /** What was known of it, if anything was. */
  readonly verified: Verified | undefined
  /** It was this request that ended it, so it may begin another. */
  readonly byUs: boolean
}

/** What a request knows of its session, shared by all of its calls: what one of them finds out counts for the others. */
export class Standing implements WritingSession, RenewalListener {
  state: State
  readonly #engine: Engine

  constructor(engine: Engine, tokens: readonly Token[]) {
    this.#engine = engine
    this.state = tokens.length > 0 ? { is: 'unopened', tokens } : { is: 'new' }
  }

  /** What is known of the session that it is or was, once its token was verified. */
  get verified(): Verified | undefined {
    return this.state.is === 'stored' || this.state.is === 'gone' ? this.state.verified : undefined
  }

  get sid(): string | undefined {
    return this.verified?.token.sid
  }

  /** Whether the session's end has passed, as far as this request knows. */
  get isOver(): boolean {
    return this.verified !== undefined && this.verified.serverTime >= this.verified.expiry
  }

  /** @throws {SessionGoneError} where there is no session, or its token was cut off */
  expectVerified(): Verified {
    if (this.state.is === 'gone') throw this.state.error
    if (this.state.is !== 'stored') throw new SessionGoneError('destroyed')
    if (this.state.verified.isCutOff) throw this.cutOff()
    return this.state.verified
  }

  /** The session is stored, with this token, as `header` says. */
  store(verified: Verified): void {
    this.state = { is: 'stored', verified }
  }

  /** Takes note of what a verified call has read, and renews what is due. @throws {SessionGoneError} */
  see(snapshot: Snapshot): Snapshot {
    const header = this.#headerIn(snapshot)
    const { verified } = this
    if (verified?.admits(snapshot) === false) throw this.cutOff()
    verified?.see(header, snapshot)
    this.#engine.renewals.consider(snapshot, this)
    return snapshot
  }

  #headerIn(snapshot: Snapshot): Header {
    try {
      return headerIn(snapshot).value
    } catch (error) {
      throw this.failed(error)
    }
  }

  /** The header, if it was seen so lately that the token is certainly still good (T5). */
  get freshHeader(): Header | undefined {
    if (this.state.is !== 'stored') return undefined
    const { verified } = this.state
    return verified.isFresh && !verified.isCutOff ? verified.header : undefined
  }

  admits(snapshot: Snapshot): boolean {
    return this.state.is === 'stored' && this.state.verified.admits(snapshot)
  }

  /** Notes what a stored change has shown. If the session has ended since, the next call finds out. */
  written({ snapshot, lastWrite }: WriteOutcome): void {
    if (this.state.is === 'stored') this.state.lastWrite = lastWrite && isLight(lastWrite) ? lastWrite : undefined
    if (snapshot.header !== undefined && !this.admits(snapshot)) return
    this.see(snapshot)
  }

  /** A call has failed: if it says that the session is gone, that is remembered. Gives the error for the caller. */
  failed(error: unknown): unknown {
    if (!isFieldwiseError(error, 'SESSION_GONE')) return error
    if (this.state.is === 'gone') return this.state.error
    const isExpired = error.reason === 'destroyed' && this.isOver
    const gone = isExpired ? new SessionGoneError('expired') : error
    if (gone.reason === 'superseded' && this.sid !== undefined) this.#engine.telemetry.superseded(this.sid)
    this.end(gone)
    return gone
  }

  /** A renewal has found that a listed field is gone. */
  lost(error: Error): void {
    this.failed(error)
  }

  /** Somebody else has changed the secret: nothing is read or written any more (T5). Gives the error for the caller. */
  cutOff(): unknown {
    return this.failed(new SessionGoneError('superseded'))
  }

  end(error: SessionGoneError, byUs = false): void {
    this.state = { is: 'gone', error, verified: this.verified, byUs }
  }
}

/** Whether the value is small enough to be kept for as long as the app keeps the session object. */
function isLight({ item }: LastWrite): boolean {
  return item.json === undefined || item.json.length <= mostLight
}

const mostLight = 16_384
