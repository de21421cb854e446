import { isFieldwiseError, SessionGoneError, StoreUnavailableError } from '../api/errors.js'
import type { Flight, StoreAnswer, StoreRequest, Version } from '../api/store.js'
import { decodeHeader, type Header, headerName, isPast } from '../format/header.js'
import { decodeItem, hasOtherBirth, type Item, jsonOf } from '../format/item.js'
import type { Birth } from '../format/write-ids.js'
import { type Core, type Deadline, send } from './context.js'
import { HeaderCache, type KnownHeader, mostAsked } from './header-cache.js'
import type { Receiver } from './receiver.js'

/** What one flight found of a session. */
export interface Reading {
  readonly sid: string
  /** The living header; undefined where there is none or its absolute end has passed: then there is no session. */
  readonly header: FoundHeader | undefined
  /** The header whose absolute end has passed, as long as the store still has it. */
  readonly over: Header | undefined
  /** The fields that were asked for. */
  readonly fields: readonly string[]
  /** The item of each field that was asked for, in their order; undefined where nothing is there. */
  readonly items: readonly (FoundItem | undefined)[]
  /** The server's time. */
  readonly at: number
  /** The monotonic clock then. */
  readonly heard: number
  /**
   * The same clock when it was asked for. How old it is counts from here: a process that was stopped in between hears an answer that was
   * given long ago.
   */
  readonly asked: number
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

/** For a caller who wants the reading itself. */
export function asItIs<R extends Reading | undefined>(reading: R): R {
  return reading
}

/** The same reading for somebody who keeps it: without a hold on what came from the network with it, which is other visitors' too. */
export function copyOf(reading: Reading): Reading {
  const items = reading.items.map((item) => item && { ...item, bytes: copyOfBytes(item.bytes), plain: undefined })
  return { ...reading, items }
}

/** Not `Buffer.from`, which cuts small copies from a piece of memory that it shares among all who ask. */
function copyOfBytes(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}

/** The item of a field that was asked for; undefined where nothing is there. */
export function itemIn(reading: Reading, field: string): FoundItem | undefined {
  return reading.items[reading.fields.indexOf(field)]
}

/**
 * Reads sessions. Reads of one session that begin in the same tick share a flight, in which the header is read last: a value that was
 * seen with a living header was read while the session lived (R1). Nothing but plain `get` is sent, so an unverified token may read.
 */
export class Reader {
  readonly #core: Core
  readonly #headers: HeaderCache
  #boarding = new Map<string, Boarding>()

  constructor(core: Core) {
    this.#core = core
    this.#headers = new HeaderCache(core)
  }

  /**
   * Resolves with what `understand` makes of the reading.
   *
   * @throws {StoreUnavailableError} when no answer came.
   */
  read<T>(sid: string, fields: readonly string[], deadline: Deadline, understand: Understanding<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.board(sid, fields, deadline, { succeed: (reading) => resolve(understand(reading)), fail: reject })
    })
  }

  /** The same for a passenger, who is handed the reading when it lands, or told why there is none. */
  board(sid: string, fields: readonly string[], deadline: Deadline, passenger: Receiver<Reading>): void {
    const boarding = this.#boarding.get(sid)
    if (boarding && Math.abs(boarding.deadline - deadline) <= sameDeadline) {
      if (boarding.join(fields, passenger)) this.#core.telemetry.hit()
      return
    }
    if (this.#boarding.size === 0) void endOfTick.then(this.#depart)
    // A flight with another deadline may be boarding; that one goes as it is.
    if (boarding) this.#send(boarding, this.#core.runtime.running())
    this.#boarding.set(sid, new Boarding(sid, fields, deadline, passenger))
  }

  readonly #depart = (): void => {
    const boarding = this.#boarding
    this.#boarding = new Map()
    const now = this.#core.runtime.running()
    for (const one of boarding.values()) this.#send(one, now)
  }

  #send(boarding: Boarding, now: number): void {
    const known = this.#headers.find(boarding.sid)
    const asked = this.#core.runtime.monotonic()
    this.#fly(boarding, known, now, (flight) => this.#land(boarding, flight, known, asked))
  }

  /** A store that throws, against its contract, must not leave those waiting whose reads leave in the same tick. */
  #fly(boarding: Boarding, known: KnownHeader | undefined, now: number, land: (flight: Flight) => void): void {
    const { sid, fields, deadline } = boarding
    try {
      send(this.#core, sid, this.#requests(sid, fields, known), deadline, now).then(land, boarding.fail)
    } catch (error) {
      boarding.fail(error)
    }
  }

  /** A read whose answer was cut off changes nothing and may go out once more; a header that has changed is read as a whole. */
  #land(boarding: Boarding, flight: Flight, known: KnownHeader | undefined, asked: number): void {
    if (!flight.answers.some(asksAgain)) return this.#arrive(boarding, flight, known, asked)
    const { runtime } = this.#core
    const again = runtime.monotonic()
    this.#fly(boarding, undefined, runtime.running(), (second) => this.#arrive(boarding, second, undefined, again))
  }

  #arrive(boarding: Boarding, flight: Flight, known: KnownHeader | undefined, asked: number): void {
    try {
      boarding.land(this.#understand(boarding.sid, boarding.fields, flight, asked, known))
    } catch (error) {
      boarding.fail(error)
    }
  }

  #requests(sid: string, fields: readonly string[], known: KnownHeader | undefined): StoreRequest[] {
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

  #fieldRequest(sid: string, field: string, known: KnownHeader | undefined): StoreRequest {
    const asked = known?.asked.get(field)
    if (asked !== undefined) return asked
    const request: StoreRequest = { op: 'get', key: this.#core.keys.field(sid, field) }
    if (known !== undefined && known.asked.size < mostAsked) known.asked.set(field, request)
    return request
  }

  /** A header that is known need not travel: what a call costs depends on what it uses, and not on how much the session holds. */
  #headerRequest(sid: string, known: KnownHeader | undefined): StoreRequest {
    return known?.request ?? { op: 'get', key: this.#core.keys.header(sid) }
  }

  /** Sends a write with the header's reading behind it. */
  readAfter(sid: string, write: StoreRequest, deadline: Deadline): Promise<Written> {
    const known = this.#headers.find(sid)
    const asked = this.#core.runtime.monotonic()
    const land = (flight: Flight) => this.#landAfter(sid, flight, known, deadline, asked)
    return send(this.#core, sid, [write, this.#headerRequest(sid, known)], deadline).then(land)
  }

  #landAfter(
    sid: string,
    { answers, at }: Flight,
    known: KnownHeader | undefined,
    deadline: Deadline,
    asked: number,
  ): Written | Promise<Written> {
    const answer = answers[0] as StoreAnswer
    const header = answers[1] as StoreAnswer
    if (header.result === 'changed') {
      return this.#readHeader(sid, this.#headerRequest(sid, undefined), deadline).then((reading) => ({ answer, reading }))
    }
    const isRead = isAnswered(header)
    return { answer, reading: isRead ? this.#understand(sid, [], { answers: [header], at }, asked, known) : undefined }
  }

  /** Gives the header another life and reads it, in one command. Undefined where no answer came. */
  renew(sid: string, life: number, deadline: Deadline): Promise<Reading | undefined> {
    return this.#readHeader(sid, { op: 'renew', key: this.#core.keys.header(sid), life }, deadline)
  }

  async #readHeader(sid: string, request: StoreRequest, deadline: Deadline): Promise<Reading | undefined> {
    const asked = this.#core.runtime.monotonic()
    const flight = await send(this.#core, sid, [request], deadline)
    return flight.answers.every(isAnswered) ? this.#understand(sid, [], flight, asked) : undefined
  }

  /** A header that this process has changed: its next reading begins anew. */
  forget(sid: string): void {
    this.#headers.forget(sid)
  }

  #understand(sid: string, fields: readonly string[], flight: Flight, asked: number, known?: KnownHeader): Reading {
    const { answers, at } = flight
    const items = new Array<FoundItem | undefined>(fields.length)
    for (let index = 0; index < fields.length; index++) {
      const answer = found(answers[index] as StoreAnswer)
      items[index] = answer && { bytes: answer.value, version: answer.version, plain: undefined }
    }
    const stored = this.#headerOf(sid, answers[fields.length] as StoreAnswer, known)
    const isOver = stored !== undefined && isPast(stored.value, at)
    const [header, over] = isOver ? [undefined, stored.value] : [stored, undefined]
    return { sid, header, over, fields, items, at, heard: this.#core.runtime.monotonic(), asked }
  }

  #headerOf(sid: string, answer: StoreAnswer, known: KnownHeader | undefined): FoundHeader | undefined {
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
  settle(reading: Reading, fields: readonly string[], deadline: Deadline): Reading | Promise<Reading> {
    if (this.isWhole(reading, fields)) return reading
    return this.read(reading.sid, fields, deadline, (second) => {
      const lost = second.header && this.#missing(second, fields)
      if (lost !== undefined) throw new EndOfSession(second, new SessionGoneError('lost', lost))
      return second
    })
  }

  /** Whether every one of the fields is what the manifest says. */
  isWhole(reading: Reading, fields: readonly string[]): boolean {
    return reading.header === undefined || this.#missing(reading, fields) === undefined
  }

  /** What the bytes of a header list; nothing where they cannot be read. */
  manifest(sid: string, header: Buffer): string[] {
    try {
      return [...decodeHeader(this.#core.sealer.open(sid, headerName, header)).manifest.keys()]
    } catch (error) {
      if (isFieldwiseError(error, 'SEAL_BROKEN')) return []
      throw error
    }
  }

  /** The item of a field as the session stands; undefined where nothing is there. @throws {SealBrokenError} */
  item(reading: Reading, field: string): Item | undefined {
    const plain = this.#plain(reading, field)
    return plain && decodeItem(field, plain)
  }

  /** The JSON of a field that is set; undefined where it is unset, deleted, past its own deadline or not listed (R3). */
  json(reading: Reading, field: string): string | undefined {
    const isListed = reading.header?.value.manifest.has(field)
    if (!isListed && !this.#core.settings.mayBeAbsent(field)) return undefined
    const plain = this.#plain(reading, field)
    return plain && jsonOf(field, plain, reading.at)
  }

  #plain(reading: Reading, field: string): Buffer | undefined {
    const item = itemIn(reading, field)
    if (item === undefined) return undefined
    item.plain ??= this.#core.sealer.open(reading.sid, field, item.bytes)
    return item.plain
  }

  #missing(reading: Reading, fields: readonly string[]): string | undefined {
    for (const field of fields) if (this.#isMissing(reading, field)) return field
    return undefined
  }

  #isMissing(reading: Reading, field: string): boolean {
    const listed = reading.header?.value.manifest.get(field)
    if (listed === undefined || !this.#isOther(reading, field, listed)) return false
    return !this.#core.settings.mayBeAbsent(field)
  }

  /** Whether there is nothing, or another item than the one listed. */
  #isOther(reading: Reading, field: string, listed: Birth): boolean {
    try {
      const plain = this.#plain(reading, field)
      return plain === undefined || hasOtherBirth(plain, listed)
    } catch (error) {
      // A broken seal is for the reader of that field alone to hear of.
      if (isFieldwiseError(error, 'SEAL_BROKEN')) return false
      throw error
    }
  }
}

/** What a caller makes of a reading; what it throws is for that caller alone. */
export type Understanding<T> = (reading: Reading) => T | Promise<T>

/** What came of a write with the header's reading behind it. */
export interface Written {
  readonly answer: StoreAnswer
  /** Undefined where only its answer was lost. */
  readonly reading: Reading | undefined
}

/** A read that waits for the end of its tick, for others of the same session to join. */
class Boarding {
  readonly sid: string
  readonly deadline: Deadline
  readonly #passengers: Receiver<Reading>[]
  #fields: readonly string[]

  constructor(sid: string, fields: readonly string[], deadline: Deadline, passenger: Receiver<Reading>) {
    this.sid = sid
    this.deadline = deadline
    this.#fields = fields
    this.#passengers = [passenger]
  }

  get fields(): readonly string[] {
    return this.#fields
  }

  /** True where all that the passenger asks for is asked for already. */
  join(fields: readonly string[], passenger: Receiver<Reading>): boolean {
    const others = fields.filter((field) => !this.#fields.includes(field))
    this.#fields = [...this.#fields, ...others]
    this.#passengers.push(passenger)
    return others.length === 0
  }

  land(reading: Reading): void {
    for (const passenger of this.#passengers) landOne(passenger, reading)
  }

  readonly fail = (error: unknown): void => {
    for (const passenger of this.#passengers) passenger.fail(error)
  }
}

function landOne(passenger: Receiver<Reading>, reading: Reading): void {
  try {
    passenger.succeed(reading)
  } catch (error) {
    passenger.fail(error)
  }
}

/**
 * It has turned out that a session has to end: a listed field is gone, or its absolute end has passed. Internal; callers see `SESSION_GONE`
 * once the header is deleted (R4, L5).
 */
export class EndOfSession extends Error {
  readonly reading: Reading
  /** What callers will see. */
  readonly gone: SessionGoneError

  constructor(reading: Reading, gone: SessionGoneError) {
    super('a session has to end')
    this.reading = reading
    this.gone = gone
  }
}

/** The living header. @throws {EndOfSession} where its end has passed, and {SessionGoneError} where there is none. */
export function headerIn(reading: Reading): FoundHeader {
  if (reading.header !== undefined) return reading.header
  throw reading.over ? new EndOfSession(reading, new SessionGoneError('expired')) : new SessionGoneError('destroyed')
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
