import { SessionGoneError } from '../api/errors.js'
import type { SessionState } from '../api/session.js'
import type { TokenSink } from '../api/token-sink.js'
import { type Deadline, readDeadline, writeDeadline } from '../engine/context.js'
import { type Change, Edit, type Writing, type WritingSession } from '../engine/edit.js'
import type { Engine } from '../engine/engine.js'
import type { Snapshot } from '../engine/snapshot.js'
import { waitedTooLong } from '../engine/waited-too-long.js'
import type { BoundUser } from '../format/header.js'
import { formatToken, type Token } from '../format/token.js'
import { serverOf } from '../format/user-list.js'
import { type Created, createSession, createSessionWithToken, newSession } from './creation.js'
import { Login } from './login.js'
import { bindTo, keepFor, logIn, rotate } from './rotation.js'
import { SessionReads, StepRead } from './session-reads.js'
import { type New, Standing } from './standing.js'
import type { Terms } from './terms.js'
import { forgetEntry } from './user-sessions.js'
import { heldHere } from './verification.js'
import { Verified } from './verified.js'

/** A call that changes fields of a session: each of its changes is told how it ended, or the call as a whole. */
export interface SessionWrite extends Writing {
  readonly changes: readonly Change[]
  /** All its changes are stored. */
  done(): void
  /** It could not begin. */
  fail(error: unknown): void
}

/**
 * The session of one request: reads and writes it, creates, changes and ends it. Nothing is written, deleted or touched before a snapshot of the
 * header has shown that the request's secret is the right one (R1).
 *
 * @internal
 */
export class RequestSession {
  readonly #engine: Engine
  readonly #sink: TokenSink | undefined
  readonly #standing: Standing
  /** How it is read. */
  readonly reads: SessionReads
  /** A change of the secret that is under way, whatever the state that it began in. */
  #rotation: Promise<void> | undefined
  /** Whose session it is to be by that. */
  #rotationUser: string | undefined

  constructor(engine: Engine, tokens: readonly Token[], sink?: TokenSink) {
    const arrived = engine.environment.monotonic() - (sink?.waited?.() ?? 0)
    this.#engine = engine
    this.#sink = sink
    this.#standing = new Standing(engine, heldHere(engine, tokens))
    this.reads = new SessionReads(engine, this.#standing, arrived, sink)
  }

  get state(): SessionState {
    return this.#standing.state.is
  }

  get sid(): string | undefined {
    return this.#standing.sid
  }

  get token(): string | undefined {
    const { verified } = this.#standing
    return verified && formatToken(verified.token)
  }

  get createdAt(): Date | undefined {
    const { verified } = this.#standing
    return verified && new Date(verified.header.created)
  }

  get expiresAt(): Date | undefined {
    const { verified } = this.#standing
    return verified && new Date(verified.expiry)
  }

  /** What the manifest listed when the header was last seen. */
  get listed(): readonly string[] {
    const { verified } = this.#standing
    return verified ? [...verified.header.manifest.keys()] : []
  }

  /** Whose session it is, as its header says. */
  get user(): BoundUser | undefined {
    return this.#standing.verified?.header.user
  }

  /** Whether the session's end has passed, as far as this request knows. */
  get isOver(): boolean {
    return this.#standing.isOver
  }

  /** It was this request that ended the session, so it may begin another. */
  get hasDestroyed(): boolean {
    const { state } = this.#standing
    return state.is === 'gone' && state.byUs
  }

  /** What the writes of this session consult, and report to. */
  get standing(): WritingSession {
    return this.#standing
  }

  /** A new session for the same request. Calls of this one that are still under way belong to the one that ended. */
  successor(): RequestSession {
    return new RequestSession(this.#engine, [], this.#sink)
  }

  /** Makes changes of different fields. A session that is not verified yet is opened by reading them; one that is new is stored by it. */
  write(write: SessionWrite): void {
    if (this.state !== 'unopened') return this.#writeOpened(write, undefined)
    const fields = write.changes.map((change) => change.field)
    const opened = (snapshot: Snapshot | undefined) => this.#writeOpened(write, snapshot)
    this.reads.read(new StepRead(this.reads, fields, write.deadline, opened, (error) => write.fail(error)))
  }

  #writeOpened(write: SessionWrite, opening: Snapshot | undefined): void {
    if (this.state === 'stored' && this.#rotation === undefined) return this.#submit(write, opening)
    this.#whenStored(write)
      .then((isWritten) => (isWritten ? write.done() : this.#submit(write, opening)))
      .catch((error) => write.fail(error))
  }

  #submit(write: SessionWrite, opening: Snapshot | undefined): void {
    const { token } = this.#standing.expectVerified()
    const { state } = this.#standing
    const last = state.is === 'stored' ? state.lastWrite : undefined
    for (const change of write.changes) {
      const lastWrite = last?.field === change.field ? last : undefined
      this.#engine.writer.submit(token.sid, new Edit(change, write, opening, lastWrite))
    }
  }

  /**
   * Waits until the session is stored. The first changes of one that is still new store it: then the result is true. Those that come while
   * the secret is being changed wait for the outcome, and fail with it: they may be meant for nobody but the owner of the new one (T1).
   */
  async #whenStored(write: SessionWrite): Promise<boolean> {
    if (this.#rotation !== undefined) await this.#outcomeOf(this.#rotation, write.deadline)
    return (await this.#createOnce(() => this.#createBy(write))) === 'created'
  }

  /** Waits for a rotation, but no longer than the call has time (W9): it may have begun before. */
  #outcomeOf(rotation: Promise<void>, deadline: Deadline): Promise<void> {
    const { environment } = this.#engine
    const late = environment.sleep(Math.max(0, deadline - environment.running()), true).then(() => {
      throw waitedTooLong('a new secret of its session')
    })
    return Promise.race([rotation, late])
  }

  async #createBy({ changes, deadline }: SessionWrite): Promise<void> {
    const values = new Map<string, string>()
    for (const change of changes) {
      const json = change.apply(undefined)
      if (json !== undefined) values.set(change.field, json)
    }
    if (values.size > 0) await this.create(values, {}, deadline)
  }

  /** A session that is still new is stored by `create`, unless another call of this request is at it; that one is waited for. */
  async #createOnce(create: () => Promise<void>): Promise<'created' | 'not new'> {
    for (;;) {
      const { state } = this.#standing
      if (state.is !== 'new') return 'not new'
      if (state.creation === undefined) {
        await this.#creating(state, create())
        return 'created'
      }
      await state.creation.catch(() => {})
    }
  }

  #creating(state: New, creation: Promise<void>): Promise<void> {
    state.creation = creation.finally(() => {
      state.creation = undefined
    })
    return state.creation
  }

  /** Stores this session now, with the JSON given for each field. */
  async create(values: ReadonlyMap<string, string>, terms: Terms, deadline: Deadline): Promise<void> {
    const askedAt = this.#engine.environment.monotonic()
    const wanted = newSession(this.#engine, terms, deadline)
    this.#sink?.beforeChange()
    this.#begin(await createSession(this.#engine, values, wanted), askedAt)
  }

  /**
   * Stores this session now under a token of the caller's own. False where another session has its id. The header goes first and alone:
   * an id that is not new may belong to another session, or to the remains of one, and only the header tells.
   */
  async createWithToken(token: Token, values: ReadonlyMap<string, string>, terms: Terms, deadline: Deadline): Promise<boolean> {
    const askedAt = this.#engine.environment.monotonic()
    const wanted = newSession(this.#engine, terms, deadline)
    this.#sink?.beforeChange()
    const created = await createSessionWithToken(this.#engine, token, wanted)
    if (created === undefined) return false
    this.#begin(created, askedAt)
    try {
      await this.#storeAll(values, writeDeadline(this.#engine))
    } catch (error) {
      await this.#engine.headers.end(token.sid, values.keys(), readDeadline(this.#engine)).catch(() => {})
      throw error
    }
    return true
  }

  #begin({ token, header, at }: Created, askedAt: number): void {
    const { environment, known, telemetry } = this.#engine
    this.#standing.store(new Verified(this.#engine, token, header, { serverTime: at, readAt: environment.monotonic(), askedAt }))
    known.noteLife(token.sid, header, at)
    telemetry.created(token.sid)
    this.#announceToken()
  }

  /** Stores fields of a session that was just created. Rejects, when all have ended, with the error of the first that failed. */
  async #storeAll(values: ReadonlyMap<string, string>, deadline: Deadline): Promise<void> {
    const { sid } = this.#standing.expectVerified().token
    const writes = Array.from(values, ([field, json]) => {
      return new Promise<void>((resolve, reject) => {
        const writing: Writing = {
          deadline,
          isOver: false,
          session: this.#standing,
          stored: () => resolve(),
          failed: (_change, error) => reject(error),
        }
        this.#engine.writer.submit(sid, new Edit({ field, isBlind: true, apply: () => json }, writing))
      })
    })
    await Promise.allSettled(writes)
    for (const write of writes) await write
  }

  /** Changes the secret. A session that is still new is stored by it. Two calls at once are one change, unless they are for different users. */
  async regenerate(terms: Terms, deadline: Deadline): Promise<void> {
    if (this.#rotation !== undefined && terms.user !== undefined && terms.user !== this.#rotationUser) {
      await this.#outcomeOf(
        this.#rotation.catch(() => {}),
        deadline,
      )
    }
    if (this.#rotation === undefined) {
      this.#rotationUser = terms.user
      this.#rotation = this.#regenerate(terms, deadline).finally(() => {
        this.#rotation = undefined
      })
    }
    return this.#rotation
  }

  async #regenerate(terms: Terms, deadline: Deadline): Promise<void> {
    const opening = this.state === 'unopened' ? await this.reads.snapshot([], deadline) : undefined
    const outcome = await this.#createOnce(() => this.create(new Map(), terms, deadline))
    if (outcome === 'created') return
    await this.#noting(this.#rotate(terms, deadline, opening))
    this.#announceToken()
  }

  #rotate(terms: Terms, deadline: Deadline, opening: Snapshot | undefined): Promise<void> {
    const verified = this.#standing.expectVerified()
    const beforeChange = () => this.#sink?.beforeChange()
    if (terms.user === undefined) return rotate(this.#engine, verified, terms, deadline, beforeChange)
    let first = opening
    const open = () => {
      const seen = first ? Promise.resolve(first) : this.reads.snapshot([], deadline)
      first = undefined
      return seen
    }
    const login = new Login(this.#engine, terms.user, deadline)
    return logIn(this.#engine, verified, terms, login, open, deadline, beforeChange)
  }

  /** Makes the session a user's, with the secret that it has. No input or output where it is known to be that. */
  async bindTo(user: string, deadline: Deadline): Promise<void> {
    await this.#open(deadline)
    const verified = this.#standing.expectVerified()
    const login = new Login(this.#engine, user, deadline)
    if (verified.header.user) return login.assertSame(verified.header.user)
    await this.#noting(bindTo(this.#engine, verified, login, () => this.reads.snapshot([], deadline), deadline))
  }

  /** Changes how long the session lives unused. No input or output where it is that long already. */
  async keepFor(idle: number, deadline: Deadline): Promise<void> {
    await this.#open(deadline)
    await this.#noting(keepFor(this.#engine, this.#standing.expectVerified(), idle, deadline))
  }

  /** Ends the session. Resolves when its header is gone. */
  async destroy(deadline: Deadline): Promise<void> {
    await this.#open(deadline)
    const { state } = this.#standing
    if (state.is === 'new' && state.creation !== undefined) await state.creation.catch(() => {})
    if (this.state === 'new') this.#standing.end(new SessionGoneError('destroyed'), true)
    else await this.#endStored(deadline)
  }

  async #endStored(deadline: Deadline): Promise<void> {
    const verified = this.#standing.expectVerified()
    const { sid } = verified.token
    const { reader, headers, telemetry } = this.#engine
    if (!verified.isFresh && !verified.admits(await reader.read(sid, [], deadline))) throw this.#standing.cutOff()
    this.#sink?.beforeChange()
    await headers.end(sid, verified.header.manifest.keys(), deadline)
    if (verified.header.user) forgetEntry(this.#engine, serverOf(sid), verified.header.user)
    this.#standing.end(new SessionGoneError('destroyed'), true)
    telemetry.sessionEnded(sid)
    this.#sink?.changed({ type: 'ended' })
  }

  async #open(deadline: Deadline): Promise<void> {
    if (this.state === 'unopened') await this.reads.snapshot([], deadline)
  }

  /** What the work throws says how the session has ended, if it has. */
  #noting(work: Promise<void>): Promise<void> {
    return work.catch((error) => {
      throw this.#standing.failed(error)
    })
  }

  /** Only a request that created, rotated or ended a session sends a cookie (T4). */
  #announceToken(): void {
    const { token, header, serverTime } = this.#standing.expectVerified()
    const maxAge = Math.max(0, header.deadline - serverTime)
    this.#sink?.changed({ type: 'issued', token: formatToken(token), persist: header.persist, maxAge })
  }
}
