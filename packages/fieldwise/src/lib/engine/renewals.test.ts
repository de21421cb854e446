import { beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { measured } from '../../../../../test/support/promise.js'
import { wordsOf } from '../../../../../test/support/stepping-store.js'
import { turn } from '../../../../../test/support/virtual-time.js'
import { type Process, World } from '../../../../../test/support/world.js'
import type { SessionOf } from '../api/sessions.js'
import { decodeHeader } from '../format/header.js'

const schema = z.object({ username: z.string(), cart: z.array(z.string()), visits: z.int() })
type Web = Process<typeof schema>
const minute = 60_000

let world: World
let web: Web
let session: SessionOf<Web['sessions']>
beforeEach(async () => {
  world = new World()
  web = world.process(schema)
  session = await web.sessions.create({ username: 'ada', cart: ['tea'] })
  web.store.takeLog()
})

const key = (name: string) => `${session.id}:${name}`
const noted = async () => decodeHeader((await world.stored(key('@'))) as Buffer).fieldsUntil

/** Comes to the moment when the next use renews the fields, and the header has its full life. */
async function untilDue(): Promise<void> {
  await world.time.advance(16 * minute)
  await session.get('username')
  await turn()
  await world.time.advance(15 * minute)
  web.store.takeLog()
}

describe('a request that only reads', () => {
  test('sends nothing but its reads, outside of a renewal', async () => {
    for (let request = 0; request < 20; request++) {
      const one = await web.sessions.open(session.token as string)
      await one?.getMany(['username', 'cart'])
      await turn()
    }
    expect(new Set(web.store.log)).toEqual(new Set(['get @', 'get username', 'get cart']))
  })

  test('touches the header, and nothing else, after a tenth of the idle time', async () => {
    await world.time.advance(3 * minute)
    await session.get('username')
    await turn()
    expect(web.store.takeLog()).toEqual(['get username', 'get @', 'getAndTouch @'])
    expect(await world.life(key('@'))).toBe(33 * minute + 2_000)
  })

  test('renews all fields together after an idle time, by touches, and notes it in the header', async () => {
    await untilDue()
    await session.get('username')
    await turn()
    const log = web.store.takeLog()
    expect(log.filter((request) => request.startsWith('touch'))).toEqual(['touch username', 'touch cart'])
    expect(log.filter((request) => request.startsWith('replace') || request.startsWith('add'))).toEqual(['replace @'])
    expect(await noted()).toBe(world.time.clock.now() + 90 * minute + 8_500)
  })

  test('does so once, however many come at the same time', async () => {
    await untilDue()
    const facades = await Promise.all(Array.from({ length: 20 }, () => web.sessions.open(session.token as string)))
    await Promise.all(facades.map((one) => one?.getAll()))
    await turn()
    const log = web.store.takeLog()
    expect(log.filter((request) => request === 'touch username')).toHaveLength(1)
    expect(log.filter((request) => request === 'getAndTouch @')).toHaveLength(1)
    expect(log.filter((request) => request === 'replace @')).toHaveLength(1)
  })

  test('does not wait for a renewal, nor fail with it', async () => {
    await untilDue()
    web.store.holding = true
    const snapshot = session.get('username')
    await (await world.next(web, 'get username')).deliver()
    expect(await snapshot).toBe('ada')
    for (const flight of [...web.store.held]) flight.refuse()
    web.store.outage = 'refused'
    await world.time.advance(5_000)
    web.store.outage = undefined
    await web.store.release()
    expect(await session.get('cart')).toEqual(['tea'])
  })

  test.each([
    { what: 'a touch of the header', comesDue: () => world.time.advance(10 * minute), renewals: ['getAndTouch @'] },
    { what: 'one and a renewal of the fields', comesDue: untilDue, renewals: ['getAndTouch @', 'touch username'] },
  ])('counts $what that the store never confirms, and the next use makes up for it', async ({ comesDue, renewals }) => {
    await comesDue()
    web.store.holding = true
    const value = session.get('username')
    await (await world.next(web, 'get username')).deliver()
    expect(await value).toBe('ada')
    await turn()
    for (const flight of [...web.store.held]) flight.loseRequest()
    web.store.outage = 'silent'
    await world.time.advance(5_000)
    expect(web.sessions.stats().failedRenewals).toBe(renewals.length)
    web.store.outage = undefined
    await web.store.release()
    web.store.takeLog()
    await session.get('username')
    await turn()
    expect(web.store.takeLog()).toEqual(expect.arrayContaining(renewals))
    expect(web.sessions.stats().failedRenewals).toBe(renewals.length)
  })
})

describe('1,000 requests over a day', () => {
  const names = Array.from({ length: 10 }, (_, index) => `field${index}`)
  const ten = z.object(Object.fromEntries(names.map((name) => [name, z.string()])) as Record<string, z.ZodString>)

  test.for([
    ['one process, a store that reports lives', 1, true],
    ['one process, a store that does not', 1, false],
    ['four processes, a store that does not', 4, false],
  ] as const)(
    'on a session of ten fields: no body is ever written, and nothing expires (%s)',
    async ([, processes, reportsTtl], context) => {
      const servers = Array.from({ length: processes }, () => world.process(ten, { traits: { reportsTtl: reportsTtl } }))
      const values = Object.fromEntries(names.map((name) => [name, name]))
      const one = await (servers[0] as (typeof servers)[0]).sessions.create(values, { lifetime: { idle: '30m', absolute: '2d' } })
      for (const server of servers) server.store.takeLog()
      for (let request = 0; request < 1_000; request++) {
        await world.time.advance(86_400)
        const server = servers[request % processes] as (typeof servers)[0]
        const name = names[request % 10] as string
        expect(await server.sessions.resume(one.token).get(name)).toBe(name)
        await turn()
      }
      expect(await one.getAll()).toEqual(values)
      const sent = servers.flatMap((server) => server.store.flights.flat())
      const count = (op: string, of: 'header' | 'field') =>
        sent.filter((request) => wordsOf(request).startsWith(op) && request.key.endsWith(':@') === (of === 'header')).length
      measured(
        context,
        '1,000 requests on ten fields',
        `${count('get', 'field')} field reads, ${count('get', 'header')} header reads, ${count('touch', 'field')} field touches, ` +
          `${count('getAndTouch', 'header')} header touches, ${count('replace', 'header')} header writes, ` +
          `${count('replace', 'field') + count('add', 'field')} body writes`,
      )
      expect(count('replace', 'field') + count('add', 'field')).toBe(0)
      expect(count('get', 'field')).toBeLessThanOrEqual(1_000 + 10)
      // The fields are renewed at most once in an idle time: 48 times in a day.
      expect(count('touch', 'field')).toBeLessThanOrEqual(48 * 10)
      expect(count('replace', 'header')).toBeLessThanOrEqual(48)
      expect(count('getAndTouch', 'header')).toBeLessThanOrEqual((processes * 24 * 60) / 3)
    },
  )
})

describe('a renewal of the fields (L3)', () => {
  test('is noted from before the first touch: the fields live at least that long', async () => {
    await untilDue()
    web.store.holding = true
    const snapshot = session.get('username')
    await (await world.next(web, 'get username')).deliver()
    await snapshot
    const touches = await world.next(web, 'touch username')
    await world.time.advance(300)
    await touches.step()
    await world.time.advance(100)
    await touches.step()
    await web.store.release()
    await turn()
    const until = await noted()
    for (const name of ['username', 'cart']) {
      expect(world.time.clock.now() + ((await world.life(key(name))) as number)).toBeGreaterThanOrEqual(until)
    }
  })

  test('touches again what failed, and notes nothing before all was answered', async () => {
    await untilDue()
    const before = await noted()
    web.store.holding = true
    const snapshot = session.get('username')
    await (await world.next(web, 'get username')).deliver()
    await snapshot
    ;(await world.next(web, 'touch username')).loseRequest()
    expect(await noted()).toBe(before)
    const again = await world.next(web, 'touch username')
    expect(String(again)).toBe('touch username, touch cart')
    await again.deliver()
    await web.store.release()
    await turn()
    expect(await noted()).toBeGreaterThan(before)
  })

  test('that dies half-way is made up for by the next use, and nothing is lost', async () => {
    for (let round = 0; round < 6; round++) {
      await world.time.advance(29 * minute)
      web.store.holding = true
      const snapshot = session.get('username')
      await (await world.next(web, 'get username')).deliver()
      await snapshot
      await turn()
      const touches = web.store.held.find((flight) => String(flight).includes('touch username'))
      if (touches && round % 2 === 0) {
        await touches.step()
        for (const flight of [...web.store.held]) flight.loseRequest()
        web.store.outage = 'refused'
        await world.time.advance(3_000)
        web.store.outage = undefined
      }
      await web.store.release()
      web.store.holding = false
      await turn()
    }
    expect(await session.getAll()).toEqual({ username: 'ada', cart: ['tea'], visits: undefined })
  })

  test('touches a field too that was listed meanwhile, before it is noted', async () => {
    await untilDue()
    const before = await noted()
    web.store.holding = true
    const snapshot = session.get('username')
    await (await world.next(web, 'get username')).deliver()
    await snapshot
    const touches = await world.next(web, 'touch username')
    const writing = session.set('visits', 1)
    await (await world.next(web, 'get visits')).deliver()
    await (await world.next(web, 'add visits')).deliver()
    await (await world.next(web, 'replace @')).deliver()
    await writing
    await touches.deliver()
    await (await world.next(web, 'get @')).deliver()
    expect(await noted()).toBe(before)
    await (await world.next(web, 'touch visits')).deliver()
    await (await world.next(web, 'get @')).deliver()
    expect(await noted()).toBe(before)
    await web.store.release()
    web.store.holding = false
    await turn()
    expect(await noted()).toBeGreaterThan(before)
  })

  test('comes at once for a field that is listed long after its item was stored', async () => {
    const other = world.process(schema)
    const writer = await other.sessions.open(session.token as string)
    other.store.holding = true
    const write = writer?.set('visits', 1)
    const outcome = expect(write).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    await (await world.next(other, 'get visits')).deliver()
    await (await world.next(other, 'add visits')).deliver()
    ;(await world.next(other, 'replace @')).refuse()
    other.store.outage = 'refused'
    await world.time.run(outcome)
    for (let use = 0; use < 5; use++) {
      await world.time.advance(16 * minute)
      await session.get('username')
      await turn()
    }
    expect(await session.update('visits', (visits) => visits as number)).toBe(1)
    for (let use = 0; use < 5; use++) {
      await turn()
      await world.time.advance(16 * minute)
      expect(await session.get('visits')).toBe(1)
    }
  })

  test('finds a field that is gone, and ends the session', async () => {
    await untilDue()
    await world.evict(key('cart'))
    expect(await session.get('username')).toBe('ada')
    await turn()
    await world.time.advance(100)
    expect(session.state).toBe('gone')
    await expect(session.get('username')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'lost', field: 'cart' })
    expect(await world.stored(key('@'))).toBeUndefined()
  })

  test.each(['touch username', 'getAndTouch @', 'replace @'])(
    'never brings back a session that was ended before its %s arrives',
    async (last) => {
      await untilDue()
      web.store.holding = true
      const snapshot = session.get('username')
      await (await world.next(web, 'get username')).deliver()
      await snapshot
      await turn()
      const isLast = (flight: { toString(): string }) => String(flight).startsWith(last)
      for (let flight = web.store.held[0]; flight && !web.store.held.some(isLast); flight = web.store.held[0]) {
        await flight.deliver()
        await turn()
      }
      expect(web.store.held.filter(isLast)).toHaveLength(1)
      await world.process(schema).sessions.revoke(session.id as string)
      await web.store.release()
      await world.time.advance(3_000)
      expect(await world.stored(key('@'))).toBeUndefined()
      expect(await web.sessions.open(session.token as string)).toBeNull()
      expect(web.sessions.stats().failedRenewals).toBe(0)
    },
  )
})

describe('a touch of the header', () => {
  test('is sent again while its answer is lost', async () => {
    await world.time.advance(10 * minute)
    web.store.holding = true
    const snapshot = session.get('username')
    await (await world.next(web, 'get username')).deliver()
    await snapshot
    ;(await world.next(web, 'getAndTouch @')).loseRequest()
    await (await world.next(web, 'getAndTouch @')).deliver()
    await web.store.release()
    expect(await world.life(key('@'))).toBeGreaterThan(32 * minute)
  })

  test('is corrected where another request has changed the idle time meanwhile', async () => {
    const login = await world.process(schema).sessions.open(session.token as string)
    await world.time.advance(10 * minute)
    web.store.holding = true
    const snapshot = session.get('username')
    await (await world.next(web, 'get username')).deliver()
    await snapshot
    const touch = await world.next(web, 'getAndTouch @')
    await login?.regenerate({ lifetime: { idle: '6h' } })
    await touch.deliver()
    await web.store.release()
    web.store.holding = false
    await world.time.advance(100)
    expect(await world.life(key('@'))).toBeGreaterThan(6 * 60 * minute)
  })

  test('is not for a token that was not verified', async () => {
    await world.time.advance(10 * minute)
    const life = await world.life(key('@'))
    const forged = web.sessions.resume(`${session.id}.${'A'.repeat(43)}`)
    await forged.get('username')
    await turn()
    expect(await world.life(key('@'))).toBe(life)
  })
})
