import { BadArgumentError, BadConfigError, ClosedError, type FieldwiseError, ValueTooLargeError } from '../api/errors.js'
import { assertOptions } from '../api/options.js'
import { fromCaller } from '../api/stack.js'
import type { Flight, Store, StoreAnswer, StoreHost, StoreRequest, StoreTraits, Version } from '../api/store.js'

/** The options of {@link memoryStore}. */
export interface MemoryStoreOptions {
  /** The clock by which items expire, in milliseconds since 1970. Default: the clock of the first `createSessions` that uses this store. */
  readonly clock?: { now(): number } | undefined
  /**
   * How many bytes the store may hold, at least 4 KiB. Default: 64 MiB. Keys and values count, and what Node needs for them: 200 bytes for
   * each item and 400 for each session. When the store is full, the least recently used sessions are evicted, each as a whole.
   */
  readonly limit?: number | undefined
}

/**
 * A store inside this process: for development, for tests, and for a program that runs as one single process.
 *
 * It does not share sessions with other processes (two web servers each see their own), and it keeps nothing when the process ends.
 * Otherwise it behaves as memcached does, with the same expiry and limit of 1 MiB for an item. The one difference: when memory is short,
 * memcached evicts single items, and this store whole sessions.
 *
 * Several `createSessions` may share one memory store. The last of them to close closes it.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for a limit below 4 KiB, or a clock without `now()`.
 *
 * @example
 * const sessions = createSessions({ schema, store: memoryStore({ limit: 16 * 1024 * 1024 }) })
 */
export function memoryStore(options: MemoryStoreOptions = {}): Store {
  return fromCaller(memoryStore, () => {
    assertOptions('memoryStore', options, ['clock', 'limit'])
    return new MemoryStore(checkedLimit(options.limit ?? 64 * mebibyte), checkedClock(options.clock))
  })
}

const mebibyte = 1024 * 1024

/** What memcached holds at most in one item by default, key and framing included. */
const largestItem = mebibyte

/** What V8 needs for one item besides its key and value, and for one session besides its items; measured, rounded up. */
const itemOverhead = 200
const sessionOverhead = 400

/** In how many sessions each flight looks for expired items. More than 1, so that the sweep is faster than the growth. */
const sweptPerFlight = 2

interface MemoryItem {
  /** The bytes as a Latin-1 string: one byte each, and unlike a Buffer nobody can change them. */
  readonly value: string
  readonly version: Version
  expiresAt: number
}

/** All items of one session, which are evicted together or not at all; or an item that sessions share. */
interface Group {
  readonly items: Map<string, MemoryItem>
  size: number
  /** No item expires before this; a lower bound, so that the sweep need not look at each item. */
  quietUntil: number
}

class MemoryStore implements Store {
  readonly name = 'memory'
  readonly traits: StoreTraits = { reportsTtl: true, comparesVersions: true, shared: false, timeout: 500, ttlStep: 1 }

  readonly #limit: number
  #clock: { now(): number } | undefined
  /** By sid, the least recently used first. */
  readonly #groups = new Map<string, Group>()
  #size = 0
  #sweep: Iterator<string> = this.#groups.keys()
  #closed = false

  constructor(limit: number, clock: { now(): number } | undefined) {
    this.#limit = limit
    this.#clock = clock
  }

  start(host: StoreHost): void {
    this.#clock ??= host.clock
  }

  place(uuid: string): string {
    return uuid
  }

  servers(): readonly string[] {
    return ['']
  }

  holds(sid: string): boolean {
    return !sid.includes('~')
  }

  largestValue(_sid: string, keyLength: number): number {
    return Math.min(largestItem, this.#limit - sessionOverhead) - itemOverhead - keyLength
  }

  async now(): Promise<number> {
    if (this.#closed) throw closedError()
    return this.#time()
  }

  /** All requests are carried out before this returns, so that nothing can come in between and no buffer is read later. */
  flight(sid: string, requests: readonly StoreRequest[]): Promise<Flight> {
    if (this.#closed) return Promise.resolve({ answers: requests.map(() => unsent(closedError())), serverTime: undefined })
    const at = this.#time()
    this.#dropExpired(sid, at)
    this.#sweepSome(at)
    const answers = requests.map((request) => this.#answer(sid, request, at))
    this.#markUsed(sid)
    return Promise.resolve({ answers, serverTime: at })
  }

  async check(): Promise<void> {
    if (this.#closed) throw closedError()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#groups.clear()
    this.#size = 0
  }

  #time(): number {
    return (this.#clock ?? Date).now()
  }

  #answer(flown: string, request: StoreRequest, at: number): StoreAnswer {
    const sid = groupOf(flown, request.key)
    const refusal = this.#refusal(sid, request)
    if (refusal !== undefined) return unsent(refusal)
    if (sid !== flown) this.#useOther(sid, at)
    const item = this.#groups.get(sid)?.items.get(request.key)
    switch (request.op) {
      case 'get':
        if (item === undefined) return missing
        return found(item, at)
      case 'compare':
        if (item === undefined) return missing
        return request.knownVersion === item.version ? same(item, at) : found(item, at)
      case 'getAndTouch':
        if (item === undefined) return missing
        this.#prolong(sid, item, expiry(at, request.ttl))
        return found(item, at)
      case 'add':
        return item === undefined ? this.#put(sid, request, at) : conflict
      case 'replace':
        if (item === undefined) return missing
        return request.version === undefined || request.version === item.version ? this.#put(sid, request, at) : conflict
      case 'delete':
        if (item === undefined) return missing
        this.#remove(sid, request.key)
        return done
      case 'touch':
        if (item === undefined) return missing
        this.#prolong(sid, item, expiry(at, request.ttl))
        return done
    }
  }

  /** What the flight has done for its own session. */
  #useOther(sid: string, at: number): void {
    this.#dropExpired(sid, at)
    this.#markUsed(sid)
  }

  /** What memcached would refuse is refused here too, so that it is found in development. */
  #refusal(sid: string, request: StoreRequest): FieldwiseError | undefined {
    const keyLength = Buffer.byteLength(request.key)
    if (keyLength < 1 || keyLength > 250 || unfitForKey.test(request.key)) {
      return new BadArgumentError('A key has 1 to 250 bytes without spaces and control characters')
    }
    if ('ttl' in request && !(request.ttl > 0)) return new BadArgumentError('The time to live of an item is more than 0 ms')
    if (!('value' in request)) return undefined
    const largest = this.#room(sid, request.key, keyLength)
    return request.value.length > largest
      ? new ValueTooLargeError(itemName(request.key), request.value.length, largest)
      : undefined
  }

  /** The largest value for `key`: no session can outgrow the whole store, since the only thing left to evict would be a part of it. */
  #room(sid: string, key: string, keyLength: number): number {
    const largest = this.largestValue(sid, keyLength)
    const group = this.#groups.get(sid)
    if (group === undefined) return largest
    const replaced = group.items.get(key)
    const others = group.size - (replaced === undefined ? 0 : itemSize(key, replaced.value))
    return Math.min(largest, this.#limit - others - itemOverhead - keyLength)
  }

  #put(sid: string, request: { key: string; value: Buffer; ttl: number }, at: number): StoreAnswer {
    this.#remove(sid, request.key)
    const group = this.#groups.get(sid) ?? this.#newGroup(sid)
    const item: MemoryItem = {
      value: request.value.toString('latin1'),
      version: newVersion(),
      expiresAt: expiry(at, request.ttl),
    }
    group.items.set(request.key, item)
    group.quietUntil = Math.min(group.quietUntil, item.expiresAt)
    this.#resize(group, itemSize(request.key, item.value))
    this.#evictOthers(sid)
    return { result: 'stored', version: item.version }
  }

  #newGroup(sid: string): Group {
    const group: Group = { items: new Map(), size: 0, quietUntil: Number.MAX_SAFE_INTEGER }
    this.#groups.set(sid, group)
    this.#resize(group, sessionOverhead)
    return group
  }

  #prolong(sid: string, item: MemoryItem, expiresAt: number): void {
    item.expiresAt = expiresAt
    const group = this.#groups.get(sid) as Group
    group.quietUntil = Math.min(group.quietUntil, expiresAt)
  }

  #remove(sid: string, key: string): void {
    const group = this.#groups.get(sid)
    const item = group?.items.get(key)
    if (group === undefined || item === undefined) return
    group.items.delete(key)
    this.#resize(group, -itemSize(key, item.value))
    if (group.items.size === 0) this.#removeGroup(sid, group)
  }

  #removeGroup(sid: string, group: Group): void {
    this.#groups.delete(sid)
    this.#size -= group.size
  }

  #resize(group: Group, by: number): void {
    group.size += by
    this.#size += by
  }

  #evictOthers(sid: string): void {
    if (this.#size <= this.#limit) return
    for (const [other, group] of this.#groups) {
      if (other === sid) continue
      this.#removeGroup(other, group)
      if (this.#size <= this.#limit) return
    }
  }

  #markUsed(sid: string): void {
    const group = this.#groups.get(sid)
    if (group === undefined) return
    this.#groups.delete(sid)
    this.#groups.set(sid, group)
  }

  /** Expired items that nobody asks for again must go too; without a timer, which would keep the process alive. */
  #sweepSome(at: number): void {
    for (let looked = 0; looked < sweptPerFlight; looked++) {
      const next = this.#sweep.next()
      if (next.done === true) {
        this.#sweep = this.#groups.keys()
        return
      }
      this.#dropExpired(next.value, at)
    }
  }

  #dropExpired(sid: string, at: number): void {
    const group = this.#groups.get(sid)
    if (group === undefined || at < group.quietUntil) return
    let quietUntil = Number.MAX_SAFE_INTEGER
    for (const [key, item] of group.items) {
      if (at < item.expiresAt) quietUntil = Math.min(quietUntil, item.expiresAt)
      else this.#remove(sid, key)
    }
    group.quietUntil = quietUntil
  }
}

/** Whose item it is: that of the session whose id its key holds. What sessions share goes by its own key. */
function groupOf(sid: string, key: string): string {
  return sid !== '' && key.includes(sid) ? sid : (uuidPattern.exec(key)?.[0] ?? key)
}

const uuidPattern = /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/

const done: StoreAnswer = Object.freeze({ result: 'done' })
const missing: StoreAnswer = Object.freeze({ result: 'missing' })
const conflict: StoreAnswer = Object.freeze({ result: 'conflict' })

function found(item: MemoryItem, at: number): StoreAnswer {
  return { result: 'found', value: Buffer.from(item.value, 'latin1'), version: item.version, ttl: item.expiresAt - at }
}

function same(item: MemoryItem, at: number): StoreAnswer {
  return { result: 'same', ttl: item.expiresAt - at }
}

function unsent(error: FieldwiseError): StoreAnswer {
  return { result: 'unsent', error }
}

function closedError(): ClosedError {
  return new ClosedError('The memory store')
}

/** Each write has an object of its own: no two are ever the same. */
function newVersion(): Version {
  return Object.freeze({})
}

function expiry(at: number, ttl: number): number {
  return Math.min(at + ttl, Number.MAX_SAFE_INTEGER)
}

function itemSize(key: string, value: string): number {
  return itemOverhead + Buffer.byteLength(key) + value.length
}

/** As memcached's text and meta protocols have it: no space, no control character. */
const unfitForKey = /[\p{Cc} ]/u

/** The last part of a key is the field's name, or `@` for the header. */
function itemName(key: string): string {
  const name = key.slice(key.lastIndexOf(':') + 1)
  return name === '@' ? 'header' : name
}

function checkedLimit(limit: number): number {
  if (Number.isSafeInteger(limit) && limit >= 4096) return limit
  throw new BadConfigError('memoryStore: `limit` is a whole number of bytes, 4096 at least, such as 64 * 1024 * 1024')
}

function checkedClock(clock: { now(): number } | undefined): { now(): number } | undefined {
  if (clock === undefined || typeof clock?.now === 'function') return clock
  throw new BadConfigError('memoryStore: `clock` is an object with now(), such as Date')
}
