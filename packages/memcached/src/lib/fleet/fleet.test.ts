import { randomUUID } from 'node:crypto'
import type { Store } from 'fieldwise/store-contract'
import { afterEach, describe, expect, test } from 'vitest'
import { complaint, Flyer, told } from '../../../../../test/support/flights.js'
import { host } from '../../../../../test/support/host.js'
import { Memcached } from '../../../../../test/support/memcached.js'
import { until } from '../../../../../test/support/until.js'
import { type MemcachedOptions, memcachedStore, type Servers } from '../../index.js'

const ends: AsyncDisposable[] = []

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end[Symbol.asyncDispose]()
})

async function memcached(count: number): Promise<Memcached[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => Memcached.start()))
  ends.push(...servers)
  return servers
}

function storeFor(servers: Servers, options: MemcachedOptions = {}): Store {
  const store = memcachedStore(servers, { protocol: 'meta', timeout: '2s', retryInterval: '50ms', ...options })
  ends.push({ [Symbol.asyncDispose]: () => store.close() })
  return store
}

function sessions(store: Store, count: number): Flyer[] {
  return Array.from({ length: count }, () => new Flyer(store))
}

const label = (sid: string) => sid.slice(37)

describe('a fleet', () => {
  test('keeps each session on the server that its id names', async () => {
    const [a, b] = (await memcached(2)) as [Memcached, Memcached]
    const both = storeFor({ a: a.address, b: b.address })
    const alone = { a: storeFor({ a: a.address }), b: storeFor({ b: b.address }) }
    const seen = new Set<string>()
    for (const session of sessions(both, 30)) {
      await session.told(session.add('x', session.sid))
      const [here, there] = label(session.sid) === 'a' ? (['a', 'b'] as const) : (['b', 'a'] as const)
      const direct = new Flyer(alone[here], session.sid)
      expect(await direct.told(session.get('x'))).toEqual([`found ${session.sid}`])
      expect(alone[there].holds(session.sid)).toBe(false)
      seen.add(here)
    }
    expect([...seen].sort()).toEqual(['a', 'b'])
  })

  test('labels sessions with one server too, so that one can become two', () => {
    const one = storeFor('10.0.0.1')
    const sid = one.place(randomUUID())
    expect(sid).toMatch(/^[0-9a-f-]{36}~[0-9a-z]{4}$/)
    expect(storeFor('10.0.0.1, 10.0.0.2').holds(sid)).toBe(true)
  })

  test('that grows from 4 to 5 loses no session, and one that shrinks only those of the server that left', async () => {
    const five = { a: '10.0.0.1', b: '10.0.0.2', c: '10.0.0.3', d: '10.0.0.4', e: '10.0.0.5' }
    const { e: _, ...four } = five
    const before = storeFor(four)
    const after = storeFor(five)
    const sids = Array.from({ length: 1_000 }, () => before.place(randomUUID()))
    expect(sids.filter((sid) => !after.holds(sid))).toEqual([])
    const grown = Array.from({ length: 1_000 }, () => after.place(randomUUID()))
    expect(grown.filter((sid) => before.holds(sid) !== (label(sid) !== 'e'))).toEqual([])
  })

  test('lets a named server move to another address', async () => {
    const [old, moved] = (await memcached(2)) as [Memcached, Memcached]
    const sid = storeFor({ a: old.address }).place(randomUUID())
    const session = new Flyer(storeFor({ a: moved.address }), sid)
    expect(await session.told(session.add('x'))).toEqual(['stored'])
  })

  test('places by weight, and with weight 0 nothing, though such a server serves the sessions it has', async () => {
    const servers = await memcached(2)
    const [a, b] = servers as [Memcached, Memcached]
    const drained = new Flyer(storeFor({ a: a.address, b: `tcp://${b.address}` }), `${randomUUID()}~b`)
    await drained.told(drained.add('x', 'kept'))
    const draining = storeFor({ a: a.address, b: `tcp://${b.address}?weight=0` })
    expect(new Set(sessions(draining, 50).map(({ sid }) => label(sid)))).toEqual(new Set(['a']))
    expect(await new Flyer(draining, drained.sid).told(drained.get('x'))).toEqual(['found kept'])
    const heavy = storeFor({ a: 'tcp://10.0.0.1?weight=9', b: 'tcp://10.0.0.2' })
    const share = sessions(heavy, 2_000).filter(({ sid }) => label(sid) === 'a').length / 2_000
    expect(share).toBeCloseTo(0.9, 1)
  })

  test('knows the home of an id from the id alone: in every process, whatever is down, and never with weight 0', async () => {
    const [a, b] = (await memcached(2)) as [Memcached, Memcached]
    const store = storeFor({ a: a.address, b: b.address, c: 'tcp://10.0.0.3?weight=0' })
    const uuids = Array.from({ length: 50 }, () => randomUUID())
    const homes = uuids.map((uuid) => store.placeById?.(uuid))
    expect(homes).toEqual(uuids.map((uuid) => store.place(uuid)))
    expect(new Set(homes.map((sid) => label(sid as string)))).toEqual(new Set(['a', 'b']))
    await b.stop()
    await expect(store.check(host.running() + 2_000)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(uuids.map((uuid) => store.placeById?.(uuid))).toEqual(homes)
    expect(new Set(uuids.map((uuid) => label(store.place(uuid))))).toEqual(new Set(['a']))
  })

  test('with a dead server: its sessions fail at once, the others and new ones do not notice, and it comes back by itself', async () => {
    const [a, b, c] = (await memcached(3)) as [Memcached, Memcached, Memcached]
    const store = storeFor({ a: a.address, b: b.address, c: c.address })
    const all = sessions(store, 60)
    for (const session of all) expect(await session.told(session.add('x', session.sid))).toEqual(['stored'])
    await b.stop()
    for (const session of all) {
      const [answer] = await session.told(session.get('x'))
      expect(answer).toMatch(label(session.sid) === 'b' ? /^(unsent|unanswered) STORE_UNAVAILABLE$/ : `found ${session.sid}`)
    }
    for (const session of sessions(store, 60)) {
      expect(label(session.sid)).not.toBe('b')
      expect(await session.told(session.add('x'))).toEqual(['stored'])
    }
    await b.start()
    // Nothing but new sessions asks for it.
    await until(() => label(store.place(randomUUID())) === 'b')
    const lost = all.filter(({ sid }) => label(sid) === 'b')
    for (const session of lost) expect(await session.told(session.get('x'))).toEqual(['missing'])
  })

  test('never places a session on a server of weight 0, not even while all others are down', async () => {
    const [a, b] = (await memcached(2)) as [Memcached, Memcached]
    const store = storeFor({ a: a.address, b: `tcp://${b.address}?weight=0` }, { retryInterval: '10s' })
    await a.stop()
    for (let round = 0; round < 5; round++) {
      const session = new Flyer(store)
      expect(label(session.sid)).toBe('a')
      expect(await session.told(session.get('x'))).toEqual(['unsent STORE_UNAVAILABLE'])
    }
  })

  test('says in check which servers do not answer', async () => {
    const [a, b] = (await memcached(2)) as [Memcached, Memcached]
    const store = storeFor({ one: a.address, two: b.address })
    await store.check(host.running() + 2_000)
    await b.stop()
    const error = await store.check(host.running() + 2_000).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', message: expect.stringMatching(/^memcached 'two' \(127/) })
    expect(String(error)).not.toContain("'one'")
    // One that takes new sessions is enough to be ready.
    await store.check(performance.now() + 2_000, 'one')
    await b.start()
    await store.check(host.running() + 2_000)
  })

  test('is not ready while only a server answers that takes no new sessions', async () => {
    const [a, b] = (await memcached(2)) as [Memcached, Memcached]
    const store = storeFor({ one: `tcp://${a.address}?weight=0`, two: b.address })
    await store.check(performance.now() + 2_000, 'one')
    await b.stop()
    await expect(store.check(performance.now() + 2_000, 'one')).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: expect.stringContaining("'two'"),
    })
  })

  test('refuses what names none of its servers, and asks nobody', async () => {
    const store = storeFor('10.255.255.1')
    const stranger = new Flyer(store, `${randomUUID()}~none`)
    const { answers, serverTime: at } = await stranger.fly([stranger.get('x')])
    expect(answers.map(told)).toEqual(['unsent STORE_UNAVAILABLE'])
    expect(complaint(answers[0])).toMatch(/not among the servers/)
    expect(at).toBeUndefined()
    await expect(store.now(stranger.sid, 0)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(store.largestValue(stranger.sid, 10)).toBeGreaterThan(0)
  })

  test('takes as long as its slowest server may', () => {
    const store = storeFor('tcp://10.0.0.1?timeout=3, tcp://10.0.0.2', { timeout: '2s' })
    expect(store.traits).toEqual({ reportsTtl: true, comparesVersions: true, shared: true, timeout: 3_000, ttlStep: 1_000 })
    expect(storeFor('10.0.0.1', { protocol: 'binary' }).traits).toMatchObject({ reportsTtl: false, comparesVersions: false })
  })
})
