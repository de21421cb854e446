import { ClosedError, type FieldwiseError } from 'fieldwise'
import type { Flight, StoreRequest } from 'fieldwise/store-contract'
import type { Clocks } from '../connection/clocks.js'
import { Connection, type MakeError } from '../connection/connection.js'
import type { Dial } from '../connection/dial.js'
import { defaultItemSizeMax, largestValueIn } from '../connection/item-size.js'
import type { Command, Done, Fate, Protocol, ProtocolHost } from '../connection/protocol.js'
import { unsent } from '../connection/refusal.js'
import type { ServerConfig } from './servers.js'

/** What a server needs from the program around it. */
export interface ServerEnvironment {
  readonly clocks: Clocks
  /** A number in [0, 1) for jitter. */
  random(): number
  readonly dial: Dial
  protocol(host: ProtocolHost): Protocol
  /** The protocol for a server that shows that it does not speak the first one. */
  readonly otherwise?: ((host: ProtocolHost) => Protocol) | undefined
}

/**
 * One memcached, and the one connection to it. It connects when it is first needed, and again after a connection was lost. When connecting
 * has failed, the server is known to be down: calls fail at once, except for one now and then that tries it again.
 */
export class Server {
  readonly config: ServerConfig
  readonly #environment: ServerEnvironment
  #connection: Connection | undefined
  /** Connections whose protocol the server did not speak. Each was replaced by one in the other protocol. */
  readonly #passedOver = new WeakSet<Connection>()
  /** Whether the connection speaks the other protocol. The next one tries the first protocol again: the server may have been replaced. */
  #speaksOther = false
  /** Why the server is known to be down. */
  #down: MakeError | undefined
  #failures = 0
  #retryAt = 0
  #clockOffset: number | undefined
  #itemSizeMax = defaultItemSizeMax
  #isClosed = false

  constructor(config: ServerConfig, environment: ServerEnvironment) {
    this.config = config
    this.#environment = environment
  }

  /** Whether new sessions may be placed here: nothing is known against it. */
  get up(): boolean {
    return this.#down === undefined
  }

  /** Whether a server that is down may be tried again. */
  get dueForTrial(): boolean {
    return this.#down !== undefined && this.#connection === undefined && this.#environment.clocks.monotonic() >= this.#retryAt
  }

  flight(requests: readonly StoreRequest[], deadline: number): Promise<Flight> {
    const connection = this.#reach()
    if (!(connection instanceof Connection)) return Promise.resolve(refused(requests, connection))
    const flight = new Promise<Flight>((resolve) => connection.send(connection.protocol.flight(requests, deadline, resolve)))
    if (connection.ready) return flight
    // Nothing of it has left if the server did not speak the protocol: it is sent over the connection that came after.
    return flight.then((failed) => (this.#passedOver.has(connection) ? this.flight(requests, deadline) : failed))
  }

  /** The server's time, after connecting where that is needed. */
  now(deadline: number): Promise<number> {
    return this.#send(
      () => this.#reach(),
      (_protocol, done) => new Await(deadline, done),
    )
  }

  /** Resolves when the server answers; tries it even if it is known to be down. */
  async check(deadline: number): Promise<void> {
    const reach = () => (this.#isClosed ? closed() : (this.#connection ?? this.#open()))
    await this.#send(reach, (protocol, done) => protocol.ping(deadline, done))
  }

  /** Tries the server again in the background. */
  tryAgain(): void {
    if (!this.#isClosed && this.dueForTrial) this.#open()
  }

  largestValue(keyLength: number): number {
    return largestValueIn(this.#itemSizeMax, keyLength)
  }

  close(): void {
    this.#isClosed = true
    this.#connection?.end(closed)
  }

  async #send(reach: () => Connection | FieldwiseError, command: (protocol: Protocol, done: Done) => Command): Promise<number> {
    const connection = reach()
    if (!(connection instanceof Connection)) throw connection
    try {
      return await new Promise((resolve, reject) => connection.send(command(connection.protocol, { resolve, reject })))
    } catch (error) {
      if (!this.#passedOver.has(connection)) throw error
      return this.#send(reach, command)
    }
  }

  /** The connection to use, or why there is none. When a server that is down is due to be tried again, one call connects; the others fail. */
  #reach(): Connection | FieldwiseError {
    if (this.#connection !== undefined && (this.#down === undefined || this.#connection.ready)) return this.#connection
    if (this.#isClosed) return closed()
    if (this.#down !== undefined && !this.dueForTrial) return this.#down()
    return this.#open()
  }

  #open(): Connection {
    const { config, clockOffset } = { config: this.config, clockOffset: this.#clockOffset }
    this.#connection = new Connection({
      dial: (connected) => this.#environment.dial(config.address, connected),
      protocol: (host) => this.#protocolFor(host),
      peer: config.name,
      connectTimeout: config.connectTimeout,
      timeout: config.timeout,
      clockOffset,
      clocks: this.#environment.clocks,
      onReady: (connection) => this.#markUp(connection),
      onEnd: (connection, makeError) => this.#lose(connection, makeError),
    })
    return this.#connection
  }

  #protocolFor(host: ProtocolHost): Protocol {
    const { otherwise } = this.#environment
    return this.#speaksOther && otherwise !== undefined ? otherwise(host) : this.#environment.protocol(host)
  }

  #markUp(connection: Connection): void {
    this.#down = undefined
    this.#failures = 0
    this.#clockOffset = connection.clockOffset
    this.#itemSizeMax = connection.itemSizeMax
  }

  #lose(connection: Connection, makeError: MakeError): void {
    if (this.#connection === connection) this.#connection = undefined
    if (this.#passesOver(connection) || connection.ready || this.#isClosed) return
    this.#down = makeError
    this.#retryAt = this.#environment.clocks.monotonic() + this.#pause()
  }

  #passesOver(connection: Connection): boolean {
    const hasOther = this.#environment.otherwise !== undefined && !this.#speaksOther
    this.#speaksOther = connection.isUnspoken && hasOther && !this.#isClosed
    if (this.#speaksOther) this.#passedOver.add(connection)
    return this.#speaksOther
  }

  /** The pause before the next trial. It doubles with each failure, up to the retry interval; jitter keeps processes from all coming at once. */
  #pause(): number {
    const longest = Math.min(this.config.retryInterval, firstPause * 2 ** this.#failures)
    this.#failures++
    return longest * (0.5 + this.#environment.random() / 2)
  }
}

const firstPause = 50

function closed(): ClosedError {
  return new ClosedError('The memcached store')
}

function refused(requests: readonly StoreRequest[], error: FieldwiseError): Flight {
  return { answers: requests.map(() => unsent(error)), serverTime: Number.NaN }
}

/** A command that sends nothing. It ends when the connection is ready. */
class Await implements Command {
  calledAt = 0
  sentAt = 0
  settled = false
  readonly complete = true
  readonly isDated = true
  deadline: number
  readonly #done: Done

  constructor(deadline: number, done: Done) {
    this.deadline = deadline
    this.#done = done
  }

  encode(): void {}

  read(): number {
    return 0
  }

  settle(at: number): void {
    this.settled = true
    this.#done.resolve(at)
  }

  fail(_fate: Fate, error: FieldwiseError): void {
    this.settled = true
    this.#done.reject(error)
  }
}
