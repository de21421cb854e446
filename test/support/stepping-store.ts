import { StoreUnavailableError } from '../../packages/fieldwise/src/lib/api/errors.js'
import type {
  Flight,
  Store,
  StoreAnswer,
  StoreHost,
  StoreRequest,
  StoreTraits,
  Version,
} from '../../packages/fieldwise/src/lib/api/store.js'
import type { Environment } from '../../packages/fieldwise/src/lib/environment/environment.js'

/**
 * One process's connection to a store that others may share. Each flight can be held, carried out request by request, and its answer
 * lost, so that a test decides what happens when. What passes is written down.
 */
export class SteppingStore implements Store {
  readonly name = 'stepping'
  readonly traits: StoreTraits
  /** From now on flights wait in {@link held}. */
  holding = false
  readonly held: HeldFlight[] = []
  /** Every flight that left, in order. */
  readonly flights: (readonly StoreRequest[])[] = []
  /** While there is one: flights are refused at once, or are never answered, so that they end by their deadlines. */
  outage: 'refused' | 'silent' | undefined
  /** While there is one: writes are refused for lack of memory, and answered so; `lost`: what was there goes with it. */
  outOfMemory: 'unsent' | 'lost' | undefined
  /** Values larger than this are refused, keys included. */
  largest: number | undefined
  readonly #inner: Store
  readonly #runtime: Pick<Environment, 'running' | 'sleep'>
  #connection = 0

  constructor(inner: Store, runtime: Pick<Environment, 'running' | 'sleep'>, traits: Partial<StoreTraits> = {}) {
    this.#inner = inner
    this.#runtime = runtime
    this.traits = { ...inner.traits, ...traits }
  }

  /** Every request that left, as words: `get cart`, `renew @`. */
  get log(): string[] {
    return this.flights.flatMap((requests) => requests.map(wordsOf))
  }

  /** Forgets what has passed and returns it as words. */
  takeLog(): string[] {
    const log = this.log
    this.flights.length = 0
    return log
  }

  start(host: StoreHost): void {
    this.#inner.start?.(host)
  }

  place(uuid: string): string {
    return this.#inner.place(uuid)
  }

  servers(): readonly string[] {
    return this.#inner.servers()
  }

  holds(sid: string): boolean {
    return this.#inner.holds(sid)
  }

  largestValue(sid: string, keyLength: number): number {
    return this.largest === undefined ? this.#inner.largestValue(sid, keyLength) : this.largest - keyLength
  }

  async now(sid: string, deadline: number): Promise<number> {
    if (this.outage === 'silent') await this.#runtime.sleep(deadline - this.#runtime.running())
    if (this.outage !== undefined) throw cut()
    return this.#inner.now(sid, deadline)
  }

  async flight(sid: string, requests: readonly StoreRequest[], deadline: number): Promise<Flight> {
    this.flights.push(requests)
    if (this.outage === 'refused') return this.#failed(requests, 'unsent')
    if (this.outage === 'silent') return this.#wait(requests, deadline)
    if (!this.holding) return this.#carryOut(sid, requests)
    return new Promise((resolve) => {
      const execute = (request: StoreRequest) => this.#carryOut(sid, [request])
      const end = (result: 'unsent' | 'unanswered') => {
        if (result === 'unanswered') this.#connection++
        return this.#failed(requests, result)
      }
      this.held.push(new HeldFlight(requests, { execute, end, resolve, leave: (flight) => this.#leave(flight) }))
    })
  }

  check(deadline: number, _least?: 'all' | 'one'): Promise<void> {
    return this.outage === undefined ? this.#inner.check(deadline) : Promise.reject(cut())
  }

  /** The store is shared: it goes on for the others. */
  async close(): Promise<void> {}

  /** Lets what is held go, and what comes. */
  async release(): Promise<void> {
    this.holding = false
    for (const flight of [...this.held]) await flight.deliver()
  }

  async #carryOut(sid: string, requests: readonly StoreRequest[]): Promise<Flight> {
    const answers: StoreAnswer[] = []
    let at: number | undefined
    for (const request of requests) {
      if (this.#isStale(request)) {
        answers.push({ result: 'stale' })
        continue
      }
      if (this.outOfMemory !== undefined && 'value' in request) {
        answers.push(await this.#refuse(sid, request.key, this.outOfMemory))
        continue
      }
      const flight = await this.#inner.flight(sid, [this.#unwrapped(request)], Number.POSITIVE_INFINITY)
      answers.push(this.#wrapped(flight.answers[0] as StoreAnswer))
      at = flight.serverTime
    }
    return { answers, serverTime: at }
  }

  async #refuse(sid: string, key: string, result: 'unsent' | 'lost'): Promise<StoreAnswer> {
    if (result === 'lost') await this.#inner.flight(sid, [{ op: 'delete', key }], Number.POSITIVE_INFINITY)
    return { result, error: new StoreUnavailableError('no memory') }
  }

  /** A version is good on the connection that read it; on a later one nothing is sent. */
  #isStale(request: StoreRequest): boolean {
    return request.op === 'replace' && request.version instanceof HeldVersion && !request.version.isOf(this, this.#connection)
  }

  #unwrapped(request: StoreRequest): StoreRequest {
    if (request.op === 'compare') {
      const { key } = request
      const knownVersion = this.traits.comparesVersions ? this.#innerOf(request.knownVersion) : undefined
      return knownVersion ? { op: 'compare', key, knownVersion } : { op: 'get', key }
    }
    if (request.op !== 'replace' || !(request.version instanceof HeldVersion)) return request
    return { ...request, version: request.version.inner }
  }

  #innerOf(version: Version | undefined): Version | undefined {
    return version instanceof HeldVersion && version.isOf(this, this.#connection) ? version.inner : undefined
  }

  #wrapped(answer: StoreAnswer): StoreAnswer {
    if (answer.result === 'stored' && answer.version) return { ...answer, version: this.#held(answer.version) }
    if (answer.result !== 'found' && answer.result !== 'same') return answer
    const { ttl, ...rest } = answer
    const told = this.traits.reportsTtl && ttl !== undefined ? { ...rest, ttl } : rest
    return told.result === 'found' ? { ...told, version: this.#held(told.version) } : told
  }

  #held(version: Version): HeldVersion {
    return new HeldVersion(version, this, this.#connection)
  }

  async #wait(requests: readonly StoreRequest[], deadline: number): Promise<Flight> {
    await this.#runtime.sleep(deadline - this.#runtime.running())
    return this.#failed(requests, 'unanswered')
  }

  #failed(requests: readonly StoreRequest[], result: 'unsent' | 'unanswered'): Flight {
    return { answers: requests.map(() => ({ result, error: cut() })), serverTime: undefined }
  }

  #leave(flight: HeldFlight): void {
    const index = this.held.indexOf(flight)
    if (index !== -1) this.held.splice(index, 1)
  }
}

/** A flight on its way. What was once decided for it stays. */
export class HeldFlight {
  readonly requests: readonly StoreRequest[]
  readonly #ways: Ways
  readonly #answers: StoreAnswer[] = []
  #at: number | undefined
  #isAnswered = false

  constructor(requests: readonly StoreRequest[], ways: Ways) {
    this.requests = requests
    this.#ways = ways
  }

  toString(): string {
    return this.requests.map(wordsOf).join(', ')
  }

  /** The server carries out the next request; after the last one the answer is back. */
  async step(): Promise<void> {
    await this.#execute()
    if (this.#answers.length === this.requests.length) this.#answer({ answers: this.#answers, serverTime: this.#at })
  }

  /** The server carries out what is left, and the answer is back. */
  async deliver(): Promise<void> {
    await this.#finish()
    this.#answer({ answers: this.#answers, serverTime: this.#at })
  }

  /** The connection breaks before the server has anything. */
  loseRequest(): void {
    this.#answer(this.#ways.end('unanswered'))
  }

  /** The server carries it out, and the connection breaks before the answer is back. */
  async loseAnswer(): Promise<void> {
    await this.#finish()
    this.#answer(this.#ways.end('unanswered'))
  }

  /** The connection breaks, and the server gets the flight later: when what this returns is called. */
  delay(): () => Promise<void> {
    this.#answer(this.#ways.end('unanswered'))
    return () => this.#finish()
  }

  /** It never leaves this process. */
  refuse(): void {
    this.#answer(this.#ways.end('unsent'))
  }

  async #finish(): Promise<void> {
    while (this.#answers.length < this.requests.length) await this.#execute()
  }

  async #execute(): Promise<void> {
    const request = this.requests[this.#answers.length] as StoreRequest
    const { answers, serverTime: at } = await this.#ways.execute(request)
    this.#answers.push(answers[0] as StoreAnswer)
    this.#at = at
  }

  #answer(flight: Flight): void {
    if (this.#isAnswered) return
    this.#isAnswered = true
    this.#ways.leave(this)
    this.#ways.resolve(flight)
  }
}

interface Ways {
  execute(request: StoreRequest): Promise<Flight>
  /** The answers of a flight that came to nothing, and what that means for the connection. */
  end(result: 'unsent' | 'unanswered'): Flight
  resolve(flight: Flight): void
  leave(flight: HeldFlight): void
}

class HeldVersion {
  readonly inner: Version
  readonly #store: SteppingStore
  readonly #connection: number

  constructor(inner: Version, store: SteppingStore, connection: number) {
    this.inner = inner
    this.#store = store
    this.#connection = connection
  }

  isOf(store: SteppingStore, connection: number): boolean {
    return this.#store === store && this.#connection === connection
  }
}

/** `replace` with a version is told from a blind one. */
export function wordsOf(request: StoreRequest): string {
  return `${verbOf(request)} ${request.key.slice(request.key.lastIndexOf(':') + 1)}`
}

/** A header is read whether it is compared by its version or not. */
function verbOf(request: StoreRequest): string {
  if (request.op === 'replace' && request.version === undefined) return 'replace any'
  return request.op === 'compare' ? 'get' : request.op
}

function cut(): StoreUnavailableError {
  return new StoreUnavailableError('The connection was cut')
}
