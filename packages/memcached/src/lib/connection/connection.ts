import type { Socket } from 'node:net'
import { clearImmediate, setImmediate } from 'node:timers'
import { type FieldwiseError, StoreUnavailableError } from 'fieldwise'
import type { Clocks, Moment } from './clocks.js'
import { explainSocketError } from './dial.js'
import { Fifo } from './fifo.js'
import { Inbox } from './inbox.js'
import { defaultItemSizeMax } from './item-size.js'
import { type Bytes, Outbox } from './outbox.js'
import { again, closedBy, overloaded, silentFor, tooLate } from './peer-errors.js'
import {
  type Command,
  explainForeign,
  type Protocol,
  ProtocolError,
  type ProtocolHost,
  type ServerFacts,
  Unspoken,
} from './protocol.js'
import { ServerClock } from './server-clock.js'

export interface ConnectionOptions {
  /** Begins to connect; `connected` is called when bytes can be sent. */
  dial(connected: () => void): Socket
  /** The protocol to speak over this connection. */
  protocol(host: ProtocolHost): Protocol
  /** Who is at the other end, for messages: its label and address. */
  readonly peer: string
  /** By when the server must have been reached and have said what it is, in milliseconds of the running clock. */
  readonly connectTimeout: number
  /** How long a request that was sent may remain unanswered before the connection is given up, in milliseconds of the running clock. */
  readonly timeout: number
  /** A lower bound of the server's time minus the monotonic clock, as learned over an earlier connection. */
  readonly clockOffset: number | undefined
  readonly clocks: Clocks
  onReady(connection: Connection, facts: ServerFacts): void
  onEnd(connection: Connection, makeError: MakeError): void
}

/** Makes the error that says how a connection ended: each caller is handed one of its own. */
export type MakeError = () => FieldwiseError

/**
 * One socket to one server. Buffers, queues and deadlines belong to this one connection and end with it: any anomaly destroys it and
 * fails all that is pending. Nothing is ever sent twice.
 */
export class Connection implements ProtocolHost {
  itemSizeMax = defaultItemSizeMax
  /** The server showed that it does not speak this protocol: by what it said, or by hanging up before it said what it is. */
  isUnspoken = false
  readonly protocol: Protocol
  readonly #options: ConnectionOptions
  readonly #clocks: Clocks
  readonly #serverClock: ServerClock
  readonly #socket: Socket
  readonly #inbox = new Inbox()
  /** Not sent yet. */
  #waiting: Command[] = []
  /** Sent, with replies due. */
  readonly #sent = new Fifo<Command>()
  /** Answered, but not to be dated before the server's clock is known again. */
  #undated: Command[] = []
  #isReadingClock = false
  #facts: ServerFacts | undefined
  #ready = false
  #ended: MakeError | undefined
  #flush: NodeJS.Immediate | undefined
  #wakeAt = Number.POSITIVE_INFINITY
  /** What a sleeping deadline check holds in place of the connection, so that it keeps nothing of one that has ended. */
  readonly #living: { connection: Connection | undefined } = { connection: this }
  readonly #connectBy: number

  constructor(options: ConnectionOptions) {
    this.#options = options
    this.#clocks = options.clocks
    this.#serverClock = new ServerClock(options.clocks, options.clockOffset)
    this.#connectBy = this.#clocks.running() + options.connectTimeout
    this.protocol = options.protocol(this)
    this.#socket = options.dial(() => this.#greet())
    this.#listen()
    this.#wake(this.#connectBy)
  }

  get ready(): boolean {
    return this.#ready
  }

  /** The server's time minus the monotonic clock. */
  get clockOffset(): number {
    return this.#serverClock.offset
  }

  /** Sends `command` with all others of this turn of the event loop, in one write. */
  send(command: Command): void {
    if (this.#ended !== undefined) return command.fail('unsent', this.#ended())
    if (this.#waiting.length + this.#sent.size >= longestQueue)
      return command.fail('unsent', overloaded(this.#options.peer, longestQueue))
    if (this.#idle) this.#socket.ref()
    command.calledAt = this.#clocks.running()
    command.deadline = Math.min(command.deadline, command.calledAt + this.#options.timeout)
    this.#waiting.push(command)
    this.#wake(command.deadline)
    if (this.#ready) this.#scheduleFlush()
  }

  /** Destroys the connection and fails all that is pending, each with an error of its own. */
  end(makeError: MakeError): void {
    if (this.#ended !== undefined) return
    this.#ended = makeError
    this.#living.connection = undefined
    clearImmediate(this.#flush)
    this.#inbox.clear()
    this.#socket.destroy()
    for (const command of this.#undated.splice(0)) command.fail('unanswered', makeError())
    for (const command of this.#sent.drain()) command.fail('unanswered', makeError())
    for (const command of this.#waiting.splice(0)) command.fail('unsent', makeError())
    this.#options.onEnd(this, makeError)
  }

  serverTime(): number {
    return this.#serverClock.now()
  }

  ask(command: Command): void {
    if (this.#ended !== undefined) return command.fail('unsent', this.#ended())
    const out = new Outbox()
    command.encode(out)
    command.calledAt = this.#clocks.running()
    this.#push(command, command.calledAt)
    // One write for all that is asked at once: a second one, to a server that has hung up, would fail before its last words are read.
    this.#socket.cork()
    void endOfTick.then(() => this.#socket.uncork())
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
    const asked = this.#serverClock.moment()
    this.protocol.greet(this.#connectBy).then(
      (facts) => {
        this.#facts = facts
        this.#hearTime(facts.time, asked)
      },
      (error) => this.#refuse(error),
    )
  }

  #open(facts: ServerFacts): void {
    this.itemSizeMax = facts.itemSizeMax
    this.#ready = true
    this.#options.onReady(this, facts)
    if (this.#idle) this.#socket.unref()
    this.#scheduleFlush()
  }

  #readClock(): void {
    if (this.#isReadingClock) return
    this.#isReadingClock = true
    const asked = this.#serverClock.moment()
    this.protocol.readTime(this.#clocks.running() + this.#options.timeout).then(
      (time) => {
        this.#isReadingClock = false
        this.#hearTime(time, asked)
      },
      (error) => this.#refuse(error),
    )
  }

  #hearTime(time: number, asked: Moment): void {
    if (this.#ended !== undefined) return
    if (!this.#serverClock.learn(time, asked)) return this.#readClock()
    const now = this.serverTime()
    for (const command of this.#undated.splice(0)) command.settle(now)
    if (!this.#ready && this.#facts !== undefined) this.#open(this.#facts)
  }

  #refuse(error: unknown): void {
    if (error instanceof ProtocolError) this.#fail(error.message)
    else this.end(() => again(error as Error))
  }

  #scheduleFlush(): void {
    if (this.#waiting.length > 0) this.#flush ??= setImmediate(() => this.#sendWaiting())
  }

  #sendWaiting(): void {
    this.#flush = undefined
    if (this.#ended !== undefined || this.#socket.writableNeedDrain) return
    const waiting = this.#waiting
    this.#waiting = []
    const now = this.#clocks.running()
    const out = new Outbox()
    for (const command of waiting) this.#encode(command, now, out)
    if (!out.isEmpty) this.#write(out)
    if (this.#idle) this.#socket.unref()
  }

  #encode(command: Command, now: number, out: Outbox): void {
    if (command.settled) return
    if (command.deadline <= now) return command.fail('unsent', tooLate(this.#options.peer))
    command.encode(out)
    if (command.complete) this.#settle(command, this.#date())
    else this.#push(command, now)
  }

  /** The server's time, for what is answered now. Where it is in doubt, it is asked for, and the answers wait for it. */
  #date(): number {
    const now = this.#clocks.monotonic()
    if (this.#ready && this.#serverClock.isDue(now)) this.#readClock()
    return now + this.clockOffset
  }

  #settle(command: Command, at: number): void {
    if (command.isDated && this.#serverClock.isInDoubt) this.#undated.push(command)
    else command.settle(at)
  }

  #push(command: Command, now: number): void {
    command.sentAt = now
    this.#sent.push(command)
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
      this.#fail(error instanceof ProtocolError ? error.message : 'sent an answer that could not be read', error)
    }
    if (this.#idle && this.#ready) this.#socket.unref()
  }

  #readReplies(bytes: Buffer): void {
    const at = this.#date()
    let start = 0
    while (start < bytes.length) {
      const command = this.#sent.first
      if (command === undefined) throw new ProtocolError(explainForeign(bytes.toString('latin1', start, start + 64)))
      const end = command.read(bytes, start)
      if (end < 0) return this.#inbox.keep(bytes.subarray(start), -end)
      start = end
      if (!command.complete) continue
      this.#sent.shift()
      this.#settle(command, at)
    }
  }

  /** Makes sure that the deadlines are looked at by `deadline` at the latest. Answers that have arrived by then are read first (D2). */
  #wake(deadline: number): void {
    if (deadline >= this.#wakeAt) return
    this.#wakeAt = deadline
    const living = this.#living
    void this.#clocks.sleep(deadline - this.#clocks.running()).then(() => {
      if (living.connection !== undefined) living.connection.#checkDeadlines(deadline)
    })
  }

  #checkDeadlines(wokenAt: number): void {
    // One with an earlier deadline has come since; it has its own waking.
    if (this.#wakeAt !== wokenAt) return
    const now = this.#clocks.running()
    if (!this.#ready && this.#connectBy <= now)
      return this.#fail(silentFor(this.#options.connectTimeout, this.#socket.connecting, this.protocol.silenceHint))
    const head = this.#sent.first
    if (head !== undefined && this.#stuckAt(head) <= now) return this.#fail(`did not answer within ${this.#options.timeout} ms`)
    this.#waiting = this.#waiting.filter((command) => !this.#failIfLate(command, 'unsent', now))
    for (const command of this.#sent) this.#failIfLate(command, 'unanswered', now)
    this.#undated = this.#undated.filter((command) => !this.#failIfLate(command, 'unanswered', now))
    this.#wakeForNext()
  }

  /**
   * When a request counts as unanswered for good. A caller's own short deadline is no reason to give the connection up. Nor is time spent
   * waiting for the connection, up to a half: where connecting is slow, no call would ever succeed.
   */
  #stuckAt(command: Command): number {
    const { timeout } = this.#options
    return Math.max(command.calledAt + timeout, command.sentAt + timeout / 2)
  }

  #failIfLate(command: Command, fate: 'unsent' | 'unanswered', now: number): boolean {
    if (command.settled || command.deadline > now) return command.settled
    command.fail(fate, tooLate(this.#options.peer))
    return true
  }

  #wakeForNext(): void {
    this.#wakeAt = Number.POSITIVE_INFINITY
    let next = this.#ready ? Number.POSITIVE_INFINITY : this.#connectBy
    const head = this.#sent.first
    if (head !== undefined) next = Math.min(next, this.#stuckAt(head))
    for (const command of this.#sent) if (!command.settled) next = Math.min(next, command.deadline)
    for (const command of this.#waiting) next = Math.min(next, command.deadline)
    for (const command of this.#undated) next = Math.min(next, command.deadline)
    if (next !== Number.POSITIVE_INFINITY) this.#wake(next)
  }

  /** The server has closed the connection. */
  #hangUp(cause?: unknown): void {
    if (this.#ended !== undefined) return
    this.isUnspoken = !this.#ready
    this.#fail(closedBy(this.#ready, this.protocol.silenceHint), cause)
  }

  #fail(what: string, cause?: unknown): void {
    if (cause instanceof Unspoken) this.isUnspoken = true
    const why = cause instanceof ProtocolError ? undefined : cause
    this.end(() => new StoreUnavailableError(`${this.#options.peer} ${what}`, why))
  }
}

const longestQueue = 10_000
const keepAliveDelay = 30_000
/** A microtask, which no test's timers hold back as they do `process.nextTick`. */
const endOfTick = Promise.resolve()
