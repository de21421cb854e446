import { StoreUnavailableError } from '../../packages/fieldwise/src/lib/errors.js'
import type {
  Flight,
  Store,
  StoreAnswer,
  StoreHost,
  StoreRequest,
  StoreTraits,
  Version,
} from '../../packages/fieldwise/src/lib/store.js'
import type { Command, Reply } from './memcached.js'
import type { Connection, Endpoint, Network } from './network.js'
import type { Timer } from './scheduler.js'

/** How long a connection may take, and how long a store that could not connect says so at once. */
const connectTimeout = 500
const retryInterval = 1_000

/** A version is good on the connection that read it, and on no other. */
class SimulatedVersion {
  readonly connection: Connection
  readonly cas: number

  constructor(connection: Connection, cas: number) {
    this.connection = connection
    this.cas = cas
  }
}

interface Pending {
  readonly requests: readonly StoreRequest[]
  readonly answers: (StoreAnswer | undefined)[]
  readonly resolve: (flight: Flight) => void
  left: number
  timer: Timer
}

/** The memcached store of one process, as the contract promises it: one ordered connection, nothing ever sent twice. */
export class SimulatedStore implements Store {
  readonly name = 'simulated'
  readonly traits: StoreTraits
  readonly #endpoint: Endpoint
  readonly #network: Network
  #monotonic: () => number = () => this.#network.scheduler.now
  #connection: Connection | undefined
  #ready = false
  #failedAt = Number.NEGATIVE_INFINITY
  /** The server's time less the monotonic clock, as read when the connection was made. */
  #offset = Number.NaN
  #waiting: Pending[] = []
  #timeWaiting: (() => void)[] = []
  /** What each answer that is still to come belongs to. */
  #expected: ((reply: Reply) => void)[] = []
  /** The flights that the present connection has taken. */
  #sent = new Set<Pending>()

  constructor(network: Network, endpoint: Endpoint, traits: Partial<StoreTraits>) {
    this.#network = network
    this.#endpoint = endpoint
    this.traits = { reportsLife: true, shared: true, timeout: 500, lifeStep: 1000, ...traits }
  }

  start(host: StoreHost): void {
    this.#monotonic = () => host.monotonic()
  }

  place(uuid: string): string {
    return uuid
  }

  holds(): boolean {
    return true
  }

  largestValue(): number {
    return this.#network.server.largest
  }

  now(_sid: string, deadline: number): Promise<number> {
    return new Promise((resolve, reject) => {
      const answer = () => {
        timer.cancel()
        resolve(this.#serverTime())
      }
      const timer = this.#at(deadline, () => {
        this.#timeWaiting = this.#timeWaiting.filter((other) => other !== answer)
        reject(unavailable())
      })
      if (this.#ready) return answer()
      if (this.#isKnownDown()) {
        timer.cancel()
        return reject(unavailable())
      }
      this.#timeWaiting.push(answer)
      this.#connect()
    })
  }

  flight(_sid: string, requests: readonly StoreRequest[], deadline: number): Promise<Flight> {
    return new Promise((resolve) => {
      const answers = new Array<StoreAnswer | undefined>(requests.length).fill(undefined)
      const timer = this.#at(deadline, () => this.#expire(pending))
      const pending: Pending = { requests, answers, resolve, left: requests.length, timer }
      if (requests.length === 0 || deadline <= this.#monotonic() || this.#isKnownDown()) return this.#settle(pending, unsent)
      if (this.#ready) return this.#send(pending)
      this.#waiting.push(pending)
      this.#connect()
    })
  }

  async check(deadline: number): Promise<void> {
    await this.now('', deadline)
  }

  async close(): Promise<void> {
    this.#drop()
  }

  #connect(): void {
    if (this.#connection) return
    const connection = this.#network.connect(this.#endpoint, {
      connected: () => this.#learnTime(connection),
      received: (replies) => {
        for (const reply of replies) this.#expected.shift()?.(reply)
      },
      ended: () => this.#fail(),
    })
    this.#connection = connection
    this.#network.scheduler.after(connectTimeout, () => this.#giveUpConnecting(connection), this.#endpoint)
  }

  #learnTime(connection: Connection): void {
    const asked = this.#monotonic()
    this.#expected.push((reply) => {
      if (reply.result !== 'time') return
      const heard = this.#network.random.between(asked, this.#monotonic())
      this.#offset = reply.seconds * 1000 - heard
      this.#ready = true
      this.#flush()
    })
    connection.send([{ op: 'time' }])
  }

  #flush(): void {
    for (const answer of this.#timeWaiting.splice(0)) answer()
    for (const pending of this.#waiting.splice(0)) this.#send(pending)
  }

  #giveUpConnecting(connection: Connection): void {
    if (this.#connection === connection && !this.#ready) this.#fail()
  }

  /** The connection could not be made or is gone: nothing waits for another. */
  #fail(): void {
    if (!this.#ready) this.#failedAt = this.#monotonic()
    this.#drop()
  }

  #drop(): void {
    this.#connection?.close()
    this.#connection = undefined
    this.#ready = false
    this.#expected = []
    const sent = [...this.#sent]
    const waiting = this.#waiting.splice(0)
    this.#sent.clear()
    for (const pending of sent) this.#settle(pending, open)
    for (const pending of waiting) this.#settle(pending, unsent)
  }

  #isKnownDown(): boolean {
    return !this.#connection && this.#monotonic() - this.#failedAt < retryInterval
  }

  #send(pending: Pending): void {
    const connection = this.#connection as Connection
    const commands: Command[] = []
    this.#sent.add(pending)
    for (const [index, request] of pending.requests.entries()) {
      const command = commandOf(request, connection)
      if (command === 'foreign') this.#answer(pending, index, conflict)
      else {
        commands.push(command)
        this.#expected.push((reply) => this.#answer(pending, index, answerOf(reply, connection, this.traits)))
      }
    }
    if (commands.length > 0) connection.send(commands)
    this.#endpoint.log(
      () => `sends ${commands.map((command) => `${command.op} ${'key' in command ? command.key.slice(-2) : ''}`).join(', ')}`,
    )
  }

  #answer(pending: Pending, index: number, answer: StoreAnswer): void {
    pending.answers[index] = answer
    pending.left--
    if (pending.left === 0) this.#settle(pending, open)
  }

  /** A connection on which an answer is overdue cannot be trusted any more. */
  #expire(pending: Pending): void {
    if (this.#sent.has(pending)) return this.#drop()
    this.#waiting = this.#waiting.filter((other) => other !== pending)
    this.#settle(pending, unsent)
  }

  #settle(pending: Pending, rest: StoreAnswer): void {
    pending.timer.cancel()
    this.#sent.delete(pending)
    this.#endpoint.log(() => `hears ${pending.answers.map((answer) => (answer ?? rest).result).join(', ')}`)
    pending.resolve({ answers: pending.answers.map((answer) => answer ?? rest), at: this.#serverTime() })
  }

  #serverTime(): number {
    return this.#offset + this.#monotonic()
  }

  #at(deadline: number, run: () => void): Timer {
    return this.#network.scheduler.after(deadline - this.#monotonic(), run, this.#endpoint)
  }
}

function commandOf(request: StoreRequest, connection: Connection): Command | 'foreign' {
  if (request.op !== 'replace' || request.version === undefined) return request
  const version: Version = request.version
  if (!(version instanceof SimulatedVersion)) throw new TypeError('This version was not given by this store')
  return version.connection === connection ? { ...request, cas: version.cas } : 'foreign'
}

function answerOf(reply: Reply, connection: Connection, traits: StoreTraits): StoreAnswer {
  switch (reply.result) {
    case 'found': {
      const version = new SimulatedVersion(connection, reply.cas)
      return traits.reportsLife
        ? { result: 'found', value: reply.value, version, life: reply.life }
        : { result: 'found', value: reply.value, version }
    }
    case 'refused':
    case 'time':
      return open
    default:
      return reply
  }
}

function unavailable(): StoreUnavailableError {
  return new StoreUnavailableError('The simulated server did not answer in time')
}

const unsent: StoreAnswer = { result: 'unsent', error: unavailable() }
const open: StoreAnswer = { result: 'open', error: unavailable() }
const conflict: StoreAnswer = { result: 'conflict' }
