import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { createSessions, type Duration, isFieldwiseError } from '../../packages/fieldwise/src/index.js'
import { memcachedStore } from '../../packages/memcached/src/index.js'
import { Memcached, textCommand } from '../support/memcached.js'
import { measured } from '../support/promise.js'

const schema = z.object({ username: z.string(), otp: z.string() })
const protocols = ['binary', 'meta'] as const
const [second, hour, day] = [1_000, 3_600_000, 86_400_000]

let server: Memcached
beforeAll(async () => {
  server = await Memcached.start()
})
afterAll(() => server[Symbol.asyncDispose]())

/** A web server whose own clock goes wrong by so many milliseconds. */
function webServer(protocol: (typeof protocols)[number], wrongBy = 0, expires: { otp?: Duration } = {}) {
  const store = memcachedStore(server.address, { protocol, timeout: '20s' })
  return createSessions({ schema, store, expires, clock: { now: () => Date.now() + wrongBy } })
}

/** How long memcached will keep an item, in seconds; undefined where it has none. */
async function secondsLeft(key: string): Promise<number | undefined> {
  const answer = await textCommand(server, `mg ${key} t`)
  const left = /^HD t(-?\d+)/.exec(answer)?.[1]
  return left === undefined ? undefined : Number(left)
}

const sleep = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

describe.concurrent.each(protocols)('on a real memcached (%s)', (protocol) => {
  const spans: [Duration, number][] = [
    ['1s', second],
    ['29d', 29 * day],
    ['30d', 30 * day],
    [`${30 * 86_400 + 1}s`, 30 * day + second],
    ['400d', 400 * day],
  ]

  test.each(spans)(
    'an idle time of %s: header and fields are kept that long, from the first store, a touch and a renewal',
    async (idle, length) => {
      await using sessions = webServer(protocol)
      const session = await sessions.create({ username: 'ada' }, { lifetime: { idle, absolute: '5000d' } })
      const most = length + Math.max(second, length / 10) + 2 * second
      const expectLives = async () => {
        const header = ((await secondsLeft(`${session.id}:@`)) as number) * second
        const field = ((await secondsLeft(`${session.id}:username`)) as number) * second
        // memcached and the store round to whole seconds.
        expect(header).toBeGreaterThanOrEqual(length)
        expect(header).toBeLessThanOrEqual(most + 2 * second)
        expect(field).toBeGreaterThanOrEqual(3 * length)
      }
      await expectLives()
      // Another process does not know how long the header lives, and touches it.
      await using others = webServer(protocol)
      expect(await (await others.open(session.token as string))?.get('username')).toBe('ada')
      await others.check()
      await expectLives()
      await session.regenerate({ lifetime: { idle } })
      await session.set('username', 'bob')
      await expectLives()
      expect(await session.get('username')).toBe('bob')
    },
  )

  test('an idle time of 1 s: used every 0.8 s a session lives, and unused it is gone 5 s later', async () => {
    await using sessions = webServer(protocol)
    const [used, unused] = await Promise.all(
      ['ada', 'bob'].map((username) => sessions.create({ username }, { lifetime: { idle: '1s', absolute: '1h' } })),
    )
    for (let use = 0; use < 7; use++) {
      await sleep(800)
      expect(await sessions.resume(used?.token).get('username')).toBe('ada')
    }
    expect(await sessions.open(unused?.token as string)).toBeNull()
  })
})

describe.concurrent('web servers whose clocks are an hour ahead and an hour behind', () => {
  test('lose no session early, and use none past its end, on the clock of memcached', async (context) => {
    await using ahead = webServer('binary', hour)
    await using behind = webServer('meta', -hour)
    await using right = webServer('binary')
    const all = [ahead, behind, right]
    let uses = 0
    let early = 0
    let late = 0
    const visitors = all.flatMap((maker) =>
      all.map(async (user) => {
        const before = performance.now()
        const session = await maker.create({ username: 'ada' }, { lifetime: { idle: '3s', absolute: '3s' } })
        const made = performance.now()
        for (let moment = made; moment < made + 5 * second; ) {
          const began = performance.now()
          const found = await user.resume(session.token).get('username')
          const ended = performance.now()
          uses++
          // Each process knows the time of a server that tells whole seconds to within one.
          if (found === undefined && ended - before < 3 * second - (maker === user ? 0 : second)) early++
          if (found !== undefined && began - made > 3 * second + (maker === user ? 0 : second)) late++
          await sleep(50)
          moment = performance.now()
        }
      }),
    )
    await Promise.all(visitors)
    measured(context, `${uses} uses through 9 pairs of clocks`, `${early} sessions gone early, ${late} used past their end`)
    expect([early, late]).toEqual([0, 0])
    expect(uses).toBeGreaterThan(100)
  })

  test('agree on when a field’s own life ends, and on what they tell of a session', async () => {
    const expires = { otp: '2s' } as const
    await using ahead = webServer('binary', hour, expires)
    await using behind = webServer('binary', -hour, expires)
    const session = await ahead.create({ username: 'ada', otp: '123456' })
    const seen = await behind.open(session.token as string)
    expect(Math.abs((session.createdAt?.getTime() ?? 0) - Date.now())).toBeLessThan(10 * second)
    expect(seen?.createdAt).toEqual(session.createdAt)
    expect(Math.abs((seen?.expiresAt?.getTime() ?? 0) - (session.expiresAt?.getTime() ?? 0))).toBeLessThan(10 * second)
    expect(await seen?.get('otp')).toBe('123456')
    await sleep(3_100)
    expect([await seen?.get('otp'), await session.get('otp')]).toEqual([undefined, undefined])
    expect(await seen?.get('username')).toBe('ada')
  })

  test('find an ended session ended, and say so', async () => {
    await using ahead = webServer('binary', hour)
    const session = await ahead.create({ username: 'ada' }, { lifetime: { idle: '1s', absolute: '1s' } })
    await sleep(1_100)
    const outcome = await session.get('username').catch((error: unknown) => error)
    expect(isFieldwiseError(outcome, 'SESSION_GONE') && outcome.reason).toBe('expired')
  })
})
