import { StoreUnavailableError } from 'fieldwise'
import { describe, expect, test, vi } from 'vitest'
import {
  Call,
  complaints,
  connection,
  connectTimeout,
  eachInItsScene,
  ended,
  facts,
  opened,
  pass,
  protocol,
  ready,
  received,
  send,
  settled,
  socket,
  start,
  timeout,
} from '../../../../../test/support/connection-scene.js'
import { turn } from '../../../../../test/support/virtual-time.js'
import { ProtocolError } from './protocol.js'

eachInItsScene()

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
