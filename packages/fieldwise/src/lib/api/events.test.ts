import { AsyncLocalStorage } from 'node:async_hooks'
import { type ChannelListener, subscribe, unsubscribe } from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { type Process, World } from '../../../../../test/support/world.js'
import type { SessionOf } from '../api/sessions.js'
import { channels, type FieldwiseEvents } from './events.js'

const schema = z.object({ visits: z.int().default(0), note: z.string() })
type Web = Process<typeof schema>

let world: World
let web: Web
let other: Web
let session: SessionOf<Web['sessions']>
let heard: { name: string; event: Record<string, unknown> }[]
let forget: (() => void)[]

beforeEach(async () => {
  world = new World()
  web = world.process(schema, { prefix: 'shop:' })
  other = world.process(schema, { prefix: 'shop:' })
  heard = []
  forget = []
  session = await web.sessions.create({ note: 'canary-value' })
})
afterEach(() => {
  for (const one of forget) one()
})

function listen(...names: (keyof FieldwiseEvents)[]): void {
  for (const name of names) {
    const listener: ChannelListener = (event) => heard.push({ name, event: event as Record<string, unknown> })
    subscribe(name, listener)
    forget.push(() => unsubscribe(name, listener))
  }
}

function listenToAll(): void {
  listen(...(Object.keys(channels).map((name) => `fieldwise:${name}`) as (keyof FieldwiseEvents)[]))
}

const names = () => heard.map(({ name }) => name.slice('fieldwise:'.length))
const about = (sid = session.id) => ({ store: 'stepping', prefix: 'shop:', sid, server: undefined })

describe('an operation', () => {
  test('is told when it has ended, with its name, its fields and how long it took', async () => {
    listen('fieldwise:operation')
    const get = session.getMany(['note', 'visits'])
    expect(heard).toEqual([])
    await get
    const [{ event }] = heard as [(typeof heard)[0]]
    expect(event).toEqual({
      ...about(),
      operation: 'getMany',
      fields: ['note', 'visits'],
      started: expect.any(Number),
      duration: expect.any(Number),
      error: undefined,
    })
  })

  test('for a user is told by its name, and is about no single session', async () => {
    const ada = web.sessions.user('ada')
    listen('fieldwise:operation')
    await ada.list({ preload: ['note'] })
    await ada.count()
    await ada.end()
    await ada.end({ except: session }).catch(() => {})
    expect(heard.map(({ event: { operation, fields, error, sid } }) => [operation, fields, error, sid])).toEqual([
      ['user.list', ['note'], undefined, undefined],
      ['user.count', [], undefined, undefined],
      ['user.end', [], undefined, undefined],
      ['user.end', [], 'SESSION_GONE', undefined],
    ])
  })

  test('is told in the async context of its caller, whoever else reads or writes in the same tick, and whoever gives it up', async () => {
    const caller = new AsyncLocalStorage<string>()
    const told: (readonly [unknown, string | undefined])[] = []
    const listener: ChannelListener = (event) =>
      told.push([(event as FieldwiseEvents['fieldwise:operation']).operation, caller.getStore()])
    subscribe('fieldwise:operation', listener)
    forget.push(() => unsubscribe('fieldwise:operation', listener))
    const second = (await other.sessions.open(session.token as string)) as typeof session
    const third = await web.sessions.create({ note: 'third' })
    told.length = 0
    const giving = new AbortController()
    const calls = [
      caller.run('ada', () => session.get('note')),
      caller.run('bob', () => third.get('note')),
      caller.run('cyd', () => session.increment('visits')),
      caller.run('dan', () => third.increment('visits')),
      caller.run('eve', () => second.take('note', { signal: giving.signal })).catch(() => {}),
    ]
    caller.run('fay', () => giving.abort())
    await Promise.all(calls)
    expect(new Set(told)).toEqual(
      new Set([
        ['take', 'eve'],
        ['get', 'ada'],
        ['get', 'bob'],
        ['increment', 'cyd'],
        ['increment', 'dan'],
      ]),
    )
  })

  test('is told with the code of its error; what is not Fieldwise’s own is OTHER', async () => {
    listen('fieldwise:operation')
    await session.set('note', 5 as never).catch(() => {})
    const fail = () => {
      throw new Error('canary-value')
    }
    await session.update('note', fail).catch(() => {})
    await session.get('note', { signal: AbortSignal.abort() }).catch(() => {})
    expect(heard.map(({ event }) => [event.operation, event.error])).toEqual([
      ['set', 'FIELD_INVALID'],
      ['update', 'OTHER'],
    ])
  })

  test.each<[string, () => Promise<unknown>]>([
    ['create', () => web.sessions.create()],
    ['open', () => web.sessions.open(session.token as string)],
    ['check', () => web.sessions.check()],
    ['revoke', () => web.sessions.revoke(session.id as string)],
    ['get', () => session.get('note')],
    ['getAll', () => session.getAll()],
    ['has', () => session.has('note')],
    ['set', () => session.set({ note: 'x' })],
    ['update', () => session.update('visits', (visits) => visits + 1)],
    ['increment', () => session.increment('visits')],
    ['take', () => session.take('note')],
    ['delete', () => session.delete('note')],
    ['regenerate', () => session.regenerate()],
    ['destroy', () => session.destroy()],
  ])('is told once, whatever it is: %s', async (operation, call) => {
    listen('fieldwise:operation')
    await call()
    expect(heard.map(({ event }) => event.operation)).toEqual([operation])
  })
})

describe('what happens to a session', () => {
  test('is told: created, rotated, ended', async () => {
    listen('fieldwise:created', 'fieldwise:rotated', 'fieldwise:ended')
    const fresh = web.sessions.resume()
    await fresh.set('note', 'x')
    await fresh.regenerate()
    await fresh.destroy()
    await web.sessions.revoke(session.id as string)
    expect(names()).toEqual(['created', 'rotated', 'ended', 'ended'])
    expect(heard.map(({ event }) => event)).toEqual([about(fresh.id), about(fresh.id), about(fresh.id), about()])
  })

  test('is told of each session that ends with its user', async () => {
    const ours = [await web.sessions.create({}, { user: 'ada' }), await web.sessions.create({}, { user: 'ada' })]
    listen('fieldwise:ended')
    await other.sessions.user('ada').end()
    expect(heard.map(({ event }) => event.sid).sort()).toEqual(ours.map(({ id }) => id).sort())
  })

  test('is told: a forged secret, and one from before a rotation', async () => {
    listen('fieldwise:forged', 'fieldwise:superseded')
    const old = session.token as string
    expect(await web.sessions.open(`${session.id}.${'A'.repeat(43)}`)).toBeNull()
    await session.regenerate()
    expect(await web.sessions.open(old)).toBeNull()
    expect(names()).toEqual(['forged', 'superseded'])
    expect(heard.map(({ event }) => event)).toEqual([about(), about()])
  })

  test('is told: a token whose server is none of the store, and in development warned of, once', async () => {
    listen('fieldwise:misrouted')
    const said: string[] = []
    const warn = (warning: Error & { code?: string }) => said.push(`${warning.code} ${warning.message}`)
    process.on('warning', warn)
    const elsewhere = `${session.id}~vz1a`
    for (let times = 0; times < 2; times++) expect(await web.sessions.open(`${elsewhere}.${'A'.repeat(43)}`)).toBeNull()
    await new Promise((resolve) => setImmediate(resolve))
    process.off('warning', warn)
    expect(heard).toEqual(Array(2).fill({ name: 'fieldwise:misrouted', event: { ...about(elsewhere), server: 'vz1a' } }))
    expect(said).toEqual([expect.stringMatching(/^FIELDWISE_MISROUTED A token names the server 'vz1a'.*write the same list/)])
    expect(said[0]).not.toContain('AAAA')
  })

  test('is told: an item that was evicted', async () => {
    listen('fieldwise:lost')
    await world.evict(`shop:${session.id}:note`)
    await session.get('note').catch(() => {})
    expect(heard).toEqual([{ name: 'fieldwise:lost', event: { ...about(), field: 'note' } }])
    expect(web.sessions.stats().lost).toBe(1)
  })

  test('is told once of a lost session, however many calls find it', async () => {
    listen('fieldwise:lost')
    await world.evict(`shop:${session.id}:note`)
    const requests = await Promise.all(
      Array.from({ length: 6 }, () => web.sessions.resume(session.token)).map((one) =>
        one.update('note', (note) => `${note}!`).catch(() => {}),
      ),
    )
    expect(requests).toHaveLength(6)
    expect(names()).toEqual(['lost'])
  })
})

describe('a write', () => {
  test('is told when a session begins with it', async () => {
    listen('fieldwise:write')
    const fresh = await web.sessions.create({ note: 'first', visits: 1 })
    const written = heard.map(({ event }) => event)
    expect(written).toEqual([
      { ...about(fresh.id), field: 'note', bytes: 20, deleted: false, combined: 1 },
      { ...about(fresh.id), field: 'visits', bytes: 14, deleted: false, combined: 1 },
    ])
  })

  test('is told with its size, and how many calls it served', async () => {
    listen('fieldwise:write')
    await Promise.all([session.increment('visits'), session.increment('visits'), session.increment('visits')])
    await session.delete('visits')
    const [combined, deleted] = heard.map(({ event }) => event)
    expect(combined).toEqual({ ...about(), field: 'visits', bytes: 14, deleted: false, combined: 3 })
    expect(deleted).toMatchObject({ deleted: true, combined: 1 })
    expect(web.sessions.stats().combined).toBe(2)
  })

  test('that was too late is told as a conflict, and as a retry', async () => {
    listen('fieldwise:conflict')
    const there = await other.sessions.open(session.token as string)
    await session.increment('visits')
    await there?.increment('visits')
    await session.increment('visits')
    expect(heard).toEqual([{ name: 'fieldwise:conflict', event: { ...about(), field: 'visits' } }])
    expect(web.sessions.stats()).toMatchObject({ conflicts: 1, retries: 0 })
  })

  test('whose outcome stays unknown is told as that, and one that could not be sent as unavailable', async () => {
    listen('fieldwise:unknown', 'fieldwise:unavailable')
    web.store.outage = 'silent'
    await world.time.run(session.set('note', 'x').catch(() => {}))
    web.store.outage = 'refused'
    await session.get('note').catch(() => {})
    expect(names()).toEqual(['unknown', 'unavailable'])
    expect(web.sessions.stats().unknown).toBe(1)
  })
})

describe('a flight', () => {
  test('is told with its requests, and whether all were answered', async () => {
    listen('fieldwise:flight')
    await session.get('note')
    web.store.outage = 'refused'
    await session.get('note').catch(() => {})
    expect(heard.map(({ event }) => event)).toEqual([
      { ...about(), requests: 2, duration: expect.any(Number), answered: true },
      { ...about(), requests: 2, duration: expect.any(Number), answered: false },
    ])
  })
})

test('no event holds a token, a secret or a value', async () => {
  listenToAll()
  const token = session.token as string
  await session.getAll()
  await session.update('note', (note) => `${note}!`)
  await session.regenerate()
  await web.sessions.open(token)
  await session.take('note')
  await session.destroy()
  expect(heard.length).toBeGreaterThan(12)
  const text = inspect(heard, { depth: 9 })
  expect(text).not.toContain('canary')
  expect(text).not.toContain(token.slice(-43))
  expect(text).not.toContain((session.token ?? token).slice(-43))
})

describe('stats', () => {
  test('counts operations and flights, and reads that cost nothing of their own', async () => {
    const before = web.sessions.stats()
    const preloaded = await web.sessions.open(session.token as string, { preload: ['note'] })
    await preloaded?.get('note')
    await Promise.all([session.get('note'), session.get('note')])
    const { operations, flights, hits } = web.sessions.stats()
    expect([operations - before.operations, flights - before.flights, hits - before.hits]).toEqual([4, 2, 2])
  })

  test('tells how long calls took, to within a tenth', async () => {
    expect(other.sessions.stats().latency).toEqual({ p50: 0, p90: 0, p99: 0, max: 0 })
    const there = await other.sessions.open(session.token as string)
    for (const milliseconds of [1, 2, 3, 40, 100]) {
      other.store.holding = true
      const get = there?.get('note') as Promise<string>
      const flight = await world.next(other, 'get note')
      await world.time.advance(milliseconds)
      await flight.deliver()
      await get
    }
    const { p50, p90, p99, max } = other.sessions.stats().latency
    expect(p50 / 2).toBeCloseTo(1, 0)
    expect(Math.abs(p90 / 100 - 1)).toBeLessThan(0.1)
    expect(p99).toBeLessThanOrEqual(max)
    expect(max).toBe(100)
  })
})
