import { isFieldwiseError, SessionGoneError, StoreUnavailableError } from '../api/errors.js'
import type { Flight, StoreAnswer, StoreRequest, Version } from '../api/store.js'
import { decodeHeader, type Header, headerName, isPast } from '../format/header.js'
import { decodeItem, hasOtherBirth, type Item, jsonOf } from '../format/item.js'
import type { Birth } from '../format/write-ids.js'
import { type Context, type Deadline, send } from './context.js'
import { mostAsked, type SeenHeader, SeenHeaders } from './header-cache.js'

/** When something was seen of a session, on two clocks. */
export interface SeenAt {
  /** The server's time. */
  readonly serverTime: number
  /** The monotonic clock then. */
  readonly readAt: number
  /**
   * The same clock when it was asked for. How old it is counts from here: a process that was stopped in between hears an answer that was
   * given long ago.
   */
  readonly askedAt: number
}

/** What one flight found of a session. */
export interface Snapshot extends SeenAt {
  readonly sid: string
  /** The living header; undefined where there is none or its absolute end has passed: then there is no session. */
  readonly header: FoundHeader | undefined
  /** The header whose absolute end has passed, as long as the store still has it. */
  readonly over: Header | undefined
  /** The fields that were asked for. */
  readonly fields: readonly string[]
  /** The item of each field that was asked for, in their order; undefined where nothing is there. */
  readonly items: readonly (FoundItem | undefined)[]
}

export interface FoundHeader {
  readonly value: Header
  readonly version: Version
  /** Remaining life in milliseconds, where the store reports it. */
  readonly life: number | undefined
}

export interface FoundItem {
  /** As stored, still sealed. */
  readonly bytes: Buffer
  readonly version: Version
  /** The bytes unsealed, once they were asked for: its birth and its value are read apart, and opening is most of the cost of either. */
  plain: Buffer | undefined
}

/** Who waits for fields of a session, and is told once: a snapshot, or why there is none. */
export interface Waiter {
  readonly fields: readonly string[]
  readonly deadline: Deadline
  /** What it throws, it is rejected with. */
  resolve(snapshot: Snapshot): void
  reject(error: unknown): void
}

/** The same snapshot for somebody who keeps it: without holding on to what came from the network with it, which is other visitors' too. */
export function copyOf(snapshot: Snapshot): Snapshot {
  const items = snapshot.items.map((item) => item && { ...item, bytes: copyOfBytes(item.bytes), plain: undefined })
  return { ...snapshot, items }
}

/** Not `Buffer.from`, which cuts small copies from a piece of memory that it shares among all who ask. */
function copyOfBytes(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}

/** The item of a field that was asked for; undefined where nothing is there. */
export function itemIn(snapshot: Snapshot, field: string): FoundItem | undefined {
  return snapshot.items[snapshot.fields.indexOf(field)]
}

/**
 * Reads sessions. Reads of one session that begin in the same tick share a flight, in which the header is read last: a value that was
 * seen with a living header was read while the session lived (R1). Nothing but plain `get` is sent, so an unverified token may read.
 */
export class Reader {
  readonly #context: Context
  readonly #headers: SeenHeaders
  #batches = new Map<string, ReadBatch>()

  constructor(context: Context) {
    this.#context = context
    this.#headers = new SeenHeaders(context)
  }

  /** @throws {StoreUnavailableError} when no answer came. */
  read(sid: string, fields: readonly string[], deadline: Deadline): Promise<Snapshot> {
    return new Promise((resolve, reject) => this.submit(sid, { fields, deadline, resolve, reject }))
  }

  /** The same for a waiter, who is handed the snapshot when it has come, or told why there is none. */
  submit(sid: string, waiter: Waiter): void {
    const batch = this.#batches.get(sid)
    if (batch && Math.abs(batch.deadline - waiter.deadline) <= sameDeadline) {
      if (batch.join(waiter)) this.#context.telemetry.hit()
      return
    }
    if (this.#batches.size === 0) void endOfTick.then(this.#sendAll)
    // A flight with another deadline may be waiting; that one goes as it is.
    if (batch) this.#send(batch, this.#context.environment.running())
    this.#batches.set(sid, new ReadBatch(sid, waiter))
  }

  readonly #sendAll = (): void => {
    const batch = this.#batches
    this.#batches = new Map()
    const now = this.#context.environment.running()
    for (const one of batch.values()) this.#send(one, now)
  }

  #send(batch: ReadBatch, now: number): void {
    const known = this.#headers.find(batch.sid)
    const asked = this.#context.environment.monotonic()
    this.#fly(batch, known, now, (flight) => this.#land(batch, flight, known, asked))
  }

  /** A store that throws, against its contract, must not leave those waiting whose reads leave in the same tick. */
  #fly(batch: ReadBatch, known: SeenHeader | undefined, now: number, receive: (flight: Flight) => void): void {
    const { sid, fields, deadline } = batch
    try {
      send(this.#context, sid, this.#requests(sid, fields, known), deadline, now).then(receive, batch.reject)
    } catch (error) {
      batch.reject(error)
    }
  }

  /** A read whose answer was cut off changes nothing and may go out once more; a header that has changed is read as a whole. */
  #land(batch: ReadBatch, flight: Flight, known: SeenHeader | undefined, asked: number): void {
    if (!flight.answers.some(asksAgain)) return this.#resolve(batch, flight, known, asked)
    const { environment } = this.#context
    const again = environment.monotonic()
    this.#fly(batch, undefined, environment.running(), (second) => this.#resolve(batch, second, undefined, again))
  }

  #resolve(batch: ReadBatch, flight: Flight, known: SeenHeader | undefined, asked: number): void {
    try {
      batch.resolve(this.#understand(batch.sid, batch.fields, flight, asked, known))
    } catch (error) {
      batch.reject(error)
    }
  }

  #requests(sid: string, fields: readonly string[], known: SeenHeader | undefined): StoreRequest[] {
    const requests = new Array<StoreRequest>(fields.length + 1)
    for (let index = 0; index < fields.length; index++) {
      requests[index] = this.#fieldRequest(sid, fields[index] as string, known)
    }
    requests[fields.length] = this.#headerRequest(sid, known)
    return requests
  }

  /** The key of a field: for a session that is known the same string each time, which V8 has joined and hashed already. */
  fieldKey(sid: string, field: string): string {
    return this.#fieldRequest(sid, field, this.#headers.find(sid)).key
  }

  #fieldRequest(sid: string, field: string, known: SeenHeader | undefined): StoreRequest {
    const asked = known?.asked.get(field)
    if (asked !== undefined) return asked
    const request: StoreRequest = { op: 'get', key: this.#context.keys.field(sid, field) }
    if (known !== undefined && known.asked.size < mostAsked) known.asked.set(field, request)
    return request
  }

  /** A header that is known need not travel: what a call costs depends on what it uses, and not on how much the session holds. */
  #headerRequest(sid: string, known: SeenHeader | undefined): StoreRequest {
    return known?.request ?? { op: 'get', key: this.#context.keys.header(sid) }
  }

  /** Sends a write with the header's reading behind it. */
  readAfter(sid: string, write: StoreRequest, deadline: Deadline): Promise<Written> {
    const known = this.#headers.find(sid)
    const asked = this.#context.environment.monotonic()
    const land = (flight: Flight) => this.#landAfter(sid, flight, known, deadline, asked)
    return send(this.#context, sid, [write, this.#headerRequest(sid, known)], deadline).then(land)
  }

  #landAfter(
    sid: string,
    { answers, at }: Flight,
    known: SeenHeader | undefined,
    deadline: Deadline,
    asked: number,
  ): Written | Promise<Written> {
    const answer = answers[0] as StoreAnswer
    const header = answers[1] as StoreAnswer
    if (header.result === 'changed') {
      return this.#readHeader(sid, this.#headerRequest(sid, undefined), deadline).then((snapshot) => ({
        answer,
        reading: snapshot,
      }))
    }
    const isRead = isAnswered(header)
    return { answer, reading: isRead ? this.#understand(sid, [], { answers: [header], at }, asked, known) : undefined }
  }

  /** Gives the header another life and reads it, in one command. Undefined where no answer came. */
  renew(sid: string, life: number, deadline: Deadline): Promise<Snapshot | undefined> {
    return this.#readHeader(sid, { op: 'renew', key: this.#context.keys.header(sid), life }, deadline)
  }

  async #readHeader(sid: string, request: StoreRequest, deadline: Deadline): Promise<Snapshot | undefined> {
    const asked = this.#context.environment.monotonic()
    const flight = await send(this.#context, sid, [request], deadline)
    return flight.answers.every(isAnswered) ? this.#understand(sid, [], flight, asked) : undefined
  }

  /** A header that this process has changed: its next read begins anew. */
  forget(sid: string): void {
    this.#headers.forget(sid)
  }

  #understand(sid: string, fields: readonly string[], flight: Flight, asked: number, known?: SeenHeader): Snapshot {
    const { answers, at } = flight
    const items = new Array<FoundItem | undefined>(fields.length)
    for (let index = 0; index < fields.length; index++) {
      const answer = found(answers[index] as StoreAnswer)
      items[index] = answer && { bytes: answer.value, version: answer.version, plain: undefined }
    }
    const stored = this.#headerOf(sid, answers[fields.length] as StoreAnswer, known)
    const isOver = stored !== undefined && isPast(stored.value, at)
    const [header, over] = isOver ? [undefined, stored.value] : [stored, undefined]
    return { sid, header, over, fields, items, serverTime: at, readAt: this.#context.environment.monotonic(), askedAt: asked }
  }

  #headerOf(sid: string, answer: StoreAnswer, known: SeenHeader | undefined): FoundHeader | undefined {
    if (answer.result === 'same' && known?.version) return { value: known.header, version: known.version, life: answer.life }
    const stored = found(answer)
    if (stored === undefined) return undefined
    return { value: this.#headers.learn(sid, stored.value, stored.version), version: stored.version, life: stored.life }
  }

  /**
   * A reading of fields of a session whose token was verified, with the manifest taken at its word: a listed field that is missing, or is
   * another item than the one listed, is read a second time, after the header was seen; then it is lost (R3).
   *
   * @throws {EndOfSession} for a field whose loss ends the session.
   */
  settle(snapshot: Snapshot, fields: readonly string[], deadline: Deadline): Snapshot | Promise<Snapshot> {
    return this.isWhole(snapshot, fields) ? snapshot : this.#lookAgain(snapshot.sid, fields, deadline)
  }

  async #lookAgain(sid: string, fields: readonly string[], deadline: Deadline): Promise<Snapshot> {
    const second = await this.read(sid, fields, deadline)
    const lost = second.header && this.#missing(second, fields)
    if (lost !== undefined) throw new EndOfSession(second, new SessionGoneError('lost', lost))
    return second
  }

  /** Whether every one of the fields is what the manifest says. */
  isWhole(snapshot: Snapshot, fields: readonly string[]): boolean {
    return snapshot.header === undefined || this.#missing(snapshot, fields) === undefined
  }

  /** What the bytes of a header list; nothing where they cannot be read. */
  manifest(sid: string, header: Buffer): string[] {
    try {
      return [...decodeHeader(this.#context.sealer.unseal(sid, headerName, header)).manifest.keys()]
    } catch (error) {
      if (isFieldwiseError(error, 'SEAL_BROKEN')) return []
      throw error
    }
  }

  /** The item of a field as the session stands; undefined where nothing is there. @throws {SealBrokenError} */
  item(snapshot: Snapshot, field: string): Item | undefined {
    const plain = this.#plain(snapshot, field)
    return plain && decodeItem(field, plain)
  }

  /** The JSON of a field that is set; undefined where it is unset, deleted, past its own deadline or not listed (R3). */
  json(snapshot: Snapshot, field: string): string | undefined {
    const isListed = snapshot.header?.value.manifest.has(field)
    if (!isListed && !this.#context.settings.mayBeAbsent(field)) return undefined
    const plain = this.#plain(snapshot, field)
    return plain && jsonOf(field, plain, snapshot.serverTime)
  }

  #plain(snapshot: Snapshot, field: string): Buffer | undefined {
    const item = itemIn(snapshot, field)
    if (item === undefined) return undefined
    item.plain ??= this.#context.sealer.unseal(snapshot.sid, field, item.bytes)
    return item.plain
  }

  #missing(snapshot: Snapshot, fields: readonly string[]): string | undefined {
    for (const field of fields) if (this.#isMissing(snapshot, field)) return field
    return undefined
  }

  #isMissing(snapshot: Snapshot, field: string): boolean {
    const listed = snapshot.header?.value.manifest.get(field)
    if (listed === undefined || !this.#isOther(snapshot, field, listed)) return false
    return !this.#context.settings.mayBeAbsent(field)
  }

  /** Whether there is nothing, or another item than the one listed. */
  #isOther(snapshot: Snapshot, field: string, listed: Birth): boolean {
    try {
      const plain = this.#plain(snapshot, field)
      return plain === undefined || hasOtherBirth(plain, listed)
    } catch (error) {
      // A broken seal is for the reader of that field alone to hear of.
      if (isFieldwiseError(error, 'SEAL_BROKEN')) return false
      throw error
    }
  }
}

/** What came of a write with the header's reading behind it. */
export interface Written {
  readonly answer: StoreAnswer
  /** Undefined where only its answer was lost. */
  readonly reading: Snapshot | undefined
}

/** A read that waits for the end of its tick, for others of the same session to join. */
class ReadBatch {
  readonly sid: string
  readonly deadline: Deadline
  readonly #waiters: Waiter[]
  #fields: readonly string[]

  constructor(sid: string, waiter: Waiter) {
    this.sid = sid
    this.deadline = waiter.deadline
    this.#fields = waiter.fields
    this.#waiters = [waiter]
  }

  get fields(): readonly string[] {
    return this.#fields
  }

  /** True where all that the waiter asks for is asked for already. */
  join(waiter: Waiter): boolean {
    const others = waiter.fields.filter((field) => !this.#fields.includes(field))
    this.#fields = [...this.#fields, ...others]
    this.#waiters.push(waiter)
    return others.length === 0
  }

  resolve(snapshot: Snapshot): void {
    for (const waiter of this.#waiters) resolveOne(waiter, snapshot)
  }

  readonly reject = (error: unknown): void => {
    for (const waiter of this.#waiters) waiter.reject(error)
  }
}

function resolveOne(waiter: Waiter, snapshot: Snapshot): void {
  try {
    waiter.resolve(snapshot)
  } catch (error) {
    waiter.reject(error)
  }
}

/**
 * It has turned out that a session has to end: a listed field is gone, or its absolute end has passed. Internal; callers see `SESSION_GONE`
 * once the header is deleted (R4, L5).
 */
export class EndOfSession extends Error {
  readonly reading: Snapshot
  /** What callers will see. */
  readonly gone: SessionGoneError

  constructor(snapshot: Snapshot, gone: SessionGoneError) {
    super('a session has to end')
    this.reading = snapshot
    this.gone = gone
  }
}

/** The living header. @throws {EndOfSession} where its end has passed, and {SessionGoneError} where there is none. */
export function headerIn(snapshot: Snapshot): FoundHeader {
  if (snapshot.header !== undefined) return snapshot.header
  throw snapshot.over ? new EndOfSession(snapshot, new SessionGoneError('expired')) : new SessionGoneError('destroyed')
}

/** The error of a call that ended before anything could have been stored: the store's own, where it says what is wrong. */
export function unavailable(error: unknown): Error {
  return isFieldwiseError(error) ? error : new StoreUnavailableError('The store did not answer in time', error)
}

/** Unlike `queueMicrotask` it makes no resource for `async_hooks` each time. */
const endOfTick = Promise.resolve()

/** Calls of one tick begin within this many milliseconds. */
const sameDeadline = 5

function found(answer: StoreAnswer): Extract<StoreAnswer, { result: 'found' }> | undefined {
  if (answer.result === 'found') return answer
  if (answer.result === 'missing') return undefined
  if (answer.result === 'unsent' || answer.result === 'open') throw unavailable(answer.error)
  throw new StoreUnavailableError(`The store answered '${answer.result}' to a get`)
}

function isAnswered(answer: StoreAnswer): boolean {
  return answer.result === 'found' || answer.result === 'same' || answer.result === 'missing'
}

/** A read whose answer was cut off changes nothing and may go out once more; a header that has changed is read as a whole. */
function asksAgain({ result }: StoreAnswer): boolean {
  return result === 'open' || result === 'changed'
}
