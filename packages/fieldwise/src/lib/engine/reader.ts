import { isFieldwiseError, SessionGoneError, StoreUnavailableError } from '../api/errors.js'
import type { AnswerTo, Flight, GetAndTouchRequest, GetRequest, StoreRequest } from '../api/store.js'
import { type BoundUser, isPast, sameUser } from '../format/header.js'
import { firstMissing, isWhole } from './contents.js'
import { type Context, type Deadline, send } from './context.js'
import type { ItemRequest, KnownSession, KnownSessions } from './known-sessions.js'
import { isListed, listRequest } from './listing.js'
import { ReadBatch, type Waiter } from './read-batch.js'
import { EndOfSession, type FoundHeader, type FoundItem, type Snapshot } from './snapshot.js'

/**
 * Reads sessions in batches: reads of one session that begin in the same tick share a flight. The flight reads the header last, so a value
 * that comes with a living header was read while the session lived (R1). A read changes nothing, so an unverified token may cause one.
 */
export class Reader {
  readonly #context: Context
  readonly #known: KnownSessions
  #batches = new Map<string, ReadBatch>()

  constructor(context: Context, known: KnownSessions) {
    this.#context = context
    this.#known = known
  }

  /** @throws {StoreUnavailableError} when no answer came. */
  read(sid: string, fields: readonly string[], deadline: Deadline): Promise<Snapshot> {
    return new Promise((resolve, reject) => this.submit(sid, { fields, deadline, resolve, reject }))
  }

  /** The same without a promise: `waiter` is handed the snapshot, or told why there is none. */
  submit(sid: string, waiter: Waiter): void {
    const batch = this.#batches.get(sid)
    if (batch && Math.abs(batch.deadline - waiter.deadline) <= sameDeadline) {
      if (batch.join(waiter)) this.#context.telemetry.hit()
      return
    }
    if (this.#batches.size === 0) void endOfTick.then(this.#sendAll)
    // A batch with another deadline may be waiting: it is sent as it is.
    if (batch) this.#send(batch, this.#context.environment.running())
    this.#batches.set(sid, new ReadBatch(sid, waiter))
  }

  /** Sends a write and, behind it in the same flight, a read of the header. */
  readAfter<W extends StoreRequest>(sid: string, write: W, deadline: Deadline): Promise<Written<W>> {
    const known = this.#known.find(sid)
    const askedAt = this.#context.environment.monotonic()
    const header = this.#known.headerRequest(sid, known)
    const list = known?.bound?.request
    const flight = send(this.#context, sid, list ? ([write, header, list] as const) : ([write, header] as const), deadline)
    return flight.then(({ answers, serverTime }) => {
      const answer = answers[0]
      const isChanged = answers[1].result === 'changed' || answers[2]?.result === 'changed'
      if (isChanged) return this.#readHeader(sid, deadline).then((snapshot) => ({ answer, snapshot }))
      if ('error' in answers[1]) return { answer, snapshot: undefined }
      const read = { answers: [answers[1]], serverTime }
      const seen = this.#heed(this.#understand(sid, [], read, askedAt, known), answers[2], known, deadline)
      if (!(seen instanceof Promise)) return { answer, snapshot: seen }
      return seen.catch(unlessUnavailable).then((snapshot) => ({ answer, snapshot }))
    })
  }

  /** Gives the header another time to live and reads it, in one command. Undefined where no answer came. */
  async getAndTouch(sid: string, ttl: number, deadline: Deadline): Promise<Snapshot | undefined> {
    const askedAt = this.#context.environment.monotonic()
    const request: GetAndTouchRequest = { op: 'getAndTouch', key: this.#context.keys.header(sid), ttl }
    const flight = await send(this.#context, sid, [request], deadline)
    return 'error' in flight.answers[0] ? undefined : this.#understand(sid, [], flight, askedAt, undefined)
  }

  /**
   * Holds a snapshot of a verified session against its manifest. If a listed field is missing, or is another item than the one listed, all
   * `fields` are read a second time, now that the header was seen. What is still missing then is lost (R3).
   *
   * @throws {EndOfSession} for a field whose loss ends the session.
   */
  settle(snapshot: Snapshot, fields: readonly string[], deadline: Deadline): Snapshot | Promise<Snapshot> {
    return isWhole(this.#context, snapshot, fields) ? snapshot : this.#lookAgain(snapshot.sid, fields, deadline)
  }

  async #lookAgain(sid: string, fields: readonly string[], deadline: Deadline): Promise<Snapshot> {
    const second = await this.read(sid, fields, deadline)
    const lost = second.header && firstMissing(this.#context, second, fields)
    if (lost !== undefined) throw new EndOfSession(second, new SessionGoneError('lost', lost))
    return second
  }

  readonly #sendAll = (): void => {
    const batches = this.#batches
    this.#batches = new Map()
    const now = this.#context.environment.running()
    for (const batch of batches.values()) this.#send(batch, now)
  }

  #send(batch: ReadBatch, now: number): void {
    const known = this.#known.find(batch.sid)
    const askedAt = this.#context.environment.monotonic()
    this.#fly(batch, known, now, (flight) => this.#land(batch, flight, known, askedAt))
  }

  /** A store that throws breaks its contract. The other batches of the same tick are sent all the same. */
  #fly(batch: ReadBatch, known: KnownSession | undefined, now: number, land: (flight: ReadFlight) => void): void {
    const { sid, fields, deadline } = batch
    try {
      send(this.#context, sid, this.#requests(sid, fields, known), deadline, now).then(land, batch.reject)
    } catch (error) {
      batch.reject(error)
    }
  }

  /** Reads once more, and in full, where an answer was lost or the header is not the known one any more: a read changes nothing. */
  #land(batch: ReadBatch, flight: ReadFlight, known: KnownSession | undefined, askedAt: number): void {
    if (!flight.answers.some(asksAgain)) return this.#resolve(batch, flight, known, askedAt)
    const { environment } = this.#context
    const again = environment.monotonic()
    const full = this.#known.inFull(known)
    this.#fly(batch, full, environment.running(), (second) => this.#resolve(batch, second, full, again))
  }

  #resolve(batch: ReadBatch, flight: ReadFlight, known: KnownSession | undefined, askedAt: number): void {
    const { sid, fields, deadline } = batch
    try {
      const snapshot = this.#understand(sid, fields, flight, askedAt, known)
      const heeded = this.#heed(snapshot, flight.answers[fields.length + 1], known, deadline)
      if (heeded instanceof Promise) heeded.then((seen) => batch.resolve(seen), batch.reject)
      else batch.resolve(heeded)
    } catch (error) {
      batch.reject(error)
    }
  }

  /**
   * A bound session is there as long as the list of its user holds its binding (U1). Where the user was not known, or another, the list
   * follows in a second flight (U5). What it says is final.
   */
  #heed(
    snapshot: Snapshot,
    answer: ReadAnswer | undefined,
    known: KnownSession | undefined,
    deadline: Deadline,
  ): Snapshot | Promise<Snapshot> {
    const user = snapshot.header?.value.user
    if (user === undefined) return snapshot
    return answer && known?.bound && sameUser(known.bound, user)
      ? this.#judge(snapshot, user, answer)
      : this.#readList(snapshot, user, deadline)
  }

  async #readList(snapshot: Snapshot, user: BoundUser, deadline: Deadline): Promise<Snapshot> {
    const request = listRequest(this.#context, user)
    let { answers } = await send(this.#context, snapshot.sid, [request], deadline)
    if (asksAgain(answers[0])) ({ answers } = await send(this.#context, snapshot.sid, [request], deadline))
    return this.#judge(snapshot, user, answers[0])
  }

  #judge(snapshot: Snapshot, user: BoundUser, answer: ReadAnswer): Snapshot {
    if (answer.result === 'same') return snapshot
    const { sid } = snapshot
    const found = foundIn(answer)
    if (found === undefined || !isListed(this.#context, sid, user, found))
      return { ...snapshot, header: undefined, isEnded: true }
    this.#known.learnListed(sid, found.version)
    return snapshot
  }

  #requests(sid: string, fields: readonly string[], known: KnownSession | undefined): ReadRequests {
    const list = known?.bound?.request
    const requests = new Array<GetRequest | ItemRequest>(fields.length + (list ? 2 : 1))
    for (let index = 0; index < fields.length; index++) {
      requests[index] = this.#known.fieldRequest(sid, fields[index] as string, known)
    }
    requests[fields.length] = this.#known.headerRequest(sid, known)
    if (list) requests[fields.length + 1] = list
    return requests
  }

  /** With nothing asked by its version. Undefined where no answer came. */
  async #readHeader(sid: string, deadline: Deadline): Promise<Snapshot | undefined> {
    const known = this.#known.inFull(this.#known.find(sid))
    const askedAt = this.#context.environment.monotonic()
    const flight: ReadFlight = await send(this.#context, sid, this.#requests(sid, [], known), deadline)
    try {
      return await this.#heed(this.#understand(sid, [], flight, askedAt, known), flight.answers[1], known, deadline)
    } catch (error) {
      return unlessUnavailable(error)
    }
  }

  /** @throws {StoreUnavailableError} where one of the requests was not answered. */
  #understand(
    sid: string,
    fields: readonly string[],
    { answers, serverTime }: ReadFlight,
    askedAt: number,
    known: KnownSession | undefined,
  ): Snapshot {
    const items = new Array<FoundItem | undefined>(fields.length)
    for (let index = 0; index < fields.length; index++) {
      const found = foundIn(answers[index])
      items[index] = found && { bytes: found.value, version: found.version, plain: undefined }
    }
    const stored = this.#headerOf(sid, answers[fields.length], known)
    // Whoever was answered knows the time.
    const at = serverTime as number
    const isOver = stored !== undefined && isPast(stored.value, at)
    const [header, over] = isOver ? [undefined, stored.value] : [stored, undefined]
    return { sid, header, over, fields, items, serverTime: at, readAt: this.#context.environment.monotonic(), askedAt }
  }

  #headerOf(sid: string, answer: ReadAnswer | undefined, known: KnownSession | undefined): FoundHeader | undefined {
    const seen = known?.seen
    if (answer?.result === 'same' && seen?.version) return { value: seen.header, version: seen.version, ttl: answer.ttl }
    const found = foundIn(answer)
    if (found === undefined) return undefined
    return { value: this.#known.learn(sid, found.value, found.version), version: found.version, ttl: found.ttl }
  }
}

/** What came of {@link Reader.readAfter}. */
export interface Written<W extends StoreRequest> {
  readonly answer: AnswerTo<W>
  /** Undefined where the write was answered and the read of the header was not. */
  readonly snapshot: Snapshot | undefined
}

/** One for each field, then the header's, and that of the list which it is known to stand in. */
type ReadRequests = readonly (GetRequest | ItemRequest)[]
type ReadFlight = Flight<ReadRequests>
type ReadAnswer = ReadFlight['answers'][number]

/** The error of a call that ended before anything could have been stored: the store's own, where it says what is wrong. */
export function unavailable(error: unknown): Error {
  return isFieldwiseError(error) ? error : new StoreUnavailableError('The store did not answer in time', error)
}

/** Cheaper than `queueMicrotask`, which makes a resource for `async_hooks` each time. */
const endOfTick = Promise.resolve()

/** Calls of one tick begin within this many milliseconds. */
const sameDeadline = 5

/** What was read; undefined where nothing is there. @throws {StoreUnavailableError} where no answer came. */
function foundIn(answer: ReadAnswer | undefined): (ReadAnswer & { result: 'found' }) | undefined {
  if (answer?.result === 'found') return answer
  if (answer?.result === 'missing') return undefined
  if (answer !== undefined && 'error' in answer) throw unavailable(answer.error)
  throw new StoreUnavailableError(`The store answered '${answer?.result}' to a get`)
}

function unlessUnavailable(error: unknown): undefined {
  if (!isFieldwiseError(error, 'STORE_UNAVAILABLE')) throw error
}

function asksAgain({ result }: ReadAnswer): boolean {
  return result === 'unanswered' || result === 'changed'
}
