import { type Deadline, readDeadline, writeDeadline } from './core.js'
import { type Created, createSession, createSessionUnder, type NewSession } from './creation.js'
import { Edit, type Left, type Stored } from './edit.js'
import type { Engine } from './engine.js'
import { isFieldwiseError, SessionGoneError } from './errors.js'
import type { Header } from './header.js'
import type { SessionHost } from './host.js'
import { expiry, type Lifetime } from './lifetime.js'
import { asItIs, LostField, type Reading } from './reader.js'
import type { Receiver } from './receiver.js'
import { recognise } from './recognition.js'
import { assertGrace, assertLifetime } from './settings.js'
import { formatToken, newSecret, type Secret, sameHash, type Token } from './token.js'

/** `unopened`: a token that nobody has verified yet. `new`: nothing is stored. `gone`: it was there, and has ended. */
export type SessionState = 'unopened' | 'new' | 'stored' | 'gone'

/**
 * What `regenerate` and `create` may ask for, in milliseconds.
 *
 * @internal
 */
export interface Terms {
  readonly lifetime?: Partial<Lifetime> | undefined
  readonly persist?: boolean | undefined
  readonly grace?: number | undefined
}

/**
 * One request's hold on a session: which session it is, whether its token was verified, and how it ended. Nothing is written, deleted or
 * touched before a reading of the header has shown that the secret is the right one; from then on the secret is not asked for again (T5).
 *
 * @internal
 */
export class Visit {
  readonly #engine: Engine
  readonly #host: SessionHost | undefined
  readonly #arrived: number
  #tokens: readonly Token[]
  #state: SessionState
  #held: Held | undefined
  #gone: SessionGoneError | undefined
  /** What the last write left, for the next change of that field. */
  #recent: Left | undefined
  #creation: Promise<void> | undefined
  #rotation: Promise<void> | undefined
  /** The secret of a rotation whose outcome is open: asking again continues it (T3). */
  #pending: Secret | undefined

  constructor(engine: Engine, tokens: readonly Token[], host?: SessionHost) {
    this.#engine = engine
    this.#host = host
    this.#arrived = engine.core.runtime.monotonic() - (host?.waited?.() ?? 0)
    this.#tokens = tokens.filter((token) => engine.core.store.holds(token.sid))
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
    return this.#held && new Date(expiry(this.#held.header, this.#held.at))
  }

  /** What the manifest listed when the header was last seen. */
  get listed(): readonly string[] {
    return this.#held ? [...this.#held.header.manifest.keys()] : []
  }

  /** Whether the session's end has passed, as far as this request knows. */
  get isOver(): boolean {
    return this.#held !== undefined && this.#serverTime() >= expiry(this.#held.header, this.#held.at)
  }

  /**
   * Reads fields with the header behind them, for `taker`: who gets undefined where there is no session, so that every field is unset; or
   * is told of a {@link SessionGoneError} for a session that this request has used and that has ended since.
   */
  read(fields: readonly string[], deadline: Deadline, taker: Receiver<Reading | undefined>): void {
    if (this.#state === 'stored') return this.#readHeld(fields, deadline, taker)
    this.#open(fields, deadline, {
      succeed: (reading) => {
        if (reading || this.#state === 'new' || this.#gone?.reason === 'superseded') taker.succeed(reading)
        else this.#readHeld(fields, deadline, taker)
      },
      fail: (error) => taker.fail(error),
    })
  }

  /** The same for whoever waits for a promise. */
  reading(fields: readonly string[], deadline: Deadline): Promise<Reading | undefined> {
    return new Promise((succeed, fail) => this.read(fields, deadline, { succeed, fail }))
  }

  #readHeld(fields: readonly string[], deadline: Deadline, taker: Receiver<Reading | undefined>): void {
    const { sid } = this.#expectHeld().token
    this.#engine.reader.board(sid, fields, deadline, new Look(this, undefined, fields, deadline, taker))
  }

  /** Makes an edit, and tells `done` when it is stored. What that throws, it is told itself. */
  change(edit: Edit, done: Receiver<void>): void {
    if (this.#state === 'stored') return this.#submit(edit, done)
    this.#open([edit.field], edit.deadline, {
      succeed: (reading) => {
        edit.opening = reading
        this.#changeOpened(edit, done)
      },
      fail: (error) => done.fail(error),
    })
  }

  #changeOpened(edit: Edit, done: Receiver<void>): void {
    if (this.#state === 'stored') return this.#submit(edit, done)
    this.#writeNew([edit], edit.deadline)
      .then(() => done.succeed())
      .catch((error) => done.fail(error))
  }

  /** Makes edits of different fields. Rejects with the error of the first that failed, when all have ended. */
  write(edits: readonly Edit[], deadline: Deadline): Promise<void> {
    return this.#state === 'stored' ? this.#submitAll(edits) : this.#writeFirst(edits, deadline)
  }

  async #writeFirst(edits: readonly Edit[], deadline: Deadline): Promise<void> {
    if (this.#state === 'unopened') {
      const fields = edits.map((edit) => edit.field)
      const reading = await this.#opened(fields, deadline)
      for (const edit of edits) edit.opening = reading
    }
    await this.#writeNew(edits, deadline)
  }

  /** The first edits of a session that is still new store it; those that come meanwhile wait for that. */
  async #writeNew(edits: readonly Edit[], deadline: Deadline): Promise<void> {
    while (this.#state === 'new') {
      if (this.#creation !== undefined) await this.#creation.catch(() => {})
      else return this.#createBy(edits, deadline)
    }
    await this.#submitAll(edits)
  }

  /** Stores this session now, with the JSON given for each field. */
  async create(values: ReadonlyMap<string, string>, terms: Terms, deadline: Deadline): Promise<void> {
    this.#begin(await createSession(this.#engine.core, values, this.#newSession(terms, deadline)))
  }

  /**
   * Stores this session now under a token of the caller's own. False where another session has its id. The header goes first and alone:
   * an id that is not new may belong to another session, or to the remains of one, and only the header tells.
   */
  async createUnder(token: Token, values: ReadonlyMap<string, string>, terms: Terms, deadline: Deadline): Promise<boolean> {
    const { core, headers } = this.#engine
    const created = await createSessionUnder(core, token, this.#newSession(terms, deadline))
    if (created === undefined) return false
    this.#begin(created)
    const edits = Array.from(values, ([field, json]) => new Edit(field, writeDeadline(core), true, () => json))
    try {
      await this.#submitAll(edits)
    } catch (error) {
      await headers.end(token.sid, values.keys(), readDeadline(core)).catch(() => {})
      throw error
    }
    return true
  }

  /** Changes the secret. A session that is still new is stored by it. */
  async regenerate(terms: Terms, deadline: Deadline): Promise<void> {
    if (this.#state === 'unopened') await this.#opened([], deadline)
    while (this.#state === 'new') {
      if (this.#creation !== undefined) await this.#creation.catch(() => {})
      else return this.#creating(this.create(new Map(), terms, deadline))
    }
    if (this.#rotation !== undefined) return this.#rotation
    this.#rotation = this.#rotate(terms, deadline).finally(() => {
      this.#rotation = undefined
    })
    return this.#rotation
  }

  /** Changes how long the session lives unused. No input or output where it is that long already. */
  async keepFor(idle: number, deadline: Deadline): Promise<void> {
    if (this.#state === 'unopened') await this.#opened([], deadline)
    const { token, header: before } = this.#expectHeld()
    if (before.idle === idle) return
    assertTerms(before, { lifetime: { idle } })
    const { headers, renewals } = this.#engine
    const change = (header: Header): Header => (header.idle === idle ? header : { ...header, idle })
    const header = await headers.change(token.sid, change, deadline, 'this change of the idle time').catch((error) => {
      throw this.#noteEnd(error)
    })
    this.#hold(token, header, this.#serverTime())
    if (header.idle > before.idle) await renewals.stretch(token.sid, header, deadline).catch(() => {})
  }

  /** Ends the session. Resolves when its header is gone. */
  async destroy(deadline: Deadline): Promise<void> {
    if (this.#state === 'unopened') await this.#opened([], deadline)
    if (this.#creation !== undefined) await this.#creation.catch(() => {})
    if (this.#state === 'new') {
      this.#end(new SessionGoneError('destroyed'))
      return
    }
    const { token, header } = this.#expectHeld()
    this.#host?.beforeChange()
    await this.#engine.headers.end(token.sid, header.manifest.keys(), deadline)
    this.#end(new SessionGoneError('destroyed'))
    this.#engine.core.telemetry.sessionEnded(token.sid)
    this.#host?.changed({ type: 'ended' })
  }

  /** Verifies the token by a first reading, where nobody has yet. `taker` gets undefined where it opens nothing. */
  #open(fields: readonly string[], deadline: Deadline, taker: Receiver<Reading | undefined>): void {
    if (this.#state !== 'unopened') return taker.succeed(undefined)
    if (this.#tokens.length > 1) {
      this.#choose(deadline)
        .then(() => this.#open(fields, deadline, taker))
        .catch((error) => taker.fail(error))
      return
    }
    const [token] = this.#tokens
    if (token === undefined) return taker.succeed(undefined)
    this.#engine.reader.board(token.sid, fields, deadline, new Look(this, token, fields, deadline, taker))
  }

  #opened(fields: readonly string[], deadline: Deadline): Promise<Reading | undefined> {
    return new Promise((succeed, fail) => this.#open(fields, deadline, { succeed, fail }))
  }

  /** Of several tokens the one that opens a session counts, if exactly one does. */
  async #choose(deadline: Deadline): Promise<void> {
    const tokens = this.#tokens
    const readings = await Promise.all(tokens.map((token) => this.#engine.reader.read(token.sid, [], deadline, asItIs)))
    if (this.#state !== 'unopened' || this.#tokens !== tokens) return
    const judged = tokens.map((token, index) => this.#judge(token, readings[index] as Reading))
    const owned = tokens.filter((_token, index) => judged[index] === 'owner')
    if (owned.length === 0 && judged.includes('superseded')) this.#end(new SessionGoneError('superseded'))
    this.#tokens = owned.length === 1 ? owned : []
    if (this.#tokens.length === 0 && this.#state === 'unopened') this.#state = 'new'
  }

  #recognise(token: Token, reading: Reading): void {
    const judged = this.#judge(token, reading)
    if (judged === 'superseded') return this.#end(new SessionGoneError('superseded'))
    if (judged === 'stranger' || reading.header === undefined) {
      this.#state = 'new'
      return
    }
    this.#state = 'stored'
    this.#hold(token, reading.header.value, reading.at, reading.heard)
  }

  #judge(token: Token, reading: Reading): ReturnType<typeof recognise> {
    if (reading.header === undefined) return 'stranger'
    const { runtime, telemetry } = this.#engine.core
    const waited = runtime.monotonic() - this.#arrived
    const judged = recognise(reading.header.value, token.secret, reading.at - waited)
    if (judged === 'stranger') telemetry.forged(token.sid)
    if (judged === 'superseded') telemetry.superseded(token.sid)
    return judged
  }

  /** Looks at a reading: whose is it, has the session ended, has it lost a field, is it to be renewed? */
  look(reading: Reading, { token, fields, deadline, taker }: Look): void {
    if (token !== undefined) {
      // Another call of this request may have come first; whatever it made of the token holds.
      if (this.#state === 'unopened') this.#recognise(token, reading)
      if (this.#held?.token.sid !== token.sid) return taker.succeed(undefined)
    }
    if (this.#engine.reader.isWhole(reading, fields)) return taker.succeed(this.#see(reading))
    this.#settle(reading, fields, deadline)
      .then((settled) => taker.succeed(settled))
      .catch((error) => taker.fail(error))
  }

  async #settle(reading: Reading, fields: readonly string[], deadline: Deadline): Promise<Reading> {
    try {
      return this.#see(await this.#engine.reader.settle(reading, fields, deadline))
    } catch (error) {
      if (!(error instanceof LostField)) throw error
      const ended = await this.#engine.headers.endLost(error, Math.max(deadline, readDeadline(this.#engine.core)))
      throw this.#noteEnd(ended)
    }
  }

  #see(reading: Reading): Reading {
    const { header, at } = reading
    if (header === undefined) throw this.#noteEnd(new SessionGoneError('destroyed'), at)
    if (this.#held && at >= this.#held.at) this.#hold(this.#held.token, header.value, at, reading.heard)
    this.#engine.renewals.consider(reading, this)
    return reading
  }

  /** A renewal has found that a listed field is gone. */
  lost(error: Error): void {
    this.#noteEnd(error)
  }

  #newSession(terms: Terms, deadline: Deadline): NewSession {
    const lifetime = { ...this.#engine.core.settings.lifetime, ...terms.lifetime }
    assertLifetime(lifetime)
    assertGrace(terms.grace, lifetime.idle)
    this.#host?.beforeChange()
    return { lifetime, persist: terms.persist ?? false, deadline }
  }

  #begin({ token, header, at }: Created): void {
    this.#hold(token, header, at)
    this.#state = 'stored'
    this.#engine.renewals.noteLife(token.sid, header, at)
    this.#engine.core.telemetry.created(token.sid)
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
    const { token, header } = this.#expectHeld()
    edit.known = header
    edit.recent = this.#recent?.field === edit.field ? this.#recent : undefined
    edit.receiver = new Change(this, done)
    this.#engine.writer.submit(token.sid, edit)
  }

  /** All have ended before it is told how. */
  async #submitAll(edits: readonly Edit[]): Promise<void> {
    const writes = edits.map((edit) => new Promise<void>((succeed, fail) => this.#submit(edit, { succeed, fail })))
    await Promise.allSettled(writes)
    for (const write of writes) await write
  }

  /** A change of this request is stored. */
  written({ reading, left }: Stored): void {
    this.#recent = left && isLight(left) ? left : undefined
    this.#see(reading)
  }

  /** A change of this request has failed. Gives the error for the caller. */
  failed(error: unknown): unknown {
    return this.#noteEnd(error)
  }

  /**
   * Swaps the secret's hash, only from the one that this request was verified with (T1). A request that comes second issues no cookie;
   * the session goes on for it as it was.
   */
  async #rotate(terms: Terms, deadline: Deadline): Promise<void> {
    const { token, header: before } = this.#expectHeld()
    assertTerms(before, terms)
    this.#host?.beforeChange()
    const { core, headers, renewals } = this.#engine
    const secret = this.#pending ?? newSecret(core.runtime)
    this.#pending = secret
    let isSuperseded = false
    const swap = (header: Header, at: number): Header => {
      isSuperseded = false
      if (sameHash(header.hash, secret.hash)) return header
      isSuperseded = !sameHash(header.hash, token.secret.hash)
      return isSuperseded ? header : rotated(header, secret, terms, at)
    }
    const header = await headers.change(token.sid, swap, deadline, 'this rotation').catch((error) => {
      throw this.#noteEnd(error)
    })
    this.#pending = undefined
    if (isSuperseded) return
    core.telemetry.rotated(token.sid)
    this.#hold({ ...token, secret }, header, Math.max(this.#serverTime(), header.rotated))
    renewals.noteLife(token.sid, header, header.rotated)
    if (header.idle > before.idle) await renewals.stretch(token.sid, header, deadline).catch(() => {})
    this.#announceToken()
  }

  #hold(token: Token, header: Header, at: number, monotonic = this.#engine.core.runtime.monotonic()): void {
    const held = this.#held
    if (held === undefined) {
      this.#held = { token, header, at, monotonic }
      return
    }
    // In place: of a session that is kept open, each new object would live long enough to cost the collector more than it is worth.
    held.token = token
    held.header = header
    held.at = at
    held.monotonic = monotonic
  }

  #expectHeld(): Held {
    if (this.#gone) throw this.#gone
    if (this.#held === undefined) throw new SessionGoneError('destroyed')
    return this.#held
  }

  /** Only a request that created, rotated or ended a session sends a cookie (T4). */
  #announceToken(): void {
    const { token, header } = this.#expectHeld()
    const maxAge = Math.max(0, header.deadline - this.#serverTime())
    this.#host?.changed({ type: 'issued', token: formatToken(token), persist: header.persist, maxAge })
  }

  /** Remembers that the session is gone, if that is what an error says, and for what reason. */
  #noteEnd(error: unknown, at = this.#serverTime()): unknown {
    if (!isFieldwiseError(error, 'SESSION_GONE')) return error
    if (this.#gone) return this.#gone
    const isExpired = error.reason === 'destroyed' && this.#held && at >= expiry(this.#held.header, this.#held.at)
    const gone = isExpired ? new SessionGoneError('expired') : error
    this.#end(gone)
    return gone
  }

  #end(gone: SessionGoneError): void {
    this.#state = 'gone'
    this.#gone = gone
  }

  #serverTime(): number {
    const { runtime } = this.#engine.core
    return this.#held ? this.#held.at + (runtime.monotonic() - this.#held.monotonic) : Number.NaN
  }
}

/** One reading on its way to its taker, by way of the session that it is of. */
class Look implements Receiver<Reading> {
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
class Change implements Receiver<Stored> {
  readonly #visit: Visit
  readonly #done: Receiver<void>

  constructor(visit: Visit, done: Receiver<void>) {
    this.#visit = visit
    this.#done = done
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

interface Held {
  token: Token
  header: Header
  /** The server's time when the header was seen, and the monotonic clock then. */
  at: number
  monotonic: number
}

/** A value that takes little memory for as long as its session is kept open. */
function isLight({ item }: Left): boolean {
  return item.json === undefined || item.json.length <= mostLight
}

const mostLight = 16_384

/** What is left out stays as it is, so what is asked for has to fit the session's own lifetime. @throws {BadConfigError} */
function assertTerms(header: Header, terms: Terms): void {
  const idle = terms.lifetime?.idle ?? header.idle
  assertLifetime({ idle, absolute: terms.lifetime?.absolute ?? header.deadline - header.created })
  assertGrace(terms.grace, idle)
}

function rotated(header: Header, secret: Secret, terms: Terms, at: number): Header {
  return {
    ...header,
    hash: secret.hash,
    rotated: Math.floor(at),
    previous: terms.grace ? { hash: header.hash, until: Math.floor(at + terms.grace) } : undefined,
    persist: terms.persist ?? header.persist,
    idle: terms.lifetime?.idle ?? header.idle,
    deadline: terms.lifetime?.absolute === undefined ? header.deadline : Math.floor(at + terms.lifetime.absolute),
  }
}
