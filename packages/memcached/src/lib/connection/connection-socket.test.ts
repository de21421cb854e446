import { EventEmitter } from 'node:events'
import type { Socket } from 'node:net'
import { type FieldwiseError, StoreUnavailableError } from 'fieldwise'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { turn } from '../../../../../test/support/virtual-time.js'
import type { Clocks } from './clocks.js'
import { Connection, type ConnectionOptions } from './connection.js'
import type { Bytes, Outbox } from './outbox.js'
import { type Command, type Fate, type Protocol, ProtocolError, type ServerFacts } from './protocol.js'

/** One connection over a socket, a protocol and a time of the test's own. */

const facts: ServerFacts = { version: '1.6.18', itemSizeMax: 4_096_000, time: 1_700_000_000, evicts: true }
const connectTimeout = 1_000
const timeout = 400

let start: number
let socket: TestSocket
let protocol: TestWire
let ended: FieldwiseError[]
let ready: ServerFacts[]

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

const now = () => Date.now() - start
/** Time passes for all clocks alike, and who has waited is woken when the sockets were read. */
const clocks: Clocks = {
  running: now,
  monotonic: now,
  wall: () => Date.now(),
  sleep: (milliseconds) =>
    new Promise((wake) => setTimeout(() => setImmediate(wake), Math.max(0, Math.ceil(milliseconds))).unref()),
}

function connection(options: Partial<ConnectionOptions> = {}): Connection {
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
async function opened(options: Partial<ConnectionOptions> = {}): Promise<Connection> {
  const one = connection(options)
  socket.connected()
  protocol.greeted.resolve(facts)
  await settled()
  socket.log.length = 0
  return one
}

/** Sends calls, and lets the turn of the event loop end. */
async function send(over: Connection, ...calls: Call[]): Promise<void> {
  for (const call of calls) over.send(call)
  await turn()
}

/** Time passes, and the turn of the event loop that it brings ends. */
async function pass(milliseconds: number): Promise<void> {
  vi.advanceTimersByTime(milliseconds)
  await turn()
}

const received = (text: string) => socket.emit('data', Buffer.from(text))
const complaints = () => ended.map(({ message }) => message)

describe('while it connects, a connection', () => {
  test.each([
    [true, 'cache-1 could not be reached within 1000 ms'],
    [
      false,
      'cache-1 takes connections but did not say what it is within 1000 ms: is it overloaded? And perhaps it is something else',
    ],
  ])('is given up at its connect timeout, and not before (still connecting: %s)', async (connecting, message) => {
    connection()
    socket.connecting = connecting
    await pass(connectTimeout - 1)
    expect(ended).toEqual([])
    await pass(1)
    expect(complaints()).toEqual([message])
    expect(ended[0]).toBeInstanceOf(StoreUnavailableError)
    expect(socket.log).toEqual(['destroy'])
  })

  test('gives the greeting the same time, and small packets their way at once', async () => {
    connection()
    await pass(100)
    socket.connected()
    expect(socket.log).toEqual(['setNoDelay true', 'setKeepAlive true 30000'])
    expect(protocol.greetedBy).toBe(connectTimeout)
  })

  test('sends nothing before the greeting is over, then all in one write', async () => {
    const one = connection()
    socket.connected()
    await send(one, new Call('a'), new Call('b'))
    expect(socket.written).toEqual([])
    protocol.greeted.resolve(facts)
    await settled()
    await turn()
    expect(socket.written).toEqual(['a\nb\n'])
  })

  test('is ready once it was greeted, and knows what the server told', async () => {
    const one = connection()
    expect([one.ready, one.clockOffset]).toEqual([false, Number.NaN])
    socket.connected()
    await pass(50)
    protocol.greeted.resolve(facts)
    await settled()
    expect([one.ready, one.itemSizeMax, ready]).toEqual([true, 4_096_000, [facts]])
    expect(one.serverTime()).toBe(facts.time * 1_000)
    await pass(7)
    expect(one.serverTime()).toBe(facts.time * 1_000 + 7)
  })

  test('that has ended is not greeted, and does not become ready', async () => {
    const one = connection()
    one.end(() => new StoreUnavailableError('enough'))
    socket.connected()
    expect(protocol.greetedBy).toBeUndefined()

    const other = connection()
    socket.connected()
    other.end(() => new StoreUnavailableError('enough'))
    protocol.greeted.resolve(facts)
    await settled()
    expect([other.ready, ready]).toEqual([false, []])
  })

  test('ends with what the protocol says is wrong with the server, in words of the peer', async () => {
    connection()
    socket.connected()
    protocol.greeted.reject(new ProtocolError('is not memcached'))
    await settled()
    expect(complaints()).toEqual(['cache-1 is not memcached'])
    expect(ended[0]?.cause).toBeUndefined()
  })

  test('ends with what a call of the greeting was told', async () => {
    connection()
    socket.connected()
    protocol.greeted.reject(new StoreUnavailableError('refused', facts))
    await settled()
    expect(complaints()).toEqual(['refused'])
    expect(ended[0]?.cause).toBe(facts)
  })

  test('that is closed says what the server may be; one that was ready does not', async () => {
    connection()
    socket.emit('end')
    await opened()
    socket.emit('close')
    expect(complaints()).toEqual([
      'cache-1 closes connections before it says what it is: perhaps it is something else',
      'cache-1 closed the connection',
    ])
  })

  test('takes what is asked for the greeting at once, and in one write with what is asked beside it', async () => {
    const one = connection()
    await pass(5)
    const call = new Call('version', { isDated: false })
    one.ask(call)
    expect([call.calledAt, call.sentAt]).toEqual([5, 5])
    expect(socket.log).toEqual(['cork', 'write version\n latin1'])
    await new Promise<void>((resolve) => process.nextTick(resolve))
    expect(socket.log).toEqual(['cork', 'write version\n latin1', 'uncork'])
    received('version\n')
    expect(call.outcome).toMatchObject({ settled: true })
    expect(socket.log).not.toContain('unref')
  })
})

describe('the clock of the server', () => {
  const read = facts.time * 1_000

  test.each([
    ['unknown so far: as told', undefined, read],
    ['known better from before, within the second that is not told: as before', read + 999, read + 999],
    ['a whole second ahead of what is told: as told, since the clock was set', read + 1_000, read],
    ['behind what is told: as told', read - 1, read],
  ])('is %s', async (_what, clockOffset, expected) => {
    expect((await opened({ clockOffset })).clockOffset).toBe(expected)
  })

  test('is read again with the first call more than ten minutes later, and once', async () => {
    const one = await opened()
    await pass(600_000)
    await send(one, new Call('a'))
    received('a\n')
    expect(protocol.timesRead).toEqual([])
    await pass(1)
    await send(one, new Call('b'))
    received('b\n')
    await send(one, new Call('c'))
    received('c\n')
    expect(protocol.timesRead).toEqual([600_001 + timeout])
    protocol.time.resolve(facts.time + 600)
    await settled()
    expect(one.clockOffset).toBe(read)
    protocol.time = new Told()
    await pass(600_001)
    await send(one, new Call('d'))
    received('d\n')
    protocol.time.resolve(facts.time + 1_300)
    await settled()
    expect(one.clockOffset).toBe(read + 1_300_000 - 1_200_002)
  })

  test('that cannot be read any more ends the connection', async () => {
    const one = await opened()
    await pass(600_001)
    await send(one, new Call('a'))
    received('a\n')
    protocol.time.reject(new ProtocolError('tells no time'))
    await settled()
    expect(complaints()).toEqual(['cache-1 tells no time'])
  })
})

describe('the clock of the server, when this process or its machine stood still,', () => {
  const read = facts.time * 1_000
  let lost: number
  beforeEach(() => {
    lost = 0
  })
  /** The monotonic clock loses what a sleeping machine sleeps. */
  const asleep = () => ({ clocks: { ...clocks, running: () => now() - lost, monotonic: () => now() - lost } })
  function sleep(milliseconds: number): void {
    vi.setSystemTime(Date.now() + milliseconds)
    lost += milliseconds
  }

  test('is read once more before anything is sent, where the answer of the greeting had lain unread', async () => {
    const one = connection({ clocks: { ...clocks, running: () => Math.min(now(), 100) } })
    socket.connected()
    const call = new Call('a')
    one.send(call)
    await pass(65_000)
    protocol.greeted.resolve(facts)
    await settled()
    expect([one.ready, protocol.timesRead]).toEqual([false, [100 + timeout]])
    protocol.time.resolve(facts.time + 65)
    await settled()
    await turn()
    expect([one.ready, one.serverTime(), socket.written]).toEqual([true, read + 65_000, ['a\n']])
  })

  test('is read before what was sent after the machine slept is dated, and before it is told', async () => {
    const one = await opened(asleep())
    await send(one, new Call('a'))
    received('a\n')
    sleep(3_600_000)
    const [call, waiting] = [new Call('b'), new Call('now', { parts: [], replies: 0 })]
    await send(one, call, waiting)
    expect(protocol.timesRead).toHaveLength(1)
    received('b\n')
    expect([call.outcome, waiting.outcome]).toEqual([undefined, undefined])
    protocol.time.resolve(facts.time + 3_600)
    await settled()
    const dated = { settled: true, at: read + 3_600_000 }
    expect([call.outcome, waiting.outcome]).toEqual([dated, dated])
  })

  test('is read before what was under way when the machine slept is dated', async () => {
    const one = await opened(asleep())
    const call = new Call('a')
    await send(one, call)
    sleep(3_600_000)
    received('a\n')
    expect([call.outcome, protocol.timesRead.length]).toEqual([undefined, 1])
    protocol.time.resolve(facts.time + 3_600)
    await settled()
    expect(call.outcome).toEqual({ settled: true, at: read + 3_600_000 })
  })

  test.each(['its deadline', 'the end of the connection'])('leaves what it could not date open at %s', async (what) => {
    const one = await opened(asleep())
    const call = new Call('a', { deadline: 50 })
    await send(one, call)
    sleep(3_600_000)
    received('a\n')
    if (what === 'its deadline') await pass(50)
    else socket.emit('close')
    expect(call.outcome?.fate).toBe('unanswered')
  })

  test('is right after a wall clock was set, whichever way', async () => {
    const one = await opened({ clocks: { ...clocks, wall: () => Date.now() - lost } })
    lost = 7_200_000
    const call = new Call('a')
    await send(one, call)
    received('a\n')
    protocol.time.resolve(facts.time)
    await settled()
    expect(call.outcome).toEqual({ settled: true, at: read })
    expect(ended).toEqual([])
  })
})

describe('the errors of what a connection could not do', () => {
  test('are one for each call, so that whoever changes one changes no other', async () => {
    const one = await opened()
    const calls = ['a', 'b', 'c'].map((name) => new Call(name))
    await send(one, ...calls.slice(0, 2))
    one.send(calls[2] as Call)
    socket.emit('close')
    const late = new Call('late')
    one.send(late)
    const errors = [...calls, late].map(({ error }) => error)
    expect(new Set(errors).size).toBe(4)
    expect(new Set([...errors, ...ended].map((error) => error?.message)).size).toBe(1)
  })
})

describe('a call', () => {
  test('is answered with the server’s time when its reply came', async () => {
    const one = await opened()
    const [a, b] = [new Call('a'), new Call('b')]
    await pass(3)
    await send(one, a, b)
    expect([a.calledAt, a.sentAt]).toEqual([3, 3])
    await pass(4)
    received('a\n')
    expect(b.outcome).toBeUndefined()
    await pass(5)
    received('b\n')
    expect([a.outcome, b.outcome]).toEqual([
      { settled: true, at: one.serverTime() - 5 },
      { settled: true, at: one.serverTime() },
    ])
    expect(socket.written).toEqual(['a\nb\n'])
  })

  test('may have its reply in pieces, and several replies may come in one', async () => {
    const one = await opened()
    const calls = ['first', 'second', 'third'].map((name) => new Call(name))
    await send(one, ...calls)
    for (const piece of ['fir', 'st\nse', 'cond\nthird\n']) received(piece)
    expect(calls.map((call) => call.outcome?.settled)).toEqual([true, true, true])
    expect(ended).toEqual([])
  })

  test('of several replies is answered after the last one', async () => {
    const one = await opened()
    const [two, next] = [new Call('two', { replies: 2 }), new Call('next')]
    await send(one, two, next)
    received('two\n')
    expect(two.outcome).toBeUndefined()
    received('two\nnext\n')
    expect([two.outcome?.settled, next.outcome?.settled]).toEqual([true, true])
  })

  test('that has nothing to send is answered at once, and waits for nothing', async () => {
    const one = await opened()
    const [nothing, next] = [new Call('nothing', { parts: [], replies: 0 }), new Call('next')]
    await pass(3)
    await send(one, nothing)
    expect(nothing.outcome).toEqual({ settled: true, at: one.serverTime() })
    expect(socket.log).toEqual(['ref', 'unref'])
    await send(one, next)
    received('next\n')
    expect(next.outcome?.settled).toBe(true)
  })

  test('that was given up before it was sent is not sent', async () => {
    const one = await opened()
    const [a, b] = [new Call('a'), new Call('b')]
    one.send(a)
    one.send(b)
    a.fail('unsent', new StoreUnavailableError('given up'))
    await turn()
    expect(socket.written).toEqual(['b\n'])
  })

  test.each([
    ['at its deadline is not sent', 50, []],
    ['a moment before its deadline is sent', 51, ['a\n']],
  ])('whose turn comes %s', async (_what, deadline, written) => {
    const one = await opened()
    const call = new Call('a', { deadline })
    one.send(call)
    vi.setSystemTime(start + 50)
    await turn()
    expect(socket.written).toEqual(written)
    if (written.length > 0) return expect(call.outcome).toBeUndefined()
    expect(call.outcome).toMatchObject({ fate: 'unsent', message: 'cache-1 did not answer in time' })
  })

  test('has no more time than the connection gives, and no more than it wants', async () => {
    const one = await opened()
    await pass(10)
    const [long, short] = [new Call('long'), new Call('short', { deadline: 20 })]
    await send(one, long, short)
    expect([long.deadline, short.deadline]).toEqual([10 + timeout, 20])
  })

  test('after the end is answered with how it ended', async () => {
    const one = await opened()
    one.end(() => new StoreUnavailableError('enough'))
    const [sent, asked] = [new Call('a'), new Call('b')]
    await send(one, sent)
    one.ask(asked)
    expect([sent.outcome, asked.outcome]).toEqual([
      { fate: 'unsent', message: 'enough' },
      { fate: 'unsent', message: 'enough' },
    ])
    expect(socket.written).toEqual([])
  })

  test('beyond 10,000 that wait, sent ones included, is unsent', async () => {
    const one = await opened()
    const calls = Array.from({ length: 10_000 }, (_, index) => new Call(`${index}`))
    await send(one, ...calls.slice(0, 5_000))
    for (const call of calls.slice(5_000)) one.send(call)
    const beyond = new Call('beyond')
    one.send(beyond)
    expect(beyond.outcome).toEqual({ fate: 'unsent', message: 'cache-1 is overloaded: 10000 requests wait for an answer' })
    expect(calls.some((call) => call.outcome)).toBe(false)
    received('0\n')
    const next = new Call('next')
    one.send(next)
    expect(next.outcome).toBeUndefined()
  })
})

describe('a deadline', () => {
  test('of a call that was sent passes for it alone, and its late reply is for nobody', async () => {
    const one = await opened()
    const [late, next] = [new Call('late', { deadline: 50 }), new Call('next')]
    await send(one, late, next)
    await pass(49)
    expect(late.outcome).toBeUndefined()
    await pass(1)
    expect(late.outcome).toEqual({ fate: 'unanswered', message: 'cache-1 did not answer in time' })
    expect(next.outcome).toBeUndefined()
    received('late\nnext\n')
    expect([late.outcome?.fate, next.outcome?.settled, ended]).toEqual(['unanswered', true, []])
  })

  test('of a call that waits for the connection passes for it alone, unsent', async () => {
    const one = connection()
    const [late, next] = [new Call('late', { deadline: 50 }), new Call('next')]
    await send(one, next, late)
    await pass(50)
    expect(late.outcome).toEqual({ fate: 'unsent', message: 'cache-1 did not answer in time' })
    expect(next.outcome).toBeUndefined()
    await pass(timeout - 50)
    expect(next.outcome?.fate).toBe('unsent')
    expect(ended).toEqual([])
    await pass(connectTimeout - timeout)
    expect(ended).toHaveLength(1)
  })

  test('is kept by each call, in whatever order they come', async () => {
    const one = await opened()
    const calls = [70, 30, 50, 90].map((deadline) => new Call(`${deadline}`, { deadline }))
    await send(one, ...calls)
    const failed: number[][] = []
    for (let at = 10; at <= 90; at += 10) {
      await pass(10)
      failed.push(calls.filter((call) => call.outcome).map((call) => call.deadline))
    }
    expect(failed).toEqual([[], [], [30], [30], [30, 50], [30, 50], [70, 30, 50], [70, 30, 50], [70, 30, 50, 90]])
  })

  test('that is not a whole number of milliseconds is not looked at early', async () => {
    const one = await opened({ clocks: { ...clocks, running: () => now() + 0.5 } })
    const call = new Call('a', { deadline: 50.25 })
    await send(one, call)
    const set = vi.spyOn(globalThis, 'setTimeout')
    await pass(50)
    expect(call.outcome?.fate).toBe('unanswered')
    expect(set.mock.calls.filter(([, delay]) => delay === 0)).toEqual([])
  })

  test('that has passed gives the answers that have arrived meanwhile their turn first', async () => {
    const one = await opened()
    const call = new Call('a', { deadline: 50 })
    await send(one, call)
    vi.setSystemTime(start + 60)
    vi.advanceTimersToNextTimer()
    received('a\n')
    await turn()
    expect(call.outcome?.settled).toBe(true)
  })

  test('sets no timer where nothing waits any more', async () => {
    const one = await opened()
    await send(one, new Call('a', { deadline: 50 }))
    received('a\n')
    await pass(connectTimeout)
    expect(vi.getTimerCount()).toBe(0)
    expect(ended).toEqual([])
  })
})

describe('a connection is given up', () => {
  test('when a request that was sent has had no answer for the timeout', async () => {
    const one = await opened()
    const [a, b] = [new Call('a'), new Call('b')]
    await send(one, a)
    await pass(timeout - 1)
    await send(one, b)
    expect(ended).toEqual([])
    await pass(1)
    expect(complaints()).toEqual(['cache-1 did not answer within 400 ms'])
    expect([a.outcome?.fate, b.outcome?.fate]).toEqual(['unanswered', 'unanswered'])
  })

  test('not when only the deadlines of callers have passed', async () => {
    const one = await opened()
    await send(one, new Call('a', { deadline: 10 }), new Call('b', { deadline: 20 }))
    await pass(timeout - 1)
    expect(ended).toEqual([])
    await pass(1)
    expect(ended).toHaveLength(1)
  })

  test('not before the server has had half the timeout, where the call had lost its time to connecting', async () => {
    const one = connection()
    socket.connected()
    const call = new Call('a')
    await send(one, call)
    await pass(timeout - 1)
    protocol.greeted.resolve(facts)
    await settled()
    await turn()
    expect(socket.written).toEqual(['a\n'])
    await pass(timeout / 2 - 1)
    expect([call.outcome?.fate, ended]).toEqual(['unanswered', []])
    await pass(1)
    expect(complaints()).toEqual(['cache-1 did not answer within 400 ms'])
  })

  test('not when the answer to each request came in time, however long it goes on', async () => {
    const one = await opened()
    for (let round = 0; round < 10; round++) {
      await send(one, new Call(`${round}`))
      await pass(timeout - 1)
      received(`${round}\n`)
    }
    expect(ended).toEqual([])
  })

  test.each([
    ['what cannot be the reply', 'wrong\n', 'cache-1 sent a wrong line', undefined],
    [
      'a reply that nobody asked for',
      'a\nHTTP/1.1 400',
      'cache-1 is not memcached: an HTTP server answers on this port',
      undefined,
    ],
    ['what makes the protocol stumble', 'stumble\n', 'cache-1 sent an answer that could not be read', new RangeError('stumbled')],
  ])('when there comes %s', async (_what, bytes, message, cause) => {
    const one = await opened()
    const call = new Call('a')
    await send(one, call)
    received(bytes)
    expect(complaints()).toEqual([message])
    expect(ended[0]?.cause).toEqual(cause)
    received('a\n')
    expect(call.outcome?.fate === 'unanswered' || bytes.startsWith('a')).toBe(true)
  })

  const trust = (code: string) =>
    `shows a TLS certificate that is not trusted (${code}): give the authority that signed it as tls: { ca }`
  test.each([
    ['ECONNREFUSED', 'refuses connections: is memcached running there?'],
    ['ENOENT', 'is not there: no socket at this path'],
    ['EACCES', 'may not be used: this process has no right to this socket (memcached -a sets it)'],
    ['ENOTFOUND', 'cannot be found: its host name does not resolve'],
    ['EAI_AGAIN', 'cannot be found: its host name does not resolve'],
    ['ECONNRESET', 'closed the connection'],
    ['EPIPE', 'closed the connection'],
    [
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'shows a TLS certificate for another host name: connect by the name that it is for, or set tls: { servername }',
    ],
    ['EPROTO', 'does not speak TLS: start it with memcached -Z, or leave out tls'],
    ['ERR_SSL_WRONG_VERSION_NUMBER', 'does not speak TLS: start it with memcached -Z, or leave out tls'],
    ['ERR_SSL_PACKET_LENGTH_TOO_LONG', 'does not speak TLS: start it with memcached -Z, or leave out tls'],
    ['DEPTH_ZERO_SELF_SIGNED_CERT', trust('DEPTH_ZERO_SELF_SIGNED_CERT')],
    ['UNABLE_TO_GET_CRL', trust('UNABLE_TO_GET_CRL')],
    ['UNABLE_TO_GET_ISSUER', trust('UNABLE_TO_GET_ISSUER')],
    ['UNABLE_TO_VERIFY_LEAF_SIGNATURE', trust('UNABLE_TO_VERIFY_LEAF_SIGNATURE')],
    ['ETIMEDOUT', 'cannot be reached (ETIMEDOUT)'],
    [undefined, 'cannot be reached (Error)'],
  ])('with what to do about a socket’s error: %s', async (code, message) => {
    await opened()
    const error = Object.assign(new Error('of the socket'), code && { code })
    socket.emit('error', error)
    expect(complaints()).toEqual([`cache-1 ${message}`])
    expect(ended[0]?.cause).toBe(error)
  })
})

describe('the end', () => {
  test('settles what is under way once, and nothing comes of it later', async () => {
    const one = await opened()
    const [sent, waiting] = [new Call('sent'), new Call('waiting')]
    await send(one, sent)
    one.send(waiting)
    one.end(() => new StoreUnavailableError('enough'))
    one.end(() => new StoreUnavailableError('again'))
    socket.emit('close')
    received('sent\n')
    expect([sent.outcome, waiting.outcome]).toEqual([
      { fate: 'unanswered', message: 'enough' },
      { fate: 'unsent', message: 'enough' },
    ])
    expect(complaints()).toEqual(['enough'])
    await pass(connectTimeout)
    expect(ended).toHaveLength(1)
    expect(socket.log.filter((entry) => entry === 'destroy')).toHaveLength(1)
  })
})

describe('what is sent', () => {
  test('of one turn leaves in one write of text, as one byte a character, whatever bytes are in it', async () => {
    const one = await opened()
    await send(
      one,
      new Call('a', { parts: ['set ', Buffer.from([0, 255, 10])] }),
      new Call('b', { parts: [Buffer.alloc(4_096, 1)] }),
    )
    expect(socket.log).toEqual(['ref', `write set \0\xff\n${'\x01'.repeat(4_096)} latin1`])
  })

  test('leaves in its parts where one of them is large, together and in order', async () => {
    const one = await opened()
    await send(one, new Call('a', { parts: ['é', Buffer.alloc(4_097, 65), Buffer.from([255])] }))
    expect(socket.log).toEqual(['ref', 'cork', 'write é latin1', 'write 4097 bytes latin1', 'write \xff latin1', 'uncork'])
  })

  test('waits while the socket takes no more, and leaves when it does again', async () => {
    const one = await opened()
    socket.writableNeedDrain = true
    await send(one, new Call('a'), new Call('b'))
    expect(socket.written).toEqual([])
    socket.writableNeedDrain = false
    socket.emit('drain')
    await turn()
    expect(socket.written).toEqual(['a\nb\n'])
    socket.emit('drain')
    await send(one, new Call('c'))
    expect(socket.written).toEqual(['a\nb\n', 'c\n'])
  })
})

describe('the process is kept alive', () => {
  test('by a socket as long as something waits for an answer, and no longer', async () => {
    const one = await opened()
    await send(one, new Call('a'))
    await send(one, new Call('b'))
    received('a\n')
    expect(socket.log.filter(isHold)).toEqual(['ref'])
    received('b\n')
    expect(socket.log.filter(isHold)).toEqual(['ref', 'unref'])
  })

  test('by a socket that connects; not by one that is ready and has nothing to do', async () => {
    connection()
    socket.connected()
    expect(socket.log.filter(isHold)).toEqual([])
    protocol.greeted.resolve(facts)
    await settled()
    expect(socket.log.filter(isHold)).toEqual(['unref'])
  })

  test('by a socket that is ready and has something to do', async () => {
    const one = connection()
    socket.connected()
    one.send(new Call('a'))
    protocol.greeted.resolve(facts)
    await settled()
    await turn()
    expect(socket.log.filter(isHold)).toEqual(['ref'])
  })

  test('by no timer', async () => {
    const set = vi.spyOn(globalThis, 'setTimeout')
    const one = await opened()
    await send(one, new Call('a'))
    const timers = set.mock.results.map(({ value }) => value as NodeJS.Timeout)
    expect(timers.length).toBeGreaterThan(0)
    expect(timers.filter((timer) => timer.hasRef())).toEqual([])
  })

  const isHold = (entry: string) => entry === 'ref' || entry === 'unref'
})

/** Lets what was promised be heard. */
async function settled(): Promise<void> {
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
class Told<T> {
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
class Call implements Command {
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
