import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { expect, test } from 'vitest'
import type { Flight, StoreRequest } from '../../packages/fieldwise/src/store-contract.js'
import { systemClocks } from '../../packages/memcached/src/lib/connection/clocks.js'
import { Connection } from '../../packages/memcached/src/lib/connection/connection.js'
import { dialPlain } from '../../packages/memcached/src/lib/connection/dial.js'
import { BinaryProtocol } from '../../packages/memcached/src/lib/protocol/binary/protocol.js'
import { MetaProtocol } from '../../packages/memcached/src/lib/protocol/meta/protocol.js'
import { host } from '../support/host.js'
import { Memcached } from '../support/memcached.js'
import { count, measured } from '../support/promise.js'
import { Chance, scaled } from '../support/scale.js'
import type { Protocol } from '../support/scripted-server.js'
import { patient, protocols } from './stage.js'

const value = Buffer.from(JSON.stringify({ visits: 7, cart: ['tea'] }))
const requests: readonly StoreRequest[] = [
  { op: 'get', key: 'hit' },
  { op: 'get', key: 'miss' },
  { op: 'add', key: 'new', value, ttl: 60_000 },
  { op: 'add', key: 'hit', value, ttl: 60_000 },
  { op: 'replace', key: 'hit', value, ttl: 60_000 },
  { op: 'touch', key: 'hit', ttl: 60_000 },
  { op: 'getAndTouch', key: 'hit', ttl: 60_000 },
  { op: 'delete', key: 'hit' },
  { op: 'delete', key: 'miss' },
  { op: 'get', key: 'new' },
]

/** Which answers a request may have, whatever the server says. */
const fitting: Readonly<Record<StoreRequest['op'], readonly string[]>> = {
  get: ['found', 'missing'],
  compare: ['found', 'same', 'changed', 'missing'],
  getAndTouch: ['found', 'missing'],
  add: ['stored', 'conflict', 'unsent'],
  replace: ['stored', 'conflict', 'stale', 'missing', 'unsent'],
  touch: ['done', 'missing'],
  delete: ['done', 'missing'],
}

test.for(protocols)(
  'whatever is done to the bytes of replies, every request is answered at once and memory stays flat (%s)',
  patient,
  async (protocol, context) => {
    const chance = new Chance(`mutated replies, ${protocol}`)
    const truth = await record(protocol)
    const foreign = await record(protocol === 'binary' ? 'meta' : 'binary')
    const tally: Tally = { misfits: [], hanging: 0, refused: 0, answered: 0 }
    const size = scaled(1) < 10 ? scaled(8_000) : 500_000
    await feedMany(protocol, truth, foreign, chance, size / 10, tally)
    const before = memoryInUse()
    await feedMany(protocol, truth, foreign, chance, size - size / 10, tally)
    const grown = (memoryInUse() - before) / 1_048_576
    measured(
      context,
      `${count(size)} mutated streams of ${requests.length} replies`,
      `0 uncaught, ${tally.hanging} hangs, ${tally.misfits.length} misfits, memory ${grown >= 0 ? '+' : ''}${grown.toFixed(1)} MiB; ` +
        `${count(tally.answered)} replies taken, ${count(tally.refused)} connections destroyed`,
    )
    expect(tally.misfits.slice(0, 5)).toEqual([])
    expect(tally.hanging).toBe(0)
    expect(grown).toBeLessThan(16)
    // Most of what was done is noticed, and what is right before it is still taken.
    expect(tally.refused).toBeGreaterThan(size / 3)
    expect(tally.answered).toBeGreaterThan(size)
  },
)

interface Tally {
  readonly misfits: string[]
  hanging: number
  refused: number
  answered: number
}

/** What a real memcached answered to the greeting and then to the flight. A new connection numbers its requests alike, so it fits there too. */
interface Recorded {
  readonly greeting: Buffer
  readonly replies: Buffer
}

async function record(protocol: Protocol): Promise<Recorded> {
  await using server = await Memcached.start()
  const chunks: Buffer[] = []
  let greeting = Buffer.alloc(0)
  let socket: Socket | undefined
  await new Promise<void>((resolve, reject) => {
    const connection: Connection = connect(protocol, {
      dial: (connected) => {
        socket = dialPlain({ host: '127.0.0.1', port: server.port }, connected)
        socket.on('data', (chunk) => chunks.push(chunk))
        return socket
      },
      onReady: () => {
        greeting = Buffer.concat(chunks.splice(0))
        const seed: StoreRequest = { op: 'add', key: 'hit', value, ttl: 60_000 }
        connection.send(connection.protocol.flight([seed], Number.POSITIVE_INFINITY, () => resolve()))
      },
      onEnd: (_connection, makeError) => reject(makeError()),
    })
  })
  socket?.destroy()
  // The item is there now; a second connection asks for all of it from its first request on.
  const flight = new Promise<Flight>((resolve, reject) => {
    const connection: Connection = connect(protocol, {
      dial: (connected) => {
        socket = dialPlain({ host: '127.0.0.1', port: server.port }, connected)
        socket.on('data', (chunk) => chunks.push(chunk))
        return socket
      },
      onReady: () => {
        chunks.length = 0
        connection.send(connection.protocol.flight(requests, Number.POSITIVE_INFINITY, resolve))
      },
      onEnd: (_connection, makeError) => reject(makeError()),
    })
  })
  expect((await flight).answers.map(({ result }) => result)).toEqual([
    'found',
    'missing',
    'stored',
    'conflict',
    'stored',
    'done',
    'found',
    'done',
    'missing',
    'found',
  ])
  socket?.destroy()
  return { greeting, replies: Buffer.concat(chunks) }
}

type Parts = Pick<ConstructorParameters<typeof Connection>[0], 'dial' | 'onReady' | 'onEnd'>

function connect(protocol: Protocol, parts: Parts): Connection {
  return new Connection({
    ...parts,
    protocol: (host) => (protocol === 'binary' ? new BinaryProtocol(host, undefined) : new MetaProtocol(host, undefined)),
    peer: 'memcached',
    connectTimeout: 30_000,
    timeout: 30_000,
    clockOffset: undefined,
    clocks: { ...systemClocks, ...host },
  })
}

async function feedMany(
  protocol: Protocol,
  truth: Recorded,
  foreign: Recorded,
  chance: Chance,
  times: number,
  tally: Tally,
): Promise<void> {
  for (let left = times; left > 0; left -= abreast) {
    await Promise.all(Array.from({ length: Math.min(abreast, left) }, () => feed(protocol, truth, foreign, chance, tally)))
  }
}

const abreast = 100

/** One connection to a server that greets as it should, mostly, and then answers with mutated bytes. */
async function feed(protocol: Protocol, truth: Recorded, foreign: Recorded, chance: Chance, tally: Tally): Promise<void> {
  const inGreeting = chance.next() < 0.1
  const greeting = inGreeting ? mutated(truth.greeting, foreign, chance) : truth.greeting
  const line = new Line(greeting, inGreeting ? truth.replies : mutated(truth.replies, foreign, chance), chance)
  const connection = connect(protocol, {
    dial: (connected) => line.dial(connected),
    onReady: () => line.noteReady(),
    onEnd: () => {},
  })
  let flight: Flight | undefined
  connection.send(
    connection.protocol.flight(requests, Number.POSITIVE_INFINITY, (settled) => {
      flight = settled
    }),
  )
  await line.fed
  await turnsOfLoop(3)
  if (line.destroyed) tally.refused++
  // Half an answer may still be completed; with the end of the connection it is over.
  else line.push(null)
  for (let turn = 0; turn < 5 && flight === undefined; turn++) await turnOfLoop()
  if (flight === undefined) tally.hanging++
  else judge(flight, tally)
  line.destroy()
}

function judge({ answers }: Flight, tally: Tally): void {
  for (const [index, answer] of answers.entries()) {
    const { op } = requests[index] as StoreRequest
    const isLost = 'error' in answer && ['STORE_UNAVAILABLE', 'VALUE_TOO_LARGE'].includes(answer.error.code)
    if (fitting[op].includes(answer.result) && !('error' in answer)) tally.answered++
    else if (!isLost) tally.misfits.push(`${op}: ${answer.result}`)
  }
}

/** The client's end of a connection, without a network. */
class Line extends Duplex {
  readonly connecting = false
  readonly fed: Promise<void>
  isReady = false
  #greeting: Buffer | undefined
  readonly #replies: Buffer
  readonly #chance: Chance
  #noteFed: () => void = () => {}

  constructor(greeting: Buffer, replies: Buffer, chance: Chance) {
    super()
    this.#greeting = greeting
    this.#replies = replies
    this.#chance = chance
    this.fed = new Promise((resolve) => {
      this.#noteFed = resolve
    })
    this.once('close', () => this.#noteFed())
  }

  dial(connected: () => void): Socket {
    setImmediate(connected)
    return this as unknown as Socket
  }

  noteReady(): void {
    this.isReady = true
  }

  setNoDelay(): void {}
  setKeepAlive(): void {}
  ref(): void {}
  unref(): void {}

  override _read(): void {}

  override _write(_bytes: Buffer, _encoding: string, done: () => void): void {
    done()
    const isFlight = this.isReady
    setImmediate(() => (isFlight ? this.#answerFlight() : this.#answerGreeting()))
  }

  /** The greeting is asked for by several writes and answered by the first; the flight comes when the greeting was understood. */
  #answerGreeting(): void {
    const greeting = this.#greeting
    if (greeting === undefined || this.destroyed) return
    this.#greeting = undefined
    this.#pushInPieces(greeting)
    void turnsOfLoop(4).then(() => this.isReady || this.#noteFed())
  }

  #answerFlight(): void {
    if (!this.destroyed) this.#pushInPieces(this.#replies)
    this.#noteFed()
  }

  #pushInPieces(bytes: Buffer): void {
    let at = 0
    while (at < bytes.length) {
      const end = this.#chance.next() < 0.7 ? bytes.length : at + 1 + this.#chance.below(bytes.length - at)
      this.push(bytes.subarray(at, end))
      at = end
    }
  }
}

type Mutation = (bytes: Buffer, chance: Chance, foreign: Recorded) => Buffer

const mutations: readonly Mutation[] = [
  (bytes, chance) => changed(bytes, chance, (byte) => byte ^ (1 << chance.below(8))),
  (bytes, chance) => changed(bytes, chance, () => chance.below(256)),
  (bytes, chance) => changed(bytes, chance, () => chance.pick([0, 0x0a, 0x0d, 0x20, 0x30, 0x39, 0x80, 0x81, 0xff])),
  (bytes, chance) => bytes.subarray(0, chance.below(bytes.length)),
  (bytes, chance) => spliced(bytes, chance, chance.below(40), Buffer.alloc(0)),
  (bytes, chance) =>
    spliced(bytes, chance, 0, Buffer.from(Array.from({ length: 1 + chance.below(40) }, () => chance.below(256)))),
  (bytes, chance) => {
    const from = chance.below(bytes.length)
    return spliced(bytes, chance, 0, bytes.subarray(from, from + chance.below(80)))
  },
  (bytes, chance, foreign) =>
    spliced(bytes, chance, chance.below(20), chance.pick([foreign.greeting, foreign.replies, ...lines])),
  (bytes, chance) => {
    const at = chance.below(bytes.length)
    return Buffer.concat([bytes.subarray(at), bytes.subarray(0, at)])
  },
  // Numbers that are far too large: lengths, sizes, versions.
  (bytes, chance) => spliced(bytes, chance, 4, Buffer.from([0xff, 0xff, 0xff, chance.below(256)])),
  (bytes, chance) =>
    Buffer.from(
      bytes
        .toString('latin1')
        .replace(/\d+/g, (digits) => (chance.next() < 0.1 ? `${digits}${'9'.repeat(chance.below(30))}` : digits)),
      'latin1',
    ),
  (bytes, chance) => Buffer.concat([bytes, bytes.subarray(chance.below(bytes.length))]),
]

const lines = [
  'ERROR\r\n',
  'CLIENT_ERROR bad command line format\r\n',
  'SERVER_ERROR out of memory storing object\r\n',
  'SERVER_ERROR object too large for cache\r\n',
  'HTTP/1.1 400 Bad Request\r\n\r\n',
  'VA 4294967295 c1 O1\r\n',
  'VA -1 c1 O1\r\n',
  'HD O1\r\n',
  'EN\r\n',
  `VA 2${'0'.repeat(400)}\r\n`,
].map((line) => Buffer.from(line))

function mutated(bytes: Buffer, foreign: Recorded, chance: Chance): Buffer {
  let result = bytes
  for (let times = 1 + chance.below(3); times > 0 && result.length > 0; times--) {
    result = chance.pick(mutations)(result, chance, foreign)
  }
  return result
}

function changed(bytes: Buffer, chance: Chance, change: (byte: number) => number): Buffer {
  const copy = Buffer.from(bytes)
  const at = chance.below(copy.length)
  copy[at] = change(copy[at] as number)
  return copy
}

function spliced(bytes: Buffer, chance: Chance, cut: number, inserted: Buffer): Buffer {
  const at = chance.below(bytes.length)
  return Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at + cut)])
}

function turnOfLoop(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

async function turnsOfLoop(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await turnOfLoop()
}

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

/** In bytes, buffers included. */
function memoryInUse(): number {
  collectGarbage()
  collectGarbage()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
