import { beforeEach, describe, expect, test, vi } from 'vitest'
import {
  Call,
  clocks,
  complaints,
  connection,
  eachInItsScene,
  ended,
  facts,
  now,
  opened,
  pass,
  protocol,
  received,
  send,
  settled,
  socket,
  Told,
  timeout,
} from '../../../../../test/support/connection-scene.js'
import { turn } from '../../../../../test/support/virtual-time.js'
import { ProtocolError } from './protocol.js'

eachInItsScene()

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
