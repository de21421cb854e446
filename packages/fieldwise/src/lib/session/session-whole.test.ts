import { beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { turn } from '../../../../../test/support/virtual-time.js'
import { type Process, World } from '../../../../../test/support/world.js'
import type { SessionOf } from '../api/sessions.js'

const schema = z.object({ username: z.string(), cart: z.array(z.string()).default([]), visits: z.int().default(0) })
type Web = Process<typeof schema>

let world: World
let web: Web
let other: Web
let session: SessionOf<Web['sessions']>
let there: SessionOf<Web['sessions']>
beforeEach(async () => {
  world = new World()
  web = world.process(schema)
  other = world.process(schema)
  session = await web.sessions.create({ username: 'ada', cart: ['tea'] })
  there = (await other.sessions.open(session.token as string)) as typeof session
  web.store.takeLog()
})

const key = (name: string) => `${session.id}:${name}`

describe('a session of which memcached has evicted a field', () => {
  const finders: [what: string, find: () => Promise<unknown>][] = [
    ['get', () => session.get('cart')],
    ['getMany', () => session.getMany(['username', 'cart'])],
    ['getAll', () => session.getAll()],
    ['has', () => session.has('cart')],
    ['set', () => session.set('cart', [])],
    ['set of several', () => session.set({ cart: [], visits: 1 })],
    ['update', () => session.update('cart', (cart) => [...cart, 'coffee'])],
    ['take', () => session.take('cart')],
    ['delete', () => session.delete('cart')],
    ['get of a resumed token', () => web.sessions.resume(session.token).get('cart')],
    ['set of a resumed token', () => web.sessions.resume(session.token).set('cart', [])],
  ]

  test.each(finders)('ends when %s finds it: SESSION_GONE with the field, and nothing is left', async (_what, find) => {
    await world.evict(key('cart'))
    await expect(world.time.run(find())).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'lost', field: 'cart' })
    for (const name of ['@', 'username', 'cart']) expect(await world.stored(key(name))).toBeUndefined()
    await expect(there.get('username')).rejects.toMatchObject({ code: 'SESSION_GONE' })
    expect(await web.sessions.open(session.token as string)).toBeNull()
  })

  test('ends when open preloads it: null', async () => {
    await world.evict(key('cart'))
    expect(await web.sessions.open(session.token as string, { preload: ['username', 'cart'] })).toBeNull()
    expect(await world.stored(key('@'))).toBeUndefined()
  })

  test('lives on for who does not look at it: a loss is found when that field is next used (R4)', async () => {
    await world.evict(key('cart'))
    expect(await session.get('username')).toBe('ada')
    expect(await session.increment('visits')).toBe(1)
  })

  test('is looked at a second time before it is called lost, after the header was seen (R3)', async () => {
    await world.evict(key('cart'))
    await expect(session.get('cart')).rejects.toMatchObject({ reason: 'lost' })
    const flights = web.store.flights.filter((flight) => flight.some(({ op }) => op === 'get' && flight.length === 2))
    expect(flights.filter((flight) => flight[0]?.key === key('cart'))).toHaveLength(2)
  })

  test('is called lost only when the end of its header was acknowledged (R4)', async () => {
    await world.evict(key('cart'))
    web.store.holding = true
    const outcome = expect(session.get('cart')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await (await world.next(web, 'get cart')).deliver()
    await (await world.next(web, 'get cart')).deliver()
    ;(await world.next(web, 'delete @')).refuse()
    await outcome
    expect(session.state).toBe('stored')
    await web.store.release()
    web.store.holding = false
    await expect(session.get('cart')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'lost' })
  })

  test('stays gone for every later call of the request that found it', async () => {
    await world.evict(key('cart'))
    await expect(session.get('cart')).rejects.toMatchObject({ reason: 'lost' })
    for (const call of [() => session.get('username'), () => session.set('visits', 1), () => session.regenerate()]) {
      await expect(call()).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'lost', field: 'cart' })
    }
  })

  test('whose header is evicted is gone, whatever fields are left', async () => {
    await world.evict(key('@'))
    await expect(session.set('username', 'eve')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'destroyed' })
    expect(await web.sessions.open(session.token as string)).toBeNull()
  })
})

describe('no false alarm', () => {
  test('for a first write that comes between the reading of the field and of the header', async () => {
    web.store.holding = true
    const snapshot = session.get('visits')
    const flight = await world.next(web, 'get visits')
    await flight.step()
    await there.increment('visits')
    await flight.step()
    await (await world.next(web, 'get visits')).deliver()
    expect(await snapshot).toBe(1)
  })

  test('for a field that was listed, deleted and stored again', async () => {
    await session.delete('cart')
    expect(await there.get('cart')).toEqual([])
    await there.set('cart', ['coffee'])
    expect(await session.getAll()).toEqual({ username: 'ada', cart: ['coffee'], visits: 0 })
  })

  test('for a field that was taken', async () => {
    await session.take('cart')
    expect(await there.getAll()).toEqual({ username: 'ada', cart: [], visits: 0 })
  })

  test('for fields that were never stored', async () => {
    expect(await session.get('visits')).toBe(0)
    expect(await session.take('visits')).toBeUndefined()
    await session.delete('visits')
    expect(web.store.log.filter((request) => !request.startsWith('get'))).toEqual([])
  })
})

describe('an item under another birth than the one that is listed', () => {
  test('is not the value that was stored: the session ends (R3)', async () => {
    const strange = await web.sessions.create({ cart: ['strange'] })
    const bytes = (await world.stored(`${strange.id}:cart`)) as Buffer
    await world.plant(key('cart'), bytes)
    await expect(session.get('cart')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'lost', field: 'cart' })
  })

  test('is not looked for where the field may be absent (R5)', async () => {
    const lax = world.process(schema, { lost: 'absent' })
    const one = await lax.sessions.open(session.token as string)
    const strange = await web.sessions.create({ cart: ['strange'] })
    await world.plant(key('cart'), (await world.stored(`${strange.id}:cart`)) as Buffer)
    expect(await one?.get('cart')).toEqual(['strange'])
  })
})

describe("fields that are declared 'absent'", () => {
  test('are unset when they are gone, and the others count as before', async () => {
    const some = world.process(schema, { lost: { cart: 'absent' } })
    const one = await some.sessions.open(session.token as string)
    await world.evict(key('cart'))
    expect(await one?.getAll()).toEqual({ username: 'ada', cart: [], visits: 0 })
    await world.evict(key('username'))
    await expect(one?.get('username')).rejects.toMatchObject({ code: 'SESSION_GONE', field: 'username' })
  })

  test('all of them: a session lives for as long as its header does', async () => {
    const lax = world.process(schema, { lost: 'absent' })
    const one = await lax.sessions.open(session.token as string)
    await Promise.all([world.evict(key('cart')), world.evict(key('username'))])
    expect(await one?.getAll()).toEqual({ username: undefined, cart: [], visits: 0 })
    await one?.set('username', 'bob')
    expect(await one?.get('username')).toBe('bob')
  })

  test('of a newer schema do not end a session in an older process that does not know them', async () => {
    const newer = world.process(schema.extend({ cache: z.string() }), { lost: { cache: 'absent' } })
    await (await newer.sessions.open(session.token as string))?.set('cache', 'x')
    await world.evict(key('cache'))
    for (let use = 0; use < 5; use++) {
      await world.time.advance(25 * 60_000)
      expect(await session.getAll()).toEqual({ username: 'ada', cart: ['tea'], visits: 0 })
      await turn()
    }
  })
})

describe('a value that nobody can read', () => {
  test('fails its own reads with SEAL_BROKEN, and leaves the rest of the session usable', async () => {
    await world.plant(key('cart'), Buffer.from('nonsense'))
    await expect(session.get('cart')).rejects.toMatchObject({ code: 'SEAL_BROKEN', field: 'cart' })
    await expect(session.update('cart', (cart) => cart)).rejects.toMatchObject({ code: 'SEAL_BROKEN' })
    await expect(session.take('cart')).rejects.toMatchObject({ code: 'SEAL_BROKEN' })
    expect(await session.get('username')).toBe('ada')
    expect(await session.increment('visits')).toBe(1)
  })

  test('is replaced by set, and removed by delete', async () => {
    await world.plant(key('cart'), Buffer.from('nonsense'))
    await session.set('cart', ['coffee'])
    expect(await there.get('cart')).toEqual(['coffee'])
    await world.plant(key('cart'), Buffer.from('nonsense'))
    await web.sessions.resume(session.token).delete('cart')
    expect(await there.get('cart')).toEqual([])
    await world.plant(key('cart'), Buffer.from('nonsense'))
    await web.sessions.resume(session.token).set('cart', ['milk'])
    expect(await there.get('cart')).toEqual(['milk'])
  })

  test('that was preloaded fails when it is asked for, not before', async () => {
    await world.plant(key('cart'), Buffer.from('nonsense'))
    const opened = await web.sessions.open(session.token as string, { preload: ['username', 'cart'] })
    expect(await opened?.get('username')).toBe('ada')
    await expect(opened?.get('cart')).rejects.toMatchObject({ code: 'SEAL_BROKEN', field: 'cart' })
  })

  test('in the place of the header is SEAL_BROKEN, never "no session"', async () => {
    await world.plant(key('@'), Buffer.from('nonsense'))
    await expect(web.sessions.open(session.token as string)).rejects.toMatchObject({ code: 'SEAL_BROKEN', field: 'header' })
  })
})
