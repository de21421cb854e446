import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePorts } from '../../../../../test/support/free-port.js'
import { Memcached, textCommand } from '../../../../../test/support/memcached.js'
import { Probe } from './probe.js'

let memcached: Memcached
beforeAll(async () => {
  memcached = await Memcached.start({ flags: ['-m', '64'] })
})
afterAll(() => memcached[Symbol.asyncDispose]())

describe.each(['binary', 'meta'] as const)('asked by the %s protocol', (protocol) => {
  test('a server says what it is, what it holds and what it does', async () => {
    let now = 0
    const probe = new Probe({ a: memcached.address }, { protocol, timeout: '5s' }, () => now)
    await textCommand(memcached, 'flush_all')
    await textCommand(memcached, 'set one 0 0 5\r\nhello')
    const [first] = await probe.ask()
    expect(first).toMatchObject({
      label: 'a',
      address: memcached.address,
      health: 'answers',
      stats: {
        version: expect.stringMatching(/^1\.\d+/),
        items: 1,
        memoryLimit: 64 * 1_024 * 1_024,
        evictions: 0,
        commandsPerSecond: null,
      },
    })
    now += 2_000
    for (let get = 0; get < 6; get++) await textCommand(memcached, 'get one', 'END\r\n')
    const [second] = await probe.ask()
    expect(second?.stats?.commandsPerSecond).toBe(3)
  })

  test('one that is not there is silent, and holds up no other', async () => {
    const [port] = (await freePorts(1)) as [number]
    const probe = new Probe({ a: memcached.address, b: `127.0.0.1:${port}` }, { protocol, timeout: '5s' }, () => 0)
    expect(probe.unasked().map(({ health }) => health)).toEqual(['unknown', 'unknown'])
    expect(await probe.ask()).toMatchObject([
      { label: 'a', health: 'answers' },
      { label: 'b', health: 'silent', says: 'cannot be reached (ECONNREFUSED)', stats: undefined },
    ])
  })

  test('one that hangs is silent when its time is over', async () => {
    await using hung = await Memcached.start()
    await hung.freeze()
    const probe = new Probe(hung.address, { protocol, timeout: '100ms' }, () => 0)
    expect(await probe.ask()).toMatchObject([{ health: 'silent', says: 'does not answer in time' }])
  })
})

test('a list of servers that memcachedStore refuses is refused', () => {
  expect(() => new Probe('10.0.0.1:0', {}, () => 0)).toThrow(/port/)
})
