import type { Socket } from 'node:net'
import { type FieldwiseError, StoreUnavailableError } from 'fieldwise'
import { Fifo } from './fifo.js'
import { Inbox } from './inbox.js'
import { defaultItemSizeMax } from './item-size.js'
import { type Bytes, Outbox } from './outbox.js'
import { type Exchange, explainForeign, type ServerFacts, Unspoken, type Wire, WireError, type WireHost } from './wire.js'

export interface ConnectionOptions {
  /** Begins to connect; `connected` is called when bytes can be sent. */
  dial(connected: () => void): Socket
  /** The protocol to speak over this connection. */
  wire(host: WireHost): Wire
  /** Who is at the other end, for messages: its label and address. */
  readonly peer: string
  /** How long, in milliseconds, until the server must have been reached and have said what it is. */
  readonly connectTimeout: number
  /** How long, in milliseconds, a request that was sent may remain without its answer before the connection is given up. */
  readonly timeout: number
  /** A lower bound of the server's time minus the monotonic clock, as learned over an earlier connection. */
  readonly clockOffset: number | undefined
  monotonic(): number
  onReady(connection: Connection, facts: ServerFacts): void
  onEnd(connection: Connection, error: FieldwiseError): void
}

/**
 * One socket to one server. Buffers, queues and deadlines belong to this one connection and end with it: any anomaly destroys it and
 * fails all that is pending. Nothing is ever sent twice.
 */
export class Connection implements WireHost {
  /** The server's time minus the monotonic clock. */
  clockOffset = Number.NaN
  itemSizeMax = defaultItemSizeMax
  /** The server showed that it does not speak this protocol: by what it said, or by hanging up before it said what it is. */
  isUnspoken = false
  readonly wire: Wire
  readonly #options: ConnectionOptions
  readonly #socket: Socket
  readonly #inbox = new Inbox()
  /** Not sent yet. */
  #waiting: Exchange[] = []
  /** Sent, with replies due. */
  readonly #sent = new Fifo<Exchange>()
  #clockReadAt = Number.NaN
  #ready = false
  #ended: FieldwiseError | undefined
  #flush: NodeJS.Immediate | undefined
  #timer: NodeJS.Timeout | undefined
  #wakeAt = Number.POSITIVE_INFINITY
  readonly #connectBy: number

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#connectBy = options.monotonic() + options.connectTimeout
    this.wire = options.wire(this)
    this.#socket = options.dial(() => this.#greet())
    this.#listen()
    this.#wake(this.#connectBy)
  }

  get ready(): boolean {
    return this.#ready
  }

  /** Sends `exchange` with all others of this turn of the event loop, in one write. */
  send(exchange: Exchange): void {
    if (this.#ended !== undefined) return exchange.fail('unsent', this.#ended)
    if (this.#waiting.length + this.#sent.size >= longestQueue) return exchange.fail('unsent', this.#overload())
    if (this.#idle) this.#socket.ref()
    exchange.calledAt = this.#options.monotonic()
    exchange.deadline = Math.min(exchange.deadline, exchange.calledAt + this.#options.timeout)
    this.#waiting.push(exchange)
    this.#wake(exchange.deadline)
    if (this.#ready) this.#scheduleFlush()
  }

  /** Destroys the connection and fails all that is pending. */
  end(error: FieldwiseError): void {
    if (this.#ended !== undefined) return
    this.#ended = error
    clearTimeout(this.#timer)
    clearImmediate(this.#flush)
    this.#inbox.clear()
    this.#socket.destroy()
    for (const exchange of this.#sent.drain()) exchange.fail('open', error)
    for (const exchange of this.#waiting.splice(0)) exchange.fail('unsent', error)
    this.#options.onEnd(this, error)
  }

  serverTime(): number {
    return this.#options.monotonic() + this.clockOffset
  }

  ask(exchange: Exchange): void {
    if (this.#ended !== undefined) return exchange.fail('unsent', this.#ended)
    const out = new Outbox()
    exchange.encode(out)
    exchange.calledAt = this.#options.monotonic()
    this.#push(exchange, exchange.calledAt)
    // One write for all that is asked at once: a second one, to a server that has hung up, would fail before its last words are read.
    this.#socket.cork()
    process.nextTick(() => this.#socket.uncork())
    this.#write(out)
  }

  get #idle(): boolean {
    return this.#waiting.length === 0 && this.#sent.size === 0
  }

  #listen(): void {
    const socket = this.#socket
    socket.on('data', (chunk: Buffer) => this.#receive(chunk))
    socket.on('drain', () => this.#scheduleFlush())
    socket.on('error', (error: NodeJS.ErrnoException) => {
      const what = explainSocketError(error)
      if (what === undefined) this.#hangUp(error)
      else this.#fail(what, error)
    })
    socket.on('end', () => this.#hangUp())
    socket.on('close', () => this.#hangUp())
  }

  #greet(): void {
    if (this.#ended !== undefined) return
    this.#socket.setNoDelay(true)
    this.#socket.setKeepAlive(true, keepAliveDelay)
    this.wire.greet(this.#connectBy).then(
      (facts) => this.#open(facts),
      (error) => this.#refuse(error),
    )
  }

  #open(facts: ServerFacts): void {
    if (this.#ended !== undefined) return
    this.itemSizeMax = facts.itemSizeMax
    this.#setClock(facts.time, this.#options.clockOffset)
    this.#ready = true
    this.#options.onReady(this, facts)
    if (this.#idle) this.#socket.unref()
    this.#scheduleFlush()
  }

  /**
   * The server tells its time in whole seconds, so each reading is a lower bound of it, less than a second too low. The highest of
   * several is the best; one that is lower by a second or more shows that the clock was set or the server is another one.
   */
  #setClock(time: number, earlier: number | undefined): void {
    this.#clockReadAt = this.#options.monotonic()
    const read = time * 1_000 - this.#clockReadAt
    this.clockOffset = earlier !== undefined && earlier > read && earlier - read < 1_000 ? earlier : read
  }

  /** Two clocks drift apart by seconds a day, and a connection may live for months. */
  #rereadClock(now: number): void {
    this.#clockReadAt = now
    this.wire.readTime(now + this.#options.timeout).then(
      (time) => this.#setClock(time, this.clockOffset),
      (error) => this.#refuse(error),
    )
  }

  #refuse(error: unknown): void {
    if (error instanceof WireError) this.#fail(error.message)
    else this.end(error as FieldwiseError)
  }

  #scheduleFlush(): void {
    if (this.#waiting.length > 0) this.#flush ??= setImmediate(() => this.#sendWaiting())
  }

  #sendWaiting(): void {
    this.#flush = undefined
    if (this.#ended !== undefined || this.#socket.writableNeedDrain) return
    const now = this.#options.monotonic()
    const waiting = this.#waiting
    this.#waiting = []
    const out = new Outbox()
    for (const exchange of waiting) this.#encode(exchange, now, out)
    if (!out.isEmpty) this.#write(out)
    if (now - this.#clockReadAt > clockLife) this.#rereadClock(now)
    if (this.#idle) this.#socket.unref()
  }

  #encode(exchange: Exchange, now: number, out: Outbox): void {
    if (exchange.settled) return
    if (exchange.deadline <= now) return exchange.fail('unsent', this.#tooLate())
    exchange.encode(out)
    if (exchange.complete) exchange.settle(now + this.clockOffset)
    else this.#push(exchange, now)
  }

  #push(exchange: Exchange, now: number): void {
    exchange.sentAt = now
    this.#sent.push(exchange)
  }

  /** One write for all. Where there are large values, all parts leave by one `writev`. */
  #write({ parts }: Outbox): void {
    if (parts.length === 1) {
      this.#socket.write(parts[0] as Bytes, 'latin1')
      return
    }
    this.#socket.cork()
    for (const part of parts) this.#socket.write(part, 'latin1')
    this.#socket.uncork()
  }

  #receive(chunk: Buffer): void {
    if (this.#ended !== undefined) return
    const bytes = this.#inbox.add(chunk)
    if (bytes === undefined) return
    try {
      this.#readReplies(bytes)
    } catch (error) {
      this.#fail(error instanceof WireError ? error.message : 'sent an answer that could not be read', error)
    }
    if (this.#idle && this.#ready) this.#socket.unref()
  }

  #readReplies(bytes: Buffer): void {
    const at = this.serverTime()
    let start = 0
    while (start < bytes.length) {
      const exchange = this.#sent.first
      if (exchange === undefined) throw new WireError(explainForeign(bytes.toString('latin1', start, start + 64)))
      const end = exchange.read(bytes, start)
      if (end < 0) return this.#inbox.keep(bytes.subarray(start), -end)
      start = end
      if (!exchange.complete) continue
      this.#sent.shift()
      exchange.settle(at)
    }
  }

  /** Makes sure that the one timer of this connection goes off at `deadline` at the latest. */
  #wake(deadline: number): void {
    if (deadline >= this.#wakeAt) return
    clearTimeout(this.#timer)
    this.#wakeAt = deadline
    const delay = Math.max(0, Math.ceil(deadline - this.#options.monotonic()))
    // Answers that have arrived while the event loop was busy are read first: immediates run after the socket was polled.
    this.#timer = setTimeout(() => setImmediate(() => this.#checkDeadlines()), delay)
    this.#timer.unref()
  }

  #checkDeadlines(): void {
    if (this.#ended !== undefined) return
    const now = this.#options.monotonic()
    if (!this.#ready && this.#connectBy <= now) return this.#fail(this.#silent())
    const head = this.#sent.first
    if (head !== undefined && this.#stuckAt(head) <= now) return this.#fail(`did not answer within ${this.#options.timeout} ms`)
    this.#waiting = this.#waiting.filter((exchange) => !this.#failIfLate(exchange, 'unsent', now))
    for (const exchange of this.#sent) this.#failIfLate(exchange, 'open', now)
    this.#wakeForNext()
  }

  /**
   * When a request counts as unanswered for good. A caller's own short deadline is no reason to give the connection up. Nor is time spent
   * waiting for the connection, up to a half: where connecting is slow, no call would ever succeed.
   */
  #stuckAt(exchange: Exchange): number {
    const { timeout } = this.#options
    return Math.max(exchange.calledAt + timeout, exchange.sentAt + timeout / 2)
  }

  #failIfLate(exchange: Exchange, fate: 'unsent' | 'open', now: number): boolean {
    if (exchange.settled || exchange.deadline > now) return exchange.settled
    exchange.fail(fate, this.#tooLate())
    return true
  }

  #wakeForNext(): void {
    this.#wakeAt = Number.POSITIVE_INFINITY
    let next = this.#ready ? Number.POSITIVE_INFINITY : this.#connectBy
    const head = this.#sent.first
    if (head !== undefined) next = Math.min(next, this.#stuckAt(head))
    for (const exchange of this.#sent) if (!exchange.settled) next = Math.min(next, exchange.deadline)
    for (const exchange of this.#waiting) next = Math.min(next, exchange.deadline)
    if (next !== Number.POSITIVE_INFINITY) this.#wake(next)
  }

  /** The server did. */
  #hangUp(cause?: unknown): void {
    if (this.#ended !== undefined) return
    this.isUnspoken = !this.#ready
    this.#fail(this.#closedBy(), cause)
  }

  #fail(what: string, cause?: unknown): void {
    if (cause instanceof Unspoken) this.isUnspoken = true
    this.end(new StoreUnavailableError(`${this.#options.peer} ${what}`, cause instanceof WireError ? undefined : cause))
  }

  #closedBy(): string {
    return this.#ready ? 'closed the connection' : `closes connections before it says what it is: ${this.wire.silenceHint}`
  }

  #silent(): string {
    const within = `within ${this.#options.connectTimeout} ms`
    if (this.#socket.connecting) return `could not be reached ${within}`
    return `takes connections but did not say what it is ${within}: is it overloaded? And ${this.wire.silenceHint}`
  }

  #tooLate(): FieldwiseError {
    return new StoreUnavailableError(`${this.#options.peer} did not answer in time`)
  }

  #overload(): FieldwiseError {
    return new StoreUnavailableError(`${this.#options.peer} is overloaded: ${longestQueue} requests wait for an answer`)
  }
}

const longestQueue = 10_000
const keepAliveDelay = 30_000
const clockLife = 600_000

/** What a socket's error means, unless it just says that the connection was cut. */
function explainSocketError(error: NodeJS.ErrnoException): string | undefined {
  switch (error.code) {
    case 'ECONNREFUSED':
      return 'refuses connections: is memcached running there?'
    case 'ENOENT':
      return 'is not there: no socket at this path'
    case 'EACCES':
      return 'may not be used: this process has no right to this socket (memcached -a sets it)'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'cannot be found: its host name does not resolve'
    case 'ECONNRESET':
    case 'EPIPE':
      return undefined
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'shows a TLS certificate for another host name: connect by the name that it is for, or set tls: { servername }'
    case 'EPROTO':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return 'does not speak TLS: start it with memcached -Z, or leave out tls'
    default:
      return explainOtherError(error.code ?? error.name)
  }
}

/** Node passes OpenSSL's verification results on as codes, some thirty of them. */
function explainOtherError(code: string): string {
  if (/CERT|CRL|SIGNATURE|ISSUER/.test(code)) {
    return `shows a TLS certificate that is not trusted (${code}): give the authority that signed it as tls: { ca }`
  }
  return `cannot be reached (${code})`
}
