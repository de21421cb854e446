import {
  BadArgumentError,
  ClosedError,
  StoreUnavailableError,
  ValueTooLargeError,
} from '../../packages/fieldwise/src/lib/api/errors.js'
import type {
  Flight,
  Store,
  StoreAnswer,
  StoreHost,
  StoreRequest,
  StoreTraits,
  Version,
} from '../../packages/fieldwise/src/lib/api/store.js'
import type { Command, Reply } from './memcached.js'
import type { Connection, Endpoint, Network } from './network.js'
import type { Timer } from './scheduler.js'

/** How long a connection may take, and how long a store that could not connect says so at once. */
const connectTimeout = 500
const retryInterval = 1_000

export interface StoreOptions {
  readonly traits?: Partial<StoreTraits>
  /** Leaves the size of values to the core, so that its own check is the only one. */
  readonly sendsAnySize?: boolean
}

/** A version is good on the connection that read it, and on no other. */
class SimulatedVersion {
  readonly connection: Connection
  readonly key: string
  readonly cas: number

  constructor(connection: Connection, key: string, cas: number) {
    this.connection = connection
    this.key = key
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
  readonly #sendsAnySize: boolean
  #closed = false
  #host: Pick<StoreHost, 'running' | 'sleep'> = {
    running: () => this.#monotonic(),
    sleep: (milliseconds) => new Promise((wake) => this.#network.scheduler.after(milliseconds, wake, this.#endpoint)),
  }
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

  constructor(network: Network, endpoint: Endpoint, { traits, sendsAnySize = false }: StoreOptions) {
    this.#network = network
    this.#endpoint = endpoint
    this.#sendsAnySize = sendsAnySize
    this.traits = { reportsTtl: true, comparesVersions: true, shared: true, timeout: 500, ttlStep: 1000, ...traits }
  }

  start(host: StoreHost): void {
    this.#host = host
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
      if (this.#closed || this.#isKnownDown()) {
        timer.cancel()
        return reject(this.#closed ? closed() : unavailable())
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
      if (this.#closed) return this.#settle(pending, { result: 'unsent', error: closed() })
      if (requests.length === 0 || deadline <= this.#running() || this.#isKnownDown()) return this.#settle(pending, unsent)
      if (this.#ready) return this.#send(pending)
      this.#waiting.push(pending)
      this.#connect()
    })
  }

  async check(deadline: number): Promise<void> {
    const [answer] = (await this.flight('', [{ op: 'get', key: 'check' }], deadline)).answers
    if (answer && 'error' in answer) throw answer.error
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#drop({ result: 'unanswered', error: closed() }, { result: 'unsent', error: closed() })
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
    this.#at(this.#running() + connectTimeout, () => this.#giveUpConnecting(connection))
  }

  #learnTime(connection: Connection): void {
    const asked = this.#monotonic()
    this.#expected.push((reply) => {
      if (reply.result !== 'time') return
      // The answer may have lain unread for as long (L7).
      if (this.#monotonic() - asked > 1_000) return this.#learnTime(connection)
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

  #drop(ofSent: StoreAnswer = unanswered, ofWaiting: StoreAnswer = unsent): void {
    this.#connection?.close()
    this.#connection = undefined
    this.#ready = false
    this.#expected = []
    const sent = [...this.#sent]
    const waiting = this.#waiting.splice(0)
    this.#sent.clear()
    for (const pending of sent) this.#settle(pending, ofSent)
    for (const pending of waiting) this.#settle(pending, ofWaiting)
  }

  #isKnownDown(): boolean {
    return !this.#connection && this.#monotonic() - this.#failedAt < retryInterval
  }

  #send(pending: Pending): void {
    const connection = this.#connection as Connection
    const commands: Command[] = []
    this.#sent.add(pending)
    for (const [index, request] of pending.requests.entries()) {
      const command = this.#refusal(request) ?? commandOf(request, connection)
      if ('result' in command) this.#answer(pending, index, command)
      else {
        commands.push(command)
        this.#expected.push((reply) => this.#answer(pending, index, answerOf(request, reply, connection, this.traits)))
      }
    }
    if (commands.length > 0) connection.send(commands)
    this.#endpoint.log(
      () => `sends ${commands.map((command) => `${command.op} ${'key' in command ? command.key.slice(-2) : ''}`).join(', ')}`,
    )
  }

  /** What never leaves: the contract has it refused before sending. */
  #refusal(request: StoreRequest): StoreAnswer | undefined {
    if (!/^[!-~]{1,250}$/.test(request.key)) return refused('a key')
    if ('ttl' in request && !(request.ttl > 0)) return refused('a life')
    if (!('value' in request) || this.#sendsAnySize) return undefined
    const limit = this.largestValue()
    if (request.value.length <= limit) return undefined
    return { result: 'unsent', error: new ValueTooLargeError('value', request.value.length, limit) }
  }

  #answer(pending: Pending, index: number, answer: StoreAnswer): void {
    pending.answers[index] = answer
    pending.left--
    if (pending.left === 0) this.#settle(pending, unanswered)
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
    pending.resolve({ answers: pending.answers.map((answer) => answer ?? rest), serverTime: this.#serverTime() })
  }

  #monotonic(): number {
    return this.#network.scheduler.now
  }

  #running(): number {
    return this.#host.running()
  }

  #serverTime(): number {
    return this.#offset + this.#monotonic()
  }

  #at(deadline: number, run: () => void): Timer {
    let isCancelled = false
    void this.#host.sleep(deadline - this.#running()).then(() => {
      if (!isCancelled) run()
    })
    return {
      cancel: () => {
        isCancelled = true
      },
    }
  }
}

/** As it goes over the wire: bytes are copied, as a socket would. */
function commandOf(request: StoreRequest, connection: Connection): Command | StoreAnswer {
  if (request.op === 'compare') {
    const { key, knownVersion } = request
    return isOwn(knownVersion, key, connection) ? { op: 'get', key, cas: knownVersion.cas } : { op: 'get', key }
  }
  if (!('value' in request)) return request
  const value = Buffer.from(request.value)
  if (request.op === 'add' || request.version === undefined) return { ...request, value }
  const { version } = request
  return isOwn(version, request.key, connection) ? { ...request, value, cas: version.cas } : stale
}

function isOwn(version: Version | undefined, key: string, connection: Connection): version is SimulatedVersion {
  return version instanceof SimulatedVersion && version.connection === connection && version.key === key
}

function answerOf(request: StoreRequest, reply: Reply, connection: Connection, traits: StoreTraits): StoreAnswer {
  switch (reply.result) {
    case 'found': {
      const found = {
        result: 'found' as const,
        value: Buffer.from(reply.value),
        version: new SimulatedVersion(connection, request.key, reply.cas),
      }
      return traits.reportsTtl ? { ...found, ttl: reply.life } : found
    }
    case 'version':
      if (!reply.isSame) return { result: 'changed' }
      return traits.reportsTtl ? { result: 'same', ttl: reply.life } : { result: 'same' }
    case 'stored':
      return { result: 'stored', version: new SimulatedVersion(connection, request.key, reply.cas) }
    case 'full':
      return { result: reply.isOldKept ? 'unsent' : 'lost', error: unavailable() }
    case 'refused':
    case 'time':
      return unanswered
    default:
      return reply
  }
}

function refused(what: string): StoreAnswer {
  return { result: 'unsent', error: new BadArgumentError(`memcached could not carry ${what} like this`) }
}

function closed(): ClosedError {
  return new ClosedError('The simulated store')
}

function unavailable(): StoreUnavailableError {
  return new StoreUnavailableError('The simulated server did not answer in time')
}

const unsent: StoreAnswer = { result: 'unsent', error: unavailable() }
const unanswered: StoreAnswer = { result: 'unanswered', error: unavailable() }
const stale: StoreAnswer = { result: 'stale' }
