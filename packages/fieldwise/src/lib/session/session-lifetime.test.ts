import { beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { turn } from '../../../../../test/support/virtual-time.js'
import { type Process, World } from '../../../../../test/support/world.js'
import type { Duration } from '../api/duration.js'
import type { TokenChange } from '../api/token-sink.js'
import { keepFor } from './adapter-operations.js'
import { resumeFor } from './sessions.js'

const schema = z.object({ username: z.string(), otp: z.string(), visits: z.int().default(0), tries: z.int().default(3) })
const [second, minute, hour, day] = [1_000, 60_000, 3_600_000, 86_400_000]

let world: World
let web: Process<typeof schema>
beforeEach(() => {
  world = new World()
  web = world.process(schema, { expires: { otp: '5m', tries: '1h' } })
})

type Visited = Awaited<ReturnType<typeof web.sessions.create>>

const opened = (session: { token: string | undefined }) => web.sessions.open(session.token as string)

describe('idle time', () => {
  const spans: [Duration, number][] = [
    ['1s', second],
    ['30m', 30 * minute],
    ['29d', 29 * day],
    ['30d', 30 * day],
    [`${30 * 86_400 + 1}s`, 30 * day + second],
    ['400d', 400 * day],
  ]

  test.each(spans)('%s: a session that is used again by then lives, with all its fields', async (idle, length) => {
    const session = await web.sessions.create({ username: 'ada', visits: 1 }, { lifetime: { idle, absolute: '36000d' } })
    for (let use = 0; use < 10; use++) {
      await world.time.advance(length)
      expect(await (await opened(session))?.getAll()).toMatchObject({ username: 'ada', visits: 1 })
      await turn()
    }
  })

  test.each(spans)(
    '%s: a session that is not used ends a tenth (1 s at least) and 2 s later at the latest',
    async (idle, length) => {
      const session = await web.sessions.create({ username: 'ada' }, { lifetime: { idle, absolute: '36000d' } })
      await world.time.advance(length - 1)
      expect(await session.get('username')).toBe('ada')
      await turn()
      await world.time.advance(length + Math.max(second, length / 10) + 2 * second)
      await expect(session.get('username')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'expired' })
      expect(await opened(session)).toBeNull()
    },
  )

  test('counts from the last use, whichever server that was on', async () => {
    const servers = Array.from({ length: 4 }, () => world.process(schema))
    const session = await web.sessions.create({ username: 'ada' })
    for (let use = 0; use < 20; use++) {
      await world.time.advance(29 * minute)
      const server = servers[use % servers.length] as Process<typeof schema>
      expect(await (await server.sessions.open(session.token as string))?.get('username')).toBe('ada')
      await turn()
    }
  })
})

describe('absolute lifetime', () => {
  test('ends a session to the millisecond, however much it is used', async () => {
    const session = await web.sessions.create({ username: 'ada' }, { lifetime: { idle: '30m', absolute: '2h' } })
    for (let use = 0; use < 11; use++) {
      await world.time.advance(10 * minute)
      await session.get('username')
      await turn()
    }
    await world.time.advance(10 * minute - 1)
    expect(await session.get('username')).toBe('ada')
    await world.time.advance(1)
    await expect(session.get('username')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'expired' })
    expect(await opened(session)).toBeNull()
    expect(await web.sessions.resume(session.token).get('username')).toBeUndefined()
  })

  test('ends every operation', async () => {
    const lifetime = { idle: '1h', absolute: '1h' } as const
    const operations = [
      (one: Awaited<ReturnType<typeof make>>) => one.set('username', 'bob'),
      (one: Awaited<ReturnType<typeof make>>) => one.set('visits', 1),
      (one: Awaited<ReturnType<typeof make>>) => one.increment('visits'),
      (one: Awaited<ReturnType<typeof make>>) => one.take('username'),
      (one: Awaited<ReturnType<typeof make>>) => one.delete('username'),
      (one: Awaited<ReturnType<typeof make>>) => one.regenerate({ lifetime: { absolute: '5h' } }),
    ]
    const make = () => web.sessions.create({ username: 'ada' }, { lifetime })
    const sessions = await Promise.all(operations.map(make))
    await world.time.advance(hour)
    for (const [index, operation] of operations.entries()) {
      const session = sessions[index] as Awaited<ReturnType<typeof make>>
      await expect(operation(session)).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'expired' })
    }
  })

  test.each([
    ['absolute end', '2h', 2 * hour],
    ['idle time', '12h', 40 * minute],
  ] as const)('a preloaded value is not served past the %s', async (_what, absolute, later) => {
    const made = await web.sessions.create({ username: 'ada' }, { lifetime: { idle: '30m', absolute } })
    const session = await web.sessions.open(made.token as string, { preload: ['username'] })
    await world.time.advance(later)
    await expect(session?.get('username')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'expired' })
  })

  describe('is told of once the header is deleted (L5)', () => {
    async function untilPast() {
      const session = await web.sessions.create({ username: 'ada' }, { lifetime: { idle: '1h', absolute: '1h' } })
      const other = world.process(schema)
      const login = await other.sessions.open(session.token as string)
      await world.time.advance(hour - 500)
      other.store.holding = true
      const rotating = login?.regenerate({ lifetime: { absolute: '12h' } })
      rotating?.catch(() => {})
      await (await world.next(other, 'get @')).deliver()
      const late = (await world.next(other, 'replace @')).delay()
      await other.store.release()
      other.store.outage = 'refused'
      await world.time.advance(500)
      return { session, late }
    }

    test.each([
      ['a read', (one: Visited) => one.get('username')],
      ['a change', (one: Visited) => one.update('username', () => 'bob')],
      ['a blind write', (one: Visited) => one.set('username', 'bob')],
      ['a rotation', (one: Visited) => one.regenerate()],
    ])('by %s: a late packet of a rotation with a longer lifetime brings nothing back', async (_what, call) => {
      const { session, late } = await untilPast()
      await expect(call(session)).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'expired' })
      await late()
      expect(await world.stored(`${session.id}:@`)).toBeUndefined()
      expect(await opened(session)).toBeNull()
    })

    test('by open, and by a resumed token, which begins anew', async () => {
      const { session, late } = await untilPast()
      expect(await opened(session)).toBeNull()
      const resumed = web.sessions.resume(session.token)
      await resumed.set('username', 'bob')
      await late()
      expect(resumed.id).not.toBe(session.id)
      expect(await world.stored(`${session.id}:@`)).toBeUndefined()
    })

    test('but not for a secret that is not its own: nothing is deleted', async () => {
      const { session } = await untilPast()
      web.store.takeLog()
      expect(await web.sessions.open(`${session.id}.${'A'.repeat(43)}`)).toBeNull()
      expect(web.store.takeLog()).toEqual(['get @'])
    })

    test('and is STORE_UNAVAILABLE as long as that is not confirmed', async () => {
      const { session } = await untilPast()
      web.store.holding = true
      const snapshot = expect(session.get('username')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      await (await world.next(web, 'get username')).deliver()
      ;(await world.next(web, 'delete @')).refuse()
      await web.store.release()
      await world.time.run(snapshot)
      await expect(session.get('username')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'expired' })
    })
  })

  test('may be far beyond the idle time, and beyond 30 days', async () => {
    const session = await web.sessions.create({ username: 'ada' }, { lifetime: { idle: '20d', absolute: '365d' } })
    for (let use = 0; use < 18; use++) {
      await world.time.advance(20 * day)
      expect(await session.get('username')).toBe('ada')
      await turn()
    }
    await world.time.advance(5 * day)
    await expect(session.get('username')).rejects.toMatchObject({ reason: 'expired' })
  })
})

describe('createdAt and expiresAt', () => {
  test('are those of the store’s clock', async () => {
    const created = world.time.clock.now()
    const session = await web.sessions.create({}, { lifetime: { idle: '10m', absolute: '1h' } })
    expect([session.createdAt, session.expiresAt]).toEqual([new Date(created), new Date(created + 10 * minute)])
    await world.time.advance(5 * minute)
    await session.get('visits')
    expect([session.createdAt, session.expiresAt]).toEqual([new Date(created), new Date(created + 15 * minute)])
    const other = await opened(session)
    expect([other?.createdAt, other?.expiresAt]).toEqual([new Date(created), new Date(created + 15 * minute)])
  })

  test('never promise more than the absolute lifetime', async () => {
    const created = world.time.clock.now()
    const session = await web.sessions.create({}, { lifetime: { idle: '40m', absolute: '1h' } })
    await world.time.advance(35 * minute)
    await session.get('visits')
    expect(session.expiresAt).toEqual(new Date(created + hour))
  })

  test('a session lives at least until its expiresAt', async () => {
    for (let used = 0; used < 40; used++) {
      const session = await web.sessions.create({ username: 'ada' }, { lifetime: { idle: '10m', absolute: '35m' } })
      await world.time.advance((used * minute) / 2)
      const one = await opened(session)
      if (!one) continue
      await turn()
      await world.time.advance((one.expiresAt?.getTime() ?? 0) - world.time.clock.now() - 1)
      expect([used, (await opened(session)) !== null]).toEqual([used, true])
    }
  })
})

describe('the terms of one session', () => {
  const host = (changes: TokenChange[]) => ({ beforeChange() {}, changed: (change: TokenChange) => void changes.push(change) })

  test('are kept in its header, and hold on every server', async () => {
    const session = await web.sessions.create({ username: 'ada' }, { lifetime: { idle: '20d', absolute: '90d' }, persist: true })
    await world.time.advance(19 * day)
    const changes: TokenChange[] = []
    const elsewhere = resumeFor(world.process(schema).sessions, [session.token as string], host(changes))
    expect(await elsewhere.get('username')).toBe('ada')
    await turn()
    await world.time.advance(19 * day)
    expect(await elsewhere.get('username')).toBe('ada')
    await elsewhere.regenerate()
    expect(changes).toMatchObject([{ type: 'issued', persist: true, maxAge: 52 * day }])
  })

  test('may be changed by regenerate: "remember me" at login', async () => {
    const changes: TokenChange[] = []
    const visitor = resumeFor(web.sessions, [], host(changes))
    await visitor.set('username', 'ada')
    await visitor.regenerate({ persist: true, lifetime: { idle: '30d', absolute: '90d' } })
    expect(changes).toMatchObject([
      { type: 'issued', persist: false, maxAge: 12 * hour },
      { type: 'issued', persist: true, maxAge: 90 * day, token: visitor.token },
    ])
    for (let use = 0; use < 2; use++) {
      await world.time.advance(30 * day)
      expect(await (await opened(visitor))?.get('username')).toBe('ada')
      await turn()
    }
  })

  test('that are left out stay as they are', async () => {
    const session = await web.sessions.create({ username: 'ada' }, { lifetime: { idle: '20d', absolute: '90d' }, persist: true })
    await session.regenerate()
    await world.time.advance(20 * day)
    const changes: TokenChange[] = []
    const one = resumeFor(web.sessions, [session.token as string], host(changes))
    expect(await one.get('username')).toBe('ada')
    await turn()
    await world.time.advance(19 * day)
    expect(await one.get('username')).toBe('ada')
    await one.regenerate()
    expect(changes).toMatchObject([{ type: 'issued', persist: true, maxAge: 51 * day }])
  })

  test('a longer idle time keeps the fields too, those that are written at that moment included', async () => {
    const session = await web.sessions.create({ username: 'ada', visits: 1 }, { lifetime: { idle: '1m' } })
    const slow = world.process(schema)
    const writer = await slow.sessions.open(session.token as string)
    slow.store.holding = true
    const write = writer?.increment('visits')
    await (await world.next(slow, 'get visits')).deliver()
    const swap = await world.next(slow, 'replace visits')
    await session.regenerate({ lifetime: { idle: '6h' } })
    await swap.deliver()
    await slow.store.release()
    slow.store.holding = false
    await world.time.run(write as Promise<number>)
    await world.time.advance(6 * hour)
    expect(await session.getAll()).toMatchObject({ username: 'ada', visits: 2 })
  })

  describe.each(['regenerate', 'keepFor'] as const)('a longer idle time by %s', (by) => {
    const lengthen = (session: Awaited<ReturnType<typeof web.sessions.create>>) =>
      by === 'regenerate' ? session.regenerate({ lifetime: { idle: '6h' } }) : keepFor(session, '6h')
    const create = () => web.sessions.create({ username: 'ada', visits: 1 }, { lifetime: { idle: '1m' } })
    const livesOf = (session: Awaited<ReturnType<typeof create>>) =>
      Promise.all(['username', 'visits'].map(async (field) => (await world.life(`${session.id}:${field}`)) as number))

    test('is given to the fields first, and promised behind them', async () => {
      const session = await create()
      web.store.holding = true
      const asked = lengthen(session)
      await (await world.next(web, 'get @')).deliver()
      await (await world.next(web, 'replace @')).deliver()
      expect(await world.life(`${session.id}:@`)).toBeLessThan(2 * minute)
      await (await world.next(web, 'get username')).deliver()
      await (await world.next(web, 'replace username')).deliver()
      for (const life of await livesOf(session)) expect(life).toBeGreaterThan(18 * hour)
      expect(await world.life(`${session.id}:@`)).toBeLessThan(2 * minute)
      await web.store.release()
      web.store.holding = false
      await world.time.run(asked)
      expect(await world.life(`${session.id}:@`)).toBeGreaterThan(6 * hour)
    })

    test('that the fields cannot be given is not promised: it says so, and the session goes on as it was', async () => {
      const session = await create()
      const token = session.token as string
      web.store.holding = true
      const asked = expect(lengthen(session)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      await (await world.next(web, 'get @')).deliver()
      await (await world.next(web, 'replace @')).deliver()
      web.store.outage = 'refused'
      await web.store.release()
      await world.time.run(asked)
      web.store.outage = undefined
      expect(await world.life(`${session.id}:@`)).toBeLessThan(2 * minute)
      expect(await (await web.sessions.open(token))?.get('username')).toBe('ada')
    })

    test('is tried again where the connection is cut in the middle of it', async () => {
      const session = await create()
      web.store.holding = true
      const asked = lengthen(session)
      await (await world.next(web, 'get @')).deliver()
      await (await world.next(web, 'replace @')).deliver()
      ;(await world.next(web, 'get username')).refuse()
      await (await world.next(web, 'get username')).deliver()
      ;(await world.next(web, 'replace username')).loseRequest()
      await (await world.next(web, 'get username')).deliver()
      await web.store.release()
      web.store.holding = false
      await world.time.run(asked)
      for (const life of await livesOf(session)) expect(life).toBeGreaterThan(18 * hour)
      await world.time.advance(6 * hour)
      expect(await session.getAll()).toMatchObject({ username: 'ada', visits: 1 })
    })

    test('cut off behind its promise, or its process killed there, loses nothing', async () => {
      const session = await create()
      web.store.holding = true
      lengthen(session).catch(() => {})
      for (const step of ['get @', 'replace @', 'get username', 'replace username', 'get @', 'replace @']) {
        await (await world.next(web, step)).deliver()
      }
      const other = world.process(schema)
      await world.time.advance(6 * hour)
      for (const key of ['@', 'username', 'visits']) expect(await world.stored(`${session.id}:${key}`)).toBeDefined()
      await other.sessions.close()
    })

    test('counts for a field whose first write turns out to have been stored before', async () => {
      const session = await create()
      const slow = world.process(schema)
      const writer = await slow.sessions.open(session.token as string)
      slow.store.holding = true
      const write = writer?.set('tries', 1)
      await (await world.next(slow, 'get tries')).deliver()
      await (await world.next(slow, 'add tries')).loseAnswer()
      const finding = await world.next(slow, 'get tries')
      await lengthen(session)
      await finding.deliver()
      await (await world.next(slow, 'touch tries')).deliver()
      await slow.store.release()
      slow.store.holding = false
      await world.time.run(write as Promise<void>)
      expect(await world.life(`${session.id}:tries`)).toBeGreaterThan(18 * hour)
    })

    test('counts for a field that is stored for the first time meanwhile', async () => {
      const session = await create()
      const slow = world.process(schema)
      const writer = await slow.sessions.open(session.token as string)
      slow.store.holding = true
      const write = writer?.set('tries', 1)
      await (await world.next(slow, 'get tries')).deliver()
      await (await world.next(slow, 'add tries')).deliver()
      const listing = await world.next(slow, 'replace @')
      await lengthen(session)
      await listing.deliver()
      await slow.store.release()
      slow.store.holding = false
      await world.time.run(write as Promise<void>)
      expect(await world.life(`${session.id}:tries`)).toBeGreaterThan(18 * hour)
    })
  })

  test('a shorter idle time ends the session sooner', async () => {
    const session = await web.sessions.create({ username: 'ada' })
    await session.regenerate({ lifetime: { idle: '1m' } })
    await world.time.advance(minute + 6 * second + 2 * second)
    expect(await opened(session)).toBeNull()
  })

  test('a new absolute lifetime counts from the rotation', async () => {
    const session = await web.sessions.create({ username: 'ada' }, { lifetime: { idle: '30m', absolute: '1h' } })
    await world.time.advance(25 * minute)
    await session.regenerate({ lifetime: { absolute: '1h' } })
    for (let use = 0; use < 2; use++) {
      await world.time.advance(25 * minute)
      expect(await session.get('username')).toBe('ada')
      await turn()
    }
    await world.time.advance(10 * minute)
    expect(await opened(session)).toBeNull()
  })
})

describe('a life that another process has changed is known to those that cannot read it from the store', () => {
  const traits = { reportsTtl: false }

  test('a shorter idle time: the session is touched as often as that asks for', async () => {
    const [here, there] = [world.process(schema, { traits }), world.process(schema, { traits })]
    const session = await here.sessions.create({ username: 'ada' })
    const login = await there.sessions.open(session.token as string)
    await login?.regenerate({ lifetime: { idle: '1m' } })
    for (let use = 0; use < 20; use++) {
      await world.time.advance(minute)
      expect(await (await here.sessions.open(login?.token as string))?.get('username')).toBe('ada')
      await turn()
    }
  })

  test('a longer absolute lifetime: a touch that was begun before it and lands after it takes nothing away', async () => {
    const [here, there] = [world.process(schema, { traits }), world.process(schema, { traits })]
    const session = await here.sessions.create({ username: 'ada' }, { lifetime: { idle: '30m', absolute: '1h' } })
    await world.time.advance(25 * minute)
    await session.get('username')
    await turn()
    await world.time.advance(25 * minute)
    there.store.holding = true
    const late = there.sessions.open(session.token as string)
    await (await world.next(there, 'get @')).deliver()
    await late
    const touch = await world.next(there, 'getAndTouch @')
    await session.regenerate({ lifetime: { absolute: '12h' } })
    await touch.deliver()
    await there.store.release()
    there.store.holding = false
    await world.time.advance(minute)
    await world.time.advance(27 * minute)
    expect(await session.get('username')).toBe('ada')
  })
})

describe('a field’s own life', () => {
  test('ends it that long after its last write: unset afterwards, never lost', async () => {
    const session = await web.sessions.create({ username: 'ada', otp: '123456' })
    await world.time.advance(4 * minute)
    await session.set('otp', '654321')
    await world.time.advance(5 * minute - 1)
    expect([await session.get('otp'), await session.has('otp')]).toEqual(['654321', true])
    await world.time.advance(1)
    expect([await session.get('otp'), await session.has('otp'), await session.take('otp')]).toEqual([undefined, false, undefined])
    expect(await session.getAll()).toMatchObject({ username: 'ada', otp: undefined })
    for (let use = 0; use < 12; use++) {
      await world.time.advance(25 * minute)
      expect(await session.get('otp')).toBeUndefined()
      await turn()
    }
    expect(await session.get('username')).toBe('ada')
  })

  test('holds from the creation of a session too', async () => {
    const session = await web.sessions.create({ otp: '123456' })
    await world.time.advance(5 * minute)
    expect(await session.get('otp')).toBeUndefined()
  })

  test('runs anew with every write, even of the same value', async () => {
    const session = await web.sessions.create({ otp: '123456' })
    for (let use = 0; use < 5; use++) {
      await world.time.advance(4 * minute)
      await session.set('otp', '123456')
    }
    await world.time.advance(4 * minute)
    expect(await session.update('otp', (otp) => otp as string)).toBe('123456')
    await world.time.advance(4 * minute)
    expect(await session.get('otp')).toBe('123456')
  })

  test('does not run anew when it is read or renewed', async () => {
    const session = await web.sessions.create({ tries: 1 })
    await world.time.advance(25 * minute)
    await session.get('tries')
    await world.time.advance(30 * minute)
    await session.get('tries')
    await turn()
    await world.time.advance(5 * minute)
    expect(await session.get('tries')).toBe(3)
  })

  test('leaves an update what it would find in a field that was never stored', async () => {
    const session = await web.sessions.create({ otp: '123456', tries: 0 })
    for (let use = 0; use < 3; use++) {
      await world.time.advance(20 * minute)
      await session.get('username')
      await turn()
    }
    expect(await session.increment('tries', -1)).toBe(2)
    expect(await session.update('otp', (otp) => `${otp}`)).toBe('undefined')
  })

  test('is that of the process that wrote it', async () => {
    const without = world.process(schema)
    const session = await web.sessions.create({ otp: '123456' })
    const one = await without.sessions.open(session.token as string)
    await one?.set('otp', '654321')
    await world.time.advance(10 * minute)
    expect(await session.get('otp')).toBe('654321')
  })

  test('may be longer than the session’s idle time', async () => {
    const long = world.process(schema, { expires: { otp: '3h' } })
    const session = await long.sessions.create({ otp: '123456' })
    for (let use = 0; use < 6; use++) {
      await world.time.advance(29 * minute)
      expect(await session.get('otp')).toBe('123456')
      await turn()
    }
    await world.time.advance(6 * minute)
    expect(await session.get('otp')).toBeUndefined()
  })
})
