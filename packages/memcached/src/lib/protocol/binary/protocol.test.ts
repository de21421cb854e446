import { inspect } from 'node:util'
import type { Flight, StoreRequest } from 'fieldwise/store-contract'
import memjs from 'memjs'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { complaint, told } from '../../../../../../test/support/flights.js'
import { type BinaryReply, binaryReply } from '../../../../../../test/support/scripted-server.js'
import { Outbox } from '../../connection/outbox.js'
import { type Command, ProtocolError, type ProtocolHost } from '../../connection/protocol.js'
import { BinaryProtocol } from './protocol.js'

afterEach(() => {
  vi.restoreAllMocks()
})

const now = Date.UTC(2026, 0, 1)
const value = Buffer.from('value')
const version = {}

function protocol(itemSizeMax = 1_048_576): BinaryProtocol {
  const host: ProtocolHost = { serverTime: () => now, itemSizeMax, ask: () => {} }
  return new BinaryProtocol(host, undefined)
}

/** A flight as it is sent, and its answers once they are all read. */
function flight(requests: readonly StoreRequest[], on = protocol()) {
  let resolve: (flight: Flight) => void = () => {}
  const answers = new Promise<Flight>((settle) => {
    resolve = settle
  })
  const command = on.flight(requests, Number.POSITIVE_INFINITY, (result) => resolve(result))
  const out = new Outbox()
  command.encode(out)
  return { exchange: command, bytes: bytesOf(out), answers }
}

function bytesOf({ parts }: Outbox): Buffer {
  return Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part, 'latin1') : part)))
}

function requestsIn(bytes: Buffer): { opcode: number; opaque: number; cas: bigint; body: Buffer }[] {
  const found = []
  for (let at = 0; at < bytes.length; at += 24 + bytes.readUInt32BE(at + 8)) {
    const body = bytes.subarray(at + 24, at + 24 + bytes.readUInt32BE(at + 8))
    found.push({
      opcode: bytes[at + 1] as number,
      opaque: bytes.readUInt32BE(at + 12),
      cas: bytes.readBigUInt64BE(at + 16),
      body,
    })
  }
  return found
}

/** The reply to the `index`th request of a flight, right unless said otherwise. */
function replyTo(bytes: Buffer, index: number, reply: BinaryReply): Buffer {
  const { opcode, opaque } = requestsIn(bytes)[index] as { opcode: number; opaque: number }
  const request = {
    command: 'other',
    key: '',
    version: undefined,
    exptime: undefined,
    value,
    word: String(opcode),
    line: '',
    opaque,
  } as const
  return binaryReply(request, reply)
}

function hit(bytes: Buffer, index = 0, reply: BinaryReply = {}): Buffer {
  return replyTo(bytes, index, { extras: Buffer.alloc(4), value, version: '7', ...reply })
}

async function answerTo(request: StoreRequest, reply: BinaryReply): Promise<string> {
  const { exchange: command, bytes, answers } = flight([request])
  const answer = replyTo(bytes, 0, reply)
  expect(command.read(answer, 0)).toBe(answer.length)
  expect(command.complete).toBe(true)
  command.settle(now)
  return told((await answers).answers[0])
}

const get: StoreRequest = { op: 'get', key: 'k' }
const add: StoreRequest = { op: 'add', key: 'k', value, ttl: 60_000 }
const replace: StoreRequest = { op: 'replace', key: 'k', value, ttl: 60_000 }
const remove: StoreRequest = { op: 'delete', key: 'k' }
const touch: StoreRequest = { op: 'touch', key: 'k', ttl: 60_000 }
const renew: StoreRequest = { op: 'getAndTouch', key: 'k', ttl: 60_000 }

describe('what leaves over the binary protocol', () => {
  test('a request is byte for byte what memjs builds, for every length of key and beyond ASCII', () => {
    const extras = Buffer.from('000000000000003c', 'hex')
    for (const key of ['é', 'é'.repeat(125), '日本', ...Array.from({ length: 250 }, (_, n) => 'x'.repeat(n + 1))]) {
      expect(flight([{ ...get, key }]).bytes).toEqual(memjs.Utils.makeRequestBuffer(0x00, key, '', '', 1))
      expect(flight([{ ...add, key }]).bytes).toEqual(memjs.Utils.makeRequestBuffer(0x02, key, extras, value, 1))
      expect(flight([{ ...replace, key }]).bytes).toEqual(memjs.Utils.makeRequestBuffer(0x03, key, extras, value, 1))
      expect(flight([{ ...remove, key }]).bytes).toEqual(memjs.Utils.makeRequestBuffer(0x04, key, '', '', 1))
      expect(flight([{ ...touch, key }]).bytes).toEqual(memjs.Utils.makeRequestBuffer(0x1c, key, extras.subarray(4), '', 1))
    }
  })

  test('values of every length leave as they are', () => {
    const extras = Buffer.from('000000000000003c', 'hex')
    for (const length of [0, 255, 256, 65_535, 65_536, 1_000_000]) {
      const large = Buffer.alloc(length, 0xff)
      const { bytes } = flight([{ ...add, value: large }])
      expect(bytes.equals(memjs.Utils.makeRequestBuffer(0x02, 'k', extras, large, 1))).toBe(true)
    }
  })

  test.each([
    [add, 18446744073709551614n],
    [replace, 4294967296n],
    [replace, 4294967295n],
  ])('the version that a write is answered with goes back as it was read (%j, %s)', async (write, cas) => {
    const on = protocol()
    const written = flight([write], on)
    written.exchange.read(replyTo(written.bytes, 0, { version: String(cas) }), 0)
    written.exchange.settle(now)
    const [answer] = (await written.answers).answers
    expect(answer).toMatchObject({ result: 'stored' })
    const { version } = answer as { version: object }
    expect(requestsIn(flight([{ ...replace, version }], on).bytes)).toMatchObject([{ opcode: 3, cas }])
  })

  test('a write that is answered without a version has none', async () => {
    const { exchange: command, bytes, answers } = flight([add, replace])
    command.read(replyTo(bytes, 0, {}), 0)
    command.read(replyTo(bytes, 1, {}), 0)
    command.settle(now)
    expect((await answers).answers).toStrictEqual([{ result: 'stored' }, { result: 'stored' }])
  })

  test.each<[StoreRequest, number, string]>([
    [add, 0x02, '00000000 0000003c 6b 76616c7565'],
    [replace, 0x03, '00000000 0000003c 6b 76616c7565'],
    [remove, 0x04, '6b'],
    [touch, 0x1c, '0000003c 6b'],
    [renew, 0x1d, '0000003c 6b'],
    [{ ...touch, ttl: 1 }, 0x1c, '00000001 6b'],
    [{ ...touch, ttl: 31 * 86_400_000 }, 0x1c, '697e9781 6b'],
  ])('%j', (request, opcode, body) => {
    const [sent] = requestsIn(flight([request]).bytes)
    expect(sent).toEqual({ opcode, opaque: 1, cas: 0n, body: Buffer.from(body.replaceAll(' ', ''), 'hex') })
  })

  test('a version goes into the header of a replace as it was read, on this connection alone', async () => {
    const on = protocol()
    const read = flight([get], on)
    read.exchange.read(hit(read.bytes, 0, { version: '18446744073709551614' }), 0)
    read.exchange.settle(now)
    const [answer] = (await read.answers).answers
    const found = answer?.result === 'found' ? answer.version : version
    expect(requestsIn(flight([{ ...replace, version: found }], on).bytes)).toMatchObject([
      { opcode: 3, cas: 18446744073709551614n },
    ])
    for (const [stale, other] of [
      [found, protocol()],
      [version, on],
    ] as const) {
      const { bytes, exchange: command, answers } = flight([{ ...replace, version: stale }], other)
      expect([bytes.length, command.complete]).toEqual([0, true])
      command.settle(now)
      expect((await answers).answers).toEqual([{ result: 'stale' }])
    }
  })

  test('requests are numbered on and on, past 2^31 and round at 2^32', () => {
    const incrSeq = memjs.Client.prototype.incrSeq
    const start = (seq: number) => {
      vi.spyOn(memjs.Client.prototype, 'incrSeq').mockImplementationOnce(function (this: memjs.Client) {
        ;(this as { seq: number }).seq = seq
        incrSeq.call(this)
      })
    }
    for (const [seq, expected] of [
      [0x7ffffffe, [0x7fffffff, 0x80000000, 0x80000001]],
      [-2, [0xffffffff, 0, 1]],
    ] as const) {
      start(seq)
      const { bytes, exchange: command } = flight([get, get, get])
      expect(requestsIn(bytes).map(({ opaque }) => opaque)).toEqual(expected)
      const replies = Buffer.concat([0, 1, 2].map((index) => hit(bytes, index)))
      let at = 0
      while (at < replies.length) at = command.read(replies, at)
      expect(command.complete).toBe(true)
      vi.restoreAllMocks()
    }
  })
})

describe('what a binary reply means', () => {
  const notFound = { status: 1, value: 'Not found' }
  test.each<[StoreRequest, BinaryReply, string]>([
    [get, { extras: Buffer.alloc(4), value, version: '7' }, 'found value'],
    [get, { extras: Buffer.alloc(4), version: '7' }, 'found '],
    [get, notFound, 'missing'],
    [add, {}, 'stored'],
    [add, { status: 2, value: 'exists' }, 'conflict'],
    [add, { status: 0x82 }, 'unsent STORE_UNAVAILABLE'],
    [add, { status: 3 }, 'unsent VALUE_TOO_LARGE'],
    [replace, {}, 'stored'],
    [replace, notFound, 'missing'],
    [replace, { status: 2 }, 'conflict'],
    [replace, { status: 0x82 }, 'unsent STORE_UNAVAILABLE'],
    [replace, { status: 3 }, 'unsent VALUE_TOO_LARGE'],
    [remove, {}, 'done'],
    [remove, notFound, 'missing'],
    [touch, { extras: Buffer.alloc(4) }, 'done'],
    [touch, notFound, 'missing'],
    [renew, { extras: Buffer.alloc(4), value: 'v', version: '7' }, 'found v'],
    [renew, notFound, 'missing'],
  ])('%j %j', async (request, reply, answer) => {
    expect(await answerTo(request, reply)).toBe(answer)
  })

  test('an item that the server has no room for is said to be so', async () => {
    const { exchange: command, bytes, answers } = flight([add])
    command.read(replyTo(bytes, 0, { status: 0x82 }), 0)
    command.settle(now)
    expect(complaint((await answers).answers[0])).toMatch(/no memory/)
  })

  test('a value that the server has no room for is too large by a byte at least', async () => {
    const { exchange: command, bytes, answers } = flight([add])
    command.read(replyTo(bytes, 0, { status: 3 }), 0)
    command.settle(now)
    expect(complaint((await answers).answers[0])).toBe(
      "'k' takes 5 bytes, and an item of the store holds at most 4; nothing was stored. Store less, or split the field",
    )
  })

  test.each<[string, StoreRequest, (bytes: Buffer) => Buffer, RegExp]>([
    ['another magic', get, (bytes) => hit(bytes, 0, { magic: 0x80, value: Buffer.alloc(200) }), /does not allow/],
    ['another opcode', get, (bytes) => hit(bytes, 0, { opcode: 9 }), /another request/],
    ['another number', get, (bytes) => hit(bytes, 0, { opaque: 2 }), /another request/],
    ['the number of a request to come', get, (bytes) => hit(bytes, 0, { opaque: 0 }), /another request/],
    ['a key that nobody asked for', get, (bytes) => hit(bytes, 0, { key: 'k' }), /lengths/],
    ['flags of another size', get, (bytes) => hit(bytes, 0, { extras: Buffer.alloc(3) }), /lengths/],
    ['no version', get, (bytes) => hit(bytes, 0, { version: '0' }), /-C/],
    ['more than an item', get, (bytes) => hit(bytes, 0, { value: Buffer.alloc(1_048_577) }), /larger than any to this request/],
    [
      'a long answer to a delete',
      remove,
      (bytes) => replyTo(bytes, 0, { value: Buffer.alloc(1_025) }),
      /larger than any to this/,
    ],
    ['"exists" to a get', get, (bytes) => hit(bytes, 0, { status: 2 }), /status 0x2/],
    ['"missing" to an add', add, (bytes) => replyTo(bytes, 0, { status: 1 }), /status 0x1/],
    ['"exists" to a delete', remove, (bytes) => replyTo(bytes, 0, { status: 2 }), /status 0x2/],
    ['"too large" to a get', get, (bytes) => replyTo(bytes, 0, { status: 3 }), /status 0x3/],
    ['"log in"', get, (bytes) => replyTo(bytes, 0, { status: 0x20 }), /asks for a password/],
    ['"unknown command"', touch, (bytes) => replyTo(bytes, 0, { status: 0x81 }), /does not know a command/],
    ['"internal error"', replace, (bytes) => replyTo(bytes, 0, { status: 0x84 }), /status 0x84/],
    ['too many connections', get, () => Buffer.from('ERROR Too many open connections\r\n'), /no connection left/],
    ['HTTP', get, () => Buffer.from('HTTP/1.1 400 Bad Request\r\n'), /HTTP server/],
    ['a TLS alert', get, () => Buffer.from('15030300020228', 'hex'), /expects TLS/],
    ['a long line of noise', get, () => Buffer.alloc(128, 'n'), /does not allow/],
  ])('%s is the end of the connection', (_what, request, reply, message) => {
    const { exchange: command, bytes } = flight([request])
    const error = thrownBy(() => command.read(reply(bytes), 0))
    expect(error).toBeInstanceOf(ProtocolError)
    expect(String(error)).toMatch(message)
  })

  test('lengths that contradict each other are the end of it, before anything waits for them', () => {
    const { exchange: command, bytes } = flight([get])
    const reply = hit(bytes)
    reply.writeUInt32BE(3, 8)
    expect(() => command.read(reply, 0)).toThrow(/lengths contradict/)
  })

  test('a reply that is not all there asks for what is missing: first its header, then all of it', () => {
    const { exchange: command, bytes } = flight([get])
    const reply = hit(bytes)
    const stream = Buffer.concat([Buffer.from('###'), reply])
    for (let end = 4; end < 27; end++) expect(command.read(stream.subarray(0, end), 3)).toBe(-24)
    for (let end = 27; end < stream.length; end++) expect(command.read(stream.subarray(0, end), 3)).toBe(-reply.length)
    expect(command.read(stream, 3)).toBe(stream.length)
    expect(command.complete).toBe(true)
  })

  test('a foreign text that is not all there is waited for, up to a line', () => {
    const { exchange: command } = flight([get])
    expect(command.read(Buffer.from('ERR'), 0)).toBe(-4)
    expect(command.read(Buffer.alloc(127, 'n'), 0)).toBe(-128)
  })

  test('text from a server is never repeated in an error', () => {
    const { exchange: command } = flight([get])
    const error = thrownBy(() => command.read(Buffer.from('canary\r\n'), 0))
    expect(inspect(error, { showHidden: true, depth: 9 })).not.toContain('canary')
  })
})

describe('a binary flight that fails', () => {
  const error = new ProtocolError('gone') as never

  test('half-way keeps the answers that it has', async () => {
    const { exchange: command, bytes, answers } = flight([get, get, { op: 'get', key: 'a b' }, get])
    command.read(hit(bytes, 0), 0)
    command.fail('unanswered', error)
    command.fail('unsent', error)
    expect((await answers).answers.map(({ result }) => result)).toEqual(['found', 'unanswered', 'unsent', 'unanswered'])
    expect((await answers).serverTime).toBe(now)
  })

  test('still reads the replies that come late, and gives them to nobody', async () => {
    const { exchange: command, bytes, answers } = flight([get, { op: 'get', key: 'a b' }, get])
    command.fail('unanswered', error)
    const given = (await answers).answers
    expect(command.read(hit(bytes, 0), 0)).toBeGreaterThan(0)
    expect(command.complete).toBe(false)
    expect(command.read(hit(bytes, 1), 0)).toBeGreaterThan(0)
    expect(command.complete).toBe(true)
    command.settle(now)
    expect(given.map(({ result }) => result)).toEqual(['unanswered', 'unsent', 'unanswered'])
  })

  test('before it was sent is unsent', async () => {
    const on = protocol()
    const failed = new Promise<Flight>((resolve) => on.flight([get], 0, resolve).fail('unsent', error))
    expect((await failed).answers).toEqual([{ result: 'unsent', error }])
  })
})

describe('memjs', () => {
  test('carries each flight, and its outcome, once', async () => {
    const outcomes: unknown[] = []
    const { perform } = memjs.Client.prototype
    vi.spyOn(memjs.Client.prototype, 'perform').mockImplementation(function (this: memjs.Client, key, request, seq, callback) {
      perform.call(this, key, request, seq, (error, at) => {
        outcomes.push(error ?? at)
        callback?.(error, at)
      })
    })
    const gone = new ProtocolError('gone')
    const answered = flight([get, get])
    for (const index of [0, 1]) answered.exchange.read(hit(answered.bytes, index), 0)
    answered.exchange.settle(7)
    answered.exchange.settle(8)
    answered.exchange.fail('unanswered', gone as never)
    const failed = flight([get])
    failed.exchange.fail('unanswered', gone as never)
    failed.exchange.fail('unanswered', gone as never)
    failed.exchange.settle(9)
    expect(outcomes).toEqual([7, gone])
    expect((await answered.answers).serverTime).toBe(7)
    expect((await failed.answers).serverTime).toBe(now)
  })

  test('is not asked about what is not sent', async () => {
    const perform = vi.spyOn(memjs.Client.prototype, 'perform')
    const { exchange: command, answers } = flight([{ op: 'get', key: 'a b' }])
    command.settle(7)
    expect((await answers).serverTime).toBe(7)
    expect(perform).not.toHaveBeenCalled()
  })

  test('takes the next flight after one that failed', () => {
    const on = protocol()
    flight([get], on).exchange.fail('unanswered', new ProtocolError('gone') as never)
    expect(requestsIn(flight([get], on).bytes)).toMatchObject([{ opcode: 0, opaque: 2 }])
  })
})

test('memjs gets no word in: a lost answer is logged nowhere and sent once', async () => {
  const log = vi.spyOn(console, 'log')
  const { exchange: command, answers } = flight([add])
  command.fail('unanswered', new ProtocolError('gone') as never)
  await answers
  expect(log).not.toHaveBeenCalled()
})

test('a ping is a noop', async () => {
  const at = new Promise((resolve, reject) => {
    const command: Command = protocol().ping(1, { resolve, reject })
    const out = new Outbox()
    command.encode(out)
    const bytes = bytesOf(out)
    expect(bytes).toEqual(memjs.Utils.makeRequestBuffer(0x0a, '', '', '', 1))
    command.read(replyTo(bytes, 0, {}), 0)
    expect(command.complete).toBe(true)
    command.settle(5)
  })
  expect(await at).toBe(5)
})

function thrownBy(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
  return undefined
}
