import { isFieldwiseError, SessionGoneError, StoreUnavailableError } from '../api/errors.js'
import type { SessionState } from '../api/session.js'
import type { TokenSink } from '../api/token-sink.js'
import { type Deadline, readDeadline, writeDeadline } from '../engine/context.js'
import { Edit, type LastWrite, type WriteOutcome } from '../engine/edit.js'
import type { Engine } from '../engine/engine.js'
import type { HeaderChange } from '../engine/headers.js'
import { asItIs, EndOfSession, headerIn, type Snapshot } from '../engine/reader.js'
import type { Receiver } from '../engine/receiver.js'
import { type Classification, classify } from '../format/classification.js'
import type { Header } from '../format/header.js'
import { formatToken, newSecret, sameHash, type Token } from '../format/token.js'
import { type Created, createSession, createSessionWithToken, type NewSession } from './creation.js'
import { Change, Look } from './receivers.js'
import { assertGrace, assertLifetime, assertTerms, rotated, type Terms } from './terms.js'
import { Verified } from './verified.js'

/**
 * One request's visit to a session: which session it is, whether its token was verified, and how it ended. Nothing is written, deleted or
 * touched before a snapshot of the header has shown that the secret is the right one; what it holds from then on is a {@link Verified}.
 *
 * @internal
 */
export class RequestSession {
  readonly #engine: Engine
  readonly #host: TokenSink | undefined
  readonly #arrived: number
  #tokens: readonly Token[]
  #state: SessionState
  #held: Verified | undefined
  #gone: SessionGoneError | undefined
  #hasDestroyed = false
  /** What the last write left, for the next change of that field. */
  #recent: LastWrite | undefined
  #creation: Promise<void> | undefined
  #rotation: Promise<void> | undefined

  constructor(engine: Engine, tokens: readonly Token[], host?: TokenSink) {
    this.#engine = engine
    this.#host = host
    this.#arrived = engine.context.environment.monotonic() - (host?.waited?.() ?? 0)
    this.#tokens = tokens.filter(({ sid }) => isHeld(engine, sid))
    this.#state = this.#tokens.length > 0 ? 'unopened' : 'new'
  }

  get state(): SessionState {
    return this.#state
  }

  get sid(): string | undefined {
    return this.#held?.token.sid
  }

  get token(): string | undefined {
    return this.#held && formatToken(this.#held.token)
  }

  get createdAt(): Date | undefined {
    return this.#held && new Date(this.#held.header.created)
  }

  get expiresAt(): Date | undefined {
    return this.#held && new Date(this.#held.expiry)
  }

  /** What the manifest listed when the header was last seen. */
  get listed(): readonly string[] {
    return this.#held ? [...this.#held.header.manifest.keys()] : []
  }

  /** Whether the session's end has passed, as far as this request knows. */
  get isOver(): boolean {
    return this.#held !== undefined && this.#held.serverTime >= this.#held.expiry
  }

  /**
   * Reads fields with the header behind them, for `taker`: who gets undefined where there is no session, so that every field is unset; or
   * is told of a {@link SessionGoneError} for a session that this request has used and that has ended since.
   */
  read(fields: readonly string[], deadline: Deadline, taker: Receiver<Snapshot | undefined>): void {
    if (this.#state === 'stored') return this.#readHeld(fields, deadline, taker)
    this.#open(fields, deadline, {
      succeed: (snapshot) => {
        if (snapshot || this.#state === 'new' || this.#isLate) taker.succeed(snapshot)
        else this.#readHeld(fields, deadline, taker)
      },
      fail: (error) => taker.fail(error),
    })
  }

  /** The same for whoever waits for a promise. */
  reading(fields: readonly string[], deadline: Deadline): Promise<Snapshot | undefined> {
    return new Promise((succeed, fail) => this.read(fields, deadline, { succeed, fail }))
  }

  /** It came with a secret that was superseded already, and sees nothing (T2). */
  get #isLate(): boolean {
    return this.#held === undefined && this.#gone?.reason === 'superseded'
  }

  #readHeld(fields: readonly string[], deadline: Deadline, taker: Receiver<Snapshot | undefined>): void {
    const { sid } = this.#expectHeld().token
    this.#engine.reader.submit(sid, fields, deadline, new Look(this, undefined, fields, deadline, taker))
  }

  /** Makes an edit, and tells `done` when it is stored. What that throws, it is told itself. */
  change(edit: Edit, done: Receiver<void>): void {
    if (this.#mayWriteAtOnce) return this.#submit(edit, done)
    this.#open([edit.field], edit.deadline, {
      succeed: (snapshot) => {
        edit.opening = snapshot
        this.#changeOpened(edit, done)
      },
      fail: (error) => done.fail(error),
    })
  }

  #changeOpened(edit: Edit, done: Receiver<void>): void {
    if (this.#mayWriteAtOnce) return this.#submit(edit, done)
    this.#writeWhenStored([edit], edit.deadline)
      .then(() => done.succeed())
      .catch((error) => done.fail(error))
  }

  /** Makes edits of different fields. Rejects with the error of the first that failed, when all have ended. */
  write(edits: readonly Edit[], deadline: Deadline): Promise<void> {
    return this.#mayWriteAtOnce ? this.#submitAll(edits) : this.#writeFirst(edits, deadline)
  }

  get #mayWriteAtOnce(): boolean {
    return this.#state === 'stored' && this.#rotation === undefined
  }

  async #writeFirst(edits: readonly Edit[], deadline: Deadline): Promise<void> {
    if (this.#state === 'unopened') {
      const fields = edits.map((edit) => edit.field)
      const snapshot = await this.#opened(fields, deadline)
      for (const edit of edits) edit.opening = snapshot
    }
    await this.#writeWhenStored(edits, deadline)
  }

  /**
   * The first edits of a session that is still new store it; those that come meanwhile wait for that. And those that come while the secret
   * is being changed wait for the outcome, and fail with it: they may be meant for nobody but the owner of the new one (T1).
   */
  async #writeWhenStored(edits: readonly Edit[], deadline: Deadline): Promise<void> {
    if (this.#rotation !== undefined) await this.#outcomeOf(this.#rotation, deadline)
    while (this.#state === 'new') {
      if (this.#creation !== undefined) await this.#creation.catch(() => {})
      else return this.#createBy(edits, deadline)
    }
    await this.#submitAll(edits)
  }

  /** Waits for a rotation, but no longer than the call has time (W9): it may have begun before. */
  #outcomeOf(rotation: Promise<void>, deadline: Deadline): Promise<void> {
    const { environment } = this.#engine.context
    const late = environment.sleep(Math.max(0, deadline - environment.running()), true).then(() => {
      throw new StoreUnavailableError(
        'This change had to wait for a new secret of its session, and its time ran out before it was sent',
      )
    })
    return Promise.race([rotation, late])
  }

  /** Stores this session now, with the JSON given for each field. */
  async create(values: ReadonlyMap<string, string>, terms: Terms, deadline: Deadline): Promise<void> {
    const asked = this.#engine.context.environment.monotonic()
    this.#begin(await createSession(this.#engine.context, values, this.#newSession(terms, deadline)), asked)
  }

  /**
   * Stores this session now under a token of the caller's own. False where another session has its id. The header goes first and alone:
   * an id that is not new may belong to another session, or to the remains of one, and only the header tells.
   */
  async createWithToken(token: Token, values: ReadonlyMap<string, string>, terms: Terms, deadline: Deadline): Promise<boolean> {
    const { context, headers } = this.#engine
    const asked = context.environment.monotonic()
    const created = await createSessionWithToken(context, token, this.#newSession(terms, deadline))
    if (created === undefined) return false
    this.#begin(created, asked)
    const edits = Array.from(values, ([field, json]) => new Edit(field, writeDeadline(context), true, () => json))
    try {
      await this.#submitAll(edits)
    } catch (error) {
      await headers.end(token.sid, values.keys(), readDeadline(context)).catch(() => {})
      throw error
    }
    return true
  }

  /** Changes the secret. A session that is still new is stored by it. Two calls at once are one change. */
  regenerate(terms: Terms, deadline: Deadline): Promise<void> {
    this.#rotation ??= this.#regenerate(terms, deadline).finally(() => {
      this.#rotation = undefined
    })
    return this.#rotation
  }

  async #regenerate(terms: Terms, deadline: Deadline): Promise<void> {
    if (this.#state === 'unopened') await this.#opened([], deadline)
    while (this.#state === 'new') {
      if (this.#creation !== undefined) await this.#creation.catch(() => {})
      else return this.#creating(this.create(new Map(), terms, deadline))
    }
    await this.#rotate(terms, deadline)
  }

  /** Changes how long the session lives unused. No input or output where it is that long already. */
  async keepFor(idle: number, deadline: Deadline): Promise<void> {
    if (this.#state === 'unopened') await this.#opened([], deadline)
    const held = this.#expectHeld()
    if (held.header.idle === idle) return
    assertTerms(held.header, { lifetime: { idle } })
    const change = (header: Header, at: number): Header => {
      if (!held.isGoodFor(header, at)) throw new SessionGoneError('superseded')
      return header.idle === idle ? header : { ...header, idle }
    }
    held.changed(await this.#change(change, deadline, 'this change of the idle time'))
  }

  /** Ends the session. Resolves when its header is gone. */
  async destroy(deadline: Deadline): Promise<void> {
    if (this.#state === 'unopened') await this.#opened([], deadline)
    if (this.#creation !== undefined) await this.#creation.catch(() => {})
    if (this.#state === 'new') this.#end(new SessionGoneError('destroyed'))
    else await this.#endStored(deadline)
    this.#hasDestroyed = true
  }

  async #endStored(deadline: Deadline): Promise<void> {
    const held = this.#expectHeld()
    const { sid } = held.token
    const { context, headers, reader } = this.#engine
    if (!held.isFresh && !held.admits(await reader.read(sid, [], deadline, asItIs))) throw this.#cutOff()
    this.#host?.beforeChange()
    await headers.end(sid, held.header.manifest.keys(), deadline)
    this.#end(new SessionGoneError('destroyed'))
    context.telemetry.sessionEnded(sid)
    this.#host?.changed({ type: 'ended' })
  }

  /** It was this request that ended the session, so it may begin another. */
  get hasDestroyed(): boolean {
    return this.#hasDestroyed
  }

  /** The visit of the same request to a session that is new: whatever of this one is still under way belongs to the one that ended. */
  successor(): RequestSession {
    return new RequestSession(this.#engine, [], this.#host)
  }

  /** Verifies the token by a first read, where nobody has yet. `taker` gets undefined where it opens nothing. */
  #open(fields: readonly string[], deadline: Deadline, taker: Receiver<Snapshot | undefined>): void {
    if (this.#state !== 'unopened') return taker.succeed(undefined)
    if (this.#tokens.length > 1) {
      this.#choose(deadline)
        .then(() => this.#open(fields, deadline, taker))
        .catch((error) => taker.fail(error))
      return
    }
    const [token] = this.#tokens
    if (token === undefined) return taker.succeed(undefined)
    this.#engine.reader.submit(token.sid, fields, deadline, new Look(this, token, fields, deadline, taker))
  }

  #opened(fields: readonly string[], deadline: Deadline): Promise<Snapshot | undefined> {
    return new Promise((succeed, fail) => this.#open(fields, deadline, { succeed, fail }))
  }

  /** Of several tokens the one that opens a session counts, if exactly one does. */
  async #choose(deadline: Deadline): Promise<void> {
    const tokens = this.#tokens
    const readings = await Promise.all(tokens.map((token) => this.#engine.reader.read(token.sid, [], deadline, asItIs)))
    if (this.#state !== 'unopened' || this.#tokens !== tokens) return
    const judged = tokens.map((token, index) => this.#judge(token, readings[index] as Snapshot))
    const [living, over] = (['owner', 'over'] as const).map((what) => tokens.filter((_token, index) => judged[index] === what))
    const owned = living?.length ? living : (over ?? [])
    if (owned.length === 0 && judged.includes('superseded')) this.#end(new SessionGoneError('superseded'))
    if (owned.length > 1) this.#host?.ambiguous?.()
    this.#tokens = owned.length === 1 ? owned : []
    if (this.#tokens.length === 0 && this.#state === 'unopened') this.#state = 'new'
  }

  /** Looks at a snapshot: whose is it, has the session ended, has it lost a field, is it to be renewed? */
  look(snapshot: Snapshot, look: Look): void {
    const { token, fields, taker } = look
    if (token !== undefined) {
      // Another call of this request may have come first; whatever it made of the token holds.
      if (this.#state === 'unopened' && this.#classify(token, snapshot) === 'over') return this.#leave(snapshot, look)
      if (this.#held?.token.sid !== token.sid) return taker.succeed(undefined)
    }
    if (!snapshot.over && this.#engine.reader.isWhole(snapshot, fields)) return taker.succeed(this.#see(snapshot))
    this.#settle(snapshot, look)
      .then((settled) => taker.succeed(settled))
      .catch((error) => taker.fail(error))
  }

  #classify(token: Token, snapshot: Snapshot): Verdict {
    const verdict = this.#judge(token, snapshot)
    if (verdict === 'superseded') this.#end(new SessionGoneError('superseded'))
    if (verdict === 'stranger') this.#state = 'new'
    if (verdict !== 'owner') return verdict
    this.#state = 'stored'
    this.#held = new Verified(this.#engine.context, token, headerIn(snapshot).value, snapshot)
    return verdict
  }

  #judge(token: Token, snapshot: Snapshot): Verdict {
    const header = snapshot.header?.value ?? snapshot.over
    if (header === undefined) return 'stranger'
    const { environment, telemetry } = this.#engine.context
    const waited = environment.monotonic() - this.#arrived
    const recognition = classify(header, token.secret, snapshot.serverTime, snapshot.serverTime - waited)
    if (recognition === 'stranger') telemetry.forged(token.sid)
    if (snapshot.over) return recognition === 'owner' ? 'over' : 'stranger'
    if (recognition === 'superseded') telemetry.superseded(token.sid)
    return recognition
  }

  /** The token was right, but the absolute end has passed: it opens nothing, once nothing can bring the session back (L5). */
  #leave(snapshot: Snapshot, { deadline, taker }: Look): void {
    this.#endOver(new EndOfSession(snapshot, new SessionGoneError('expired')), deadline)
      .then((ended) => {
        if (!isFieldwiseError(ended, 'SESSION_GONE')) return taker.fail(ended)
        if (this.#state === 'unopened') this.#state = 'new'
        taker.succeed(undefined)
      })
      .catch((error) => taker.fail(error))
  }

  async #settle(snapshot: Snapshot, { fields, deadline }: Look): Promise<Snapshot> {
    try {
      return this.#see(await this.#engine.reader.settle(snapshot, fields, deadline))
    } catch (error) {
      if (!(error instanceof EndOfSession)) throw error
      throw this.#noteEnd(await this.#endOver(error, deadline))
    }
  }

  #endOver(end: EndOfSession, deadline: Deadline): Promise<Error> {
    return this.#engine.headers.endOver(end, Math.max(deadline, readDeadline(this.#engine.context)))
  }

  #see(snapshot: Snapshot): Snapshot {
    const header = this.#headerIn(snapshot)
    if (this.#held?.admits(snapshot) === false) throw this.#cutOff()
    this.#held?.see(header, snapshot)
    this.#engine.renewals.consider(snapshot, this)
    return snapshot
  }

  #headerIn(snapshot: Snapshot): Header {
    try {
      return headerIn(snapshot).value
    } catch (error) {
      throw this.#noteEnd(error)
    }
  }

  /** A renewal has found that a listed field is gone. */
  lost(error: Error): void {
    this.#noteEnd(error)
  }

  #newSession(terms: Terms, deadline: Deadline): NewSession {
    const lifetime = { ...this.#engine.context.settings.lifetime, ...terms.lifetime }
    assertLifetime(lifetime)
    assertGrace(terms.grace, lifetime.idle)
    this.#host?.beforeChange()
    return { lifetime, persist: terms.persist ?? false, deadline }
  }

  #begin({ token, header, at }: Created, asked: number): void {
    this.#held = new Verified(this.#engine.context, token, header, {
      serverTime: at,
      readAt: this.#engine.context.environment.monotonic(),
      askedAt: asked,
    })
    this.#state = 'stored'
    this.#engine.renewals.noteLife(token.sid, header, at)
    this.#engine.context.telemetry.created(token.sid)
    this.#announceToken()
  }

  async #createBy(edits: readonly Edit[], deadline: Deadline): Promise<void> {
    const values = new Map<string, string>()
    for (const edit of edits) {
      const json = edit.apply(undefined)
      if (json !== undefined) values.set(edit.field, json)
    }
    if (values.size > 0) await this.#creating(this.create(values, {}, deadline))
  }

  #creating(creation: Promise<void>): Promise<void> {
    this.#creation = creation.finally(() => {
      this.#creation = undefined
    })
    return this.#creation
  }

  #submit(edit: Edit, done: Receiver<void>): void {
    const held = this.#expectHeld()
    edit.lastWrite = this.#recent?.field === edit.field ? this.#recent : undefined
    edit.author = new Change(this, done)
    this.#engine.writer.submit(held.token.sid, edit)
  }

  /** All have ended before it is told how. */
  async #submitAll(edits: readonly Edit[]): Promise<void> {
    const writes = edits.map((edit) => new Promise<void>((succeed, fail) => this.#submit(edit, { succeed, fail })))
    await Promise.allSettled(writes)
    for (const write of writes) await write
  }

  /** The header to write by without reading first: one that was seen so lately that the token is certainly still good. */
  get known(): Header | undefined {
    const held = this.#held
    return this.#gone === undefined && held?.isFresh && !held.isCutOff ? held.header : undefined
  }

  /** Whether a change of this request may be made over what was read. */
  admits(snapshot: Snapshot): boolean {
    return this.#gone === undefined && this.#held?.admits(snapshot) === true
  }

  /** A change of this request is stored. That its session has ended since is for the next call to find. */
  written({ reading: snapshot, left }: WriteOutcome): void {
    this.#recent = left && isLight(left) ? left : undefined
    if (snapshot.header !== undefined && !this.admits(snapshot)) return
    this.#see(snapshot)
  }

  /** A change of this request has failed. Gives the error for the caller. */
  failed(error: unknown): unknown {
    return this.#noteEnd(error)
  }

  /** Swaps the secret's hash, only from the one that this request was verified with: one that comes second is cut off at once (T1). */
  async #rotate(terms: Terms, deadline: Deadline): Promise<void> {
    const held = this.#expectHeld()
    assertTerms(held.header, terms)
    this.#host?.beforeChange()
    const { context, renewals } = this.#engine
    const secret = held.pending ?? newSecret(context.environment)
    held.pending = secret
    const swap = (header: Header, at: number): Header => {
      if (sameHash(header.hash, secret.hash)) return header
      if (!sameHash(header.hash, held.token.secret.hash)) throw new SessionGoneError('superseded')
      return rotated(header, secret, terms, at)
    }
    const header = await this.#change(swap, deadline, 'this rotation')
    held.changed(header, secret)
    context.telemetry.rotated(held.token.sid)
    renewals.noteLife(held.token.sid, header, header.rotated)
    this.#announceToken()
  }

  /** Changes the header. What that throws says how the session has ended, if it has. */
  #change(change: HeaderChange, deadline: Deadline, what: string): Promise<Header> {
    const { sid } = this.#expectHeld().token
    return this.#engine.renewals.change(sid, change, deadline, what).catch((error) => {
      throw this.#noteEnd(error)
    })
  }

  #expectHeld(): Verified {
    if (this.#gone) throw this.#gone
    if (this.#held === undefined) throw new SessionGoneError('destroyed')
    if (this.#held.isCutOff) throw this.#cutOff()
    return this.#held
  }

  /** Somebody else has changed the secret: nothing is read or written any more (T5). */
  #cutOff(): unknown {
    return this.#noteEnd(new SessionGoneError('superseded'))
  }

  /** Only a request that created, rotated or ended a session sends a cookie (T4). */
  #announceToken(): void {
    const { token, header, serverTime } = this.#expectHeld()
    const maxAge = Math.max(0, header.deadline - serverTime)
    this.#host?.changed({ type: 'issued', token: formatToken(token), persist: header.persist, maxAge })
  }

  /** Remembers that the session is gone, if that is what an error says, and for what reason. */
  #noteEnd(error: unknown): unknown {
    if (!isFieldwiseError(error, 'SESSION_GONE')) return error
    if (this.#gone) return this.#gone
    const isExpired = error.reason === 'destroyed' && this.isOver
    const gone = isExpired ? new SessionGoneError('expired') : error
    if (gone.reason === 'superseded' && this.#held) this.#engine.context.telemetry.superseded(this.#held.token.sid)
    this.#end(gone)
    return gone
  }

  #end(gone: SessionGoneError): void {
    this.#state = 'gone'
    this.#gone = gone
  }
}

/** What a snapshot says of a token. `over`: it is the right one, of a session whose absolute end has passed. */
type Verdict = Classification | 'over'

/** A value that takes little memory for as long as its session is kept open. */
function isLight({ item }: LastWrite): boolean {
  return item.json === undefined || item.json.length <= mostLight
}

const mostLight = 16_384

function isHeld({ context }: Engine, sid: string): boolean {
  const isHere = context.store.holds(sid)
  if (!isHere) context.telemetry.misrouted(sid)
  return isHere
}
