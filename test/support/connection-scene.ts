import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import type { FieldwiseError } from 'fieldwise'
import { afterEach, beforeEach, vi } from 'vitest'
import type { Clocks } from '../../packages/memcached/src/lib/connection/clocks.js'
import { Connection, type ConnectionOptions } from '../../packages/memcached/src/lib/connection/connection.js'
import type { Bytes, Outbox } from '../../packages/memcached/src/lib/connection/outbox.js'
import {
  type Command,
  type Fate,
  type Protocol,
  ProtocolError,
  type ServerFacts,
} from '../../packages/memcached/src/lib/connection/protocol.js'
import { turn } from './virtual-time.js'

/** One connection over a socket, a protocol and a time of the test's own: a new one for each test of a file that imports this. */

export const facts: ServerFacts = { version: '1.6.18', itemSizeMax: 4_096_000, time: 1_700_000_000, evicts: true }
export const connectTimeout = 1_000
export const timeout = 400

export let start: number
export let socket: TestSocket
export let protocol: TestWire
export let ended: FieldwiseError[]
export let ready: ServerFacts[]

/** Each test gets a scene of its own. Called once by each file: a module that files share would set it up for the first of them alone. */
export function eachInItsScene(): void {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'clearTimeout'] })
    start = Date.now()
    ended = []
    ready = []
  })

  afterEach(() => {
    vi.restoreAllMocks()
    vi.useRealTimers()
  })
}

export const now = () => Date.now() - start
/** Time passes for all clocks alike, and who has waited is woken when the sockets were read. */
export const clocks: Clocks = {
  running: now,
  monotonic: now,
  wall: () => Date.now(),
  sleep: (milliseconds) =>
    new Promise((wake) => setTimeout(() => setImmediate(wake), Math.max(0, Math.ceil(milliseconds))).unref()),
}

export function connection(options: Partial<ConnectionOptions> = {}): Connection {
  socket = new TestSocket()
  protocol = new TestWire()
  return new Connection({
    dial: (connected) => {
      socket.connected = connected
      return socket as unknown as Socket
    },
    protocol: () => protocol,
    peer: 'cache-1',
    connectTimeout,
    timeout,
    clockOffset: undefined,
    clocks,
    onReady: (_connection, known) => ready.push(known),
    onEnd: (_connection, makeError) => ended.push(makeError()),
    ...options,
  })
}

/** A connection whose server has said what it is. */
export async function opened(options: Partial<ConnectionOptions> = {}): Promise<Connection> {
  const one = connection(options)
  socket.connected()
  protocol.greeted.resolve(facts)
  await settled()
  socket.log.length = 0
  return one
}

/** Sends calls, and lets the turn of the event loop end. */
export async function send(over: Connection, ...calls: Call[]): Promise<void> {
  for (const call of calls) over.send(call)
  await turn()
}

/** Time passes, and the turn of the event loop that it brings ends. */
export async function pass(milliseconds: number): Promise<void> {
  vi.advanceTimersByTime(milliseconds)
  await turn()
}

export const received = (text: string) => socket.emit('data', Buffer.from(text))
export const complaints = () => ended.map(({ message }) => message)

/** Lets what was promised be heard. */
export async function settled(): Promise<void> {
  for (let hop = 0; hop < 4; hop++) await Promise.resolve()
}

/** What a connection does with a socket, written down. */
class TestSocket extends EventEmitter {
  readonly log: string[] = []
  connecting = false
  writableNeedDrain = false
  connected = () => {}

  get written(): string[] {
    return this.log.flatMap((entry) => /^write (.*) latin1$/s.exec(entry)?.[1] ?? [])
  }

  write(bytes: Bytes, encoding: string): void {
    this.log.push(`write ${typeof bytes === 'string' ? bytes : `${bytes.length} bytes`} ${encoding}`)
  }

  cork = () => this.log.push('cork')
  uncork = () => this.log.push('uncork')
  ref = () => this.log.push('ref')
  unref = () => this.log.push('unref')
  destroy = () => this.log.push('destroy')
  setNoDelay = (on: boolean) => this.log.push(`setNoDelay ${on}`)
  setKeepAlive = (on: boolean, delay: number) => this.log.push(`setKeepAlive ${on} ${delay}`)
}

/** What comes when the test says so. */
export class Told<T> {
  resolve!: (value: T) => void
  reject!: (error: unknown) => void
  readonly promise = new Promise<T>((resolve, reject) => {
    this.resolve = resolve
    this.reject = reject
  })
}

/** A protocol whose greeting and clock the test decides. */
class TestWire implements Protocol {
  readonly silenceHint = 'perhaps it is something else'
  readonly greeted = new Told<ServerFacts>()
  greetedBy: number | undefined
  time = new Told<number>()
  readonly timesRead: number[] = []

  greet(deadline: number): Promise<ServerFacts> {
    this.greetedBy = deadline
    return this.greeted.promise
  }

  readTime(deadline: number): Promise<number> {
    this.timesRead.push(deadline)
    return this.time.promise
  }

  flight(): Command {
    throw new Error('no flights here')
  }

  ping(): Command {
    throw new Error('no pings here')
  }
}

interface CallOptions {
  readonly deadline?: number
  readonly parts?: readonly Bytes[]
  readonly replies?: number
  readonly isDated?: boolean
}

/** A request that is a line, and whose reply is the same line. */
export class Call implements Command {
  deadline: number
  calledAt = Number.NaN
  sentAt = Number.NaN
  outcome: { readonly settled?: true; readonly at?: number; readonly fate?: Fate; readonly message?: string } | undefined
  error: FieldwiseError | undefined
  readonly isDated: boolean
  readonly #name: string
  readonly #parts: readonly Bytes[]
  #due: number

  constructor(name: string, options: CallOptions = {}) {
    const { deadline = Number.POSITIVE_INFINITY, parts = [`${name}\n`], replies = 1, isDated = true } = options
    this.isDated = isDated
    this.#name = name
    this.#parts = parts
    this.deadline = deadline
    this.#due = replies
  }

  get settled(): boolean {
    return this.outcome !== undefined
  }

  get complete(): boolean {
    return this.#due === 0
  }

  encode(out: Outbox): void {
    for (const part of this.#parts) out.add(part)
  }

  read(bytes: Buffer, start: number): number {
    const end = bytes.indexOf('\n', start)
    if (end < 0) return start - bytes.length - 1
    const line = bytes.toString('latin1', start, end)
    if (line === 'stumble') throw new RangeError('stumbled')
    if (line !== this.#name) throw new ProtocolError('sent a wrong line')
    this.#due--
    return end + 1
  }

  settle(at: number): void {
    this.outcome ??= { settled: true, at }
  }

  fail(fate: Fate, error: FieldwiseError): void {
    this.error ??= error
    this.outcome ??= { fate, message: error.message }
  }
}
