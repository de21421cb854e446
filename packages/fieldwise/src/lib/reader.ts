import { type Core, type Deadline, isPast, send } from './core.js'
import { isFieldwiseError, StoreUnavailableError } from './errors.js'
import { decodeHeader, type Header, headerName } from './header.js'
import { decodeItem, type Item } from './item.js'
import type { Flight, StoreAnswer, StoreRequest, Version } from './store.js'

/** What one flight found of a session. */
export interface Reading {
  readonly sid: string
  /** The living header; undefined where there is none or its absolute end has passed: then there is no session. */
  readonly header: FoundHeader | undefined
  /** The items of the fields that were asked for; a missing item has no entry. */
  readonly items: ReadonlyMap<string, FoundItem>
  /** The server's time. */
  readonly at: number
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
}

/**
 * Reads sessions. Reads of one session that begin in the same tick share a flight, in which the header is read last: a value that was
 * seen with a living header was read while the session lived (R1). Nothing but plain `get` is sent, so an unverified token may read.
 */
export class Reader {
  readonly #core: Core
  readonly #boarding = new Map<string, Boarding>()

  constructor(core: Core) {
    this.#core = core
  }

  /** @throws {StoreUnavailableError} when no answer came. */
  read(sid: string, fields: readonly string[], deadline: Deadline): Promise<Reading> {
    const boarding = this.#boarding.get(sid)
    if (boarding === undefined || Math.abs(boarding.deadline - deadline) > sameDeadline) return this.#board(sid, fields, deadline)
    for (const field of fields) boarding.fields.add(field)
    return boarding.reading
  }

  #board(sid: string, fields: readonly string[], deadline: Deadline): Promise<Reading> {
    const all = new Set(fields)
    const reading = Promise.resolve().then(() => {
      if (this.#boarding.get(sid)?.fields === all) this.#boarding.delete(sid)
      return this.#readNow(sid, [...all], deadline)
    })
    this.#boarding.set(sid, { fields: all, deadline, reading })
    return reading
  }

  async #readNow(sid: string, fields: readonly string[], deadline: Deadline): Promise<Reading> {
    const { keys } = this.#core
    const requests: StoreRequest[] = fields.map((field) => ({ op: 'get', key: keys.field(sid, field) }))
    requests.push({ op: 'get', key: keys.header(sid) })
    let flight = await send(this.#core, sid, requests, deadline)
    // A read whose answer was cut off changes nothing and may go out once more.
    if (flight.answers.some(isOpen)) flight = await send(this.#core, sid, requests, deadline)
    return this.#understand(sid, fields, flight)
  }

  /**
   * Sends a write with the header's reading behind it. The reading is undefined where only its answer was lost.
   */
  async readAfter(sid: string, write: StoreRequest, deadline: Deadline): Promise<[Reading | undefined, StoreAnswer]> {
    const requests: StoreRequest[] = [write, { op: 'get', key: this.#core.keys.header(sid) }]
    const flight = await send(this.#core, sid, requests, deadline)
    const [written, header] = flight.answers as [StoreAnswer, StoreAnswer]
    const isRead = header.result === 'found' || header.result === 'missing'
    const reading = isRead ? this.#understand(sid, [], { answers: [header], at: flight.at }) : undefined
    return [reading, written]
  }

  #understand(sid: string, fields: readonly string[], flight: Flight): Reading {
    const header = this.#headerOf(sid, flight.answers[fields.length] as StoreAnswer, flight.at)
    const items = new Map<string, FoundItem>()
    fields.forEach((field, index) => {
      const answer = found(flight.answers[index] as StoreAnswer)
      if (answer) items.set(field, { bytes: answer.value, version: answer.version })
    })
    return { sid, header, items, at: flight.at }
  }

  #headerOf(sid: string, answer: StoreAnswer, at: number): FoundHeader | undefined {
    const stored = found(answer)
    if (stored === undefined) return undefined
    const value = decodeHeader(this.#core.sealer.open(sid, headerName, stored.value))
    if (isPast(value, at)) return undefined
    return { value, version: stored.version, life: stored.life }
  }

  /**
   * Reads the fields of a session whose token was verified, and takes the manifest at its word: a listed field that is missing, or is
   * another item than the one listed, is read a second time, after the header was seen; then it is lost (R3).
   *
   * @throws {LostField} for a field whose loss ends the session.
   */
  async settle(reading: Reading, fields: readonly string[], deadline: Deadline): Promise<Reading> {
    if (reading.header === undefined || this.#missing(reading, fields) === undefined) return reading
    const second = await this.read(reading.sid, fields, deadline)
    if (second.header === undefined) return second
    const lost = this.#missing(second, fields)
    if (lost !== undefined) throw new LostField(lost, second)
    return second
  }

  /** The item of a field as the session stands, opened; undefined where the field was never stored or its item may be absent. */
  item(reading: Reading, field: string): Item | undefined {
    const found = reading.items.get(field)
    return found && decodeItem(field, this.#core.sealer.open(reading.sid, field, found.bytes))
  }

  /** The JSON of a field that is set; undefined where it is unset, deleted, past its own deadline or not listed (R3). */
  json(reading: Reading, field: string): string | undefined {
    const isListed = reading.header?.value.manifest.has(field)
    if (!isListed && !this.#core.settings.mayBeAbsent(field)) return undefined
    return living(this.item(reading, field), reading.at)
  }

  #missing(reading: Reading, fields: readonly string[]): string | undefined {
    return fields.find((field) => this.#isMissing(reading, field))
  }

  #isMissing(reading: Reading, field: string): boolean {
    if (this.#core.settings.mayBeAbsent(field)) return false
    const listed = reading.header?.value.manifest.get(field)
    if (listed === undefined) return false
    if (!reading.items.has(field)) return true
    const birth = this.#birth(reading, field)
    return birth !== undefined && !birth.equals(listed)
  }

  /** The birth of a stored item; undefined where its bytes are broken, which is for the reader of that field alone to hear. */
  #birth(reading: Reading, field: string): Buffer | undefined {
    try {
      return this.item(reading, field)?.birth
    } catch (error) {
      if (isFieldwiseError(error, 'SEAL_BROKEN')) return undefined
      throw error
    }
  }
}

/** A listed field is gone: its session has to end. Internal; callers see `SESSION_GONE` once the header is deleted (R4). */
export class LostField extends Error {
  readonly field: string
  readonly reading: Reading

  constructor(field: string, reading: Reading) {
    super('a listed field is gone')
    this.field = field
    this.reading = reading
  }
}

/** The JSON of an item, unless the field's own deadline has passed. */
export function living(item: Item | undefined, at: number): string | undefined {
  if (item === undefined || (item.deadline !== 0 && at >= item.deadline)) return undefined
  return item.json
}

/** The error of a call that ended before anything could have been stored. */
export function unavailable(error: unknown): Error {
  if (isFieldwiseError(error, 'STORE_UNAVAILABLE') || isFieldwiseError(error, 'CLOSED')) return error
  return new StoreUnavailableError('The store did not answer', error)
}

interface Boarding {
  readonly fields: Set<string>
  readonly deadline: Deadline
  readonly reading: Promise<Reading>
}

/** Calls of one tick begin within this many milliseconds. */
const sameDeadline = 5

function found(answer: StoreAnswer): Extract<StoreAnswer, { result: 'found' }> | undefined {
  if (answer.result === 'found') return answer
  if (answer.result === 'missing') return undefined
  if (answer.result === 'unsent' || answer.result === 'open') throw unavailable(answer.error)
  throw new StoreUnavailableError(`The store answered '${answer.result}' to a get`)
}

function isOpen(answer: StoreAnswer): boolean {
  return answer.result === 'open'
}
