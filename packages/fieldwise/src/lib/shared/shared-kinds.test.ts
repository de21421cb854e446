import { randomBytes } from 'node:crypto'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { World } from '../../../../../test/support/world.js'
import { cached, counter, ticket, value } from '../../shared.js'

const kinds = {
  attempts: counter({ window: '1m' }),
  link: ticket(z.string(), { expires: '5m' }),
  price: cached(z.number(), { expires: '10m', stale: '1m', lease: '10s' }),
  settings: value(z.object({ open: z.boolean(), seats: z.int() }).default({ open: true, seats: 4 })),
  note: value(z.string(), { expires: '1m' }),
}

function begin(options = {}) {
  const world = new World()
  return { world, one: world.sharing(kinds, options), other: world.sharing(kinds, options) }
}

describe('a counter', () => {
  test('counts in a window that begins with its first increment, and begins anew at its end', async () => {
    const { world, one, other } = begin()
    const first = await one.shared.attempts.increment('ada')
    expect(first).toEqual({ count: 1, resetsAt: new Date(world.time.clock.now() + 60_000), resetsIn: 60_000 })
    await world.time.advance(20_000)
    expect(await other.shared.attempts.increment('ada', { by: 3 })).toEqual({
      count: 4,
      resetsAt: first.resetsAt,
      resetsIn: 40_000,
    })
    await world.time.advance(39_999)
    expect(await one.shared.attempts.peek('ada')).toMatchObject({ count: 4, resetsIn: 1 })
    await world.time.advance(1)
    expect(await one.shared.attempts.peek('ada')).toBeUndefined()
    expect(await other.shared.attempts.increment('ada')).toMatchObject({ count: 1, resetsIn: 60_000 })
  })

  test('never falls below nothing, so that what is taken back late gives no credit in the next window', async () => {
    const { one } = begin()
    expect(await one.shared.attempts.increment('ada', { by: -1 })).toMatchObject({ count: 0 })
    expect(await one.shared.attempts.increment('ada')).toMatchObject({ count: 1 })
  })

  test('opens a window of another length where a call says so, and leaves one that is open as it is', async () => {
    const { one } = begin()
    expect(await one.shared.attempts.increment('ada', { window: '10s' })).toMatchObject({ resetsIn: 10_000 })
    expect(await one.shared.attempts.increment('ada', { window: '1h' })).toMatchObject({ count: 2, resetsIn: 10_000 })
    await expect(one.shared.attempts.increment('ada', { window: '0s' })).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
  })

  test('stays exact: a count that a number cannot hold is refused', async () => {
    const { one } = begin()
    await one.shared.attempts.increment('ada', { by: Number.MAX_SAFE_INTEGER })
    await expect(one.shared.attempts.increment('ada')).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
    expect(await one.shared.attempts.peek('ada')).toMatchObject({ count: Number.MAX_SAFE_INTEGER })
  })

  test('is reset, and begins another window', async () => {
    const { world, one, other } = begin()
    await one.shared.attempts.increment('ada')
    await other.shared.attempts.reset('ada')
    expect(await one.shared.attempts.peek('ada')).toBeUndefined()
    await world.time.advance(10_000)
    expect(await one.shared.attempts.increment('ada')).toMatchObject({ count: 1, resetsIn: 60_000 })
  })

  test('combines the increments of one process: one swap, a count for each', async () => {
    const { one } = begin()
    const counts = await Promise.all(Array.from({ length: 32 }, () => one.shared.attempts.increment('ada')))
    expect(counts.map(({ count }) => count)).toEqual(Array.from({ length: 32 }, (_, index) => index + 1))
    expect(one.store.takeLog()).toHaveLength(2)
  })

  test('is counted once when the answer is lost and the increment was stored, and once when it was not', async () => {
    const { world, one } = begin()
    for (const carryOut of [true, false]) {
      one.store.holding = true
      const counting = one.shared.attempts.increment('ada')
      await (await world.next(one, 'get')).deliver()
      const write = await world.next(one, carryOut ? 'add' : 'replace')
      if (carryOut) await write.loseAnswer()
      else write.loseRequest()
      one.store.holding = false
      expect(await world.time.run(counting)).toMatchObject({ count: carryOut ? 1 : 2 })
    }
  })

  test('is refused while the server has no memory, and begins again where the server has deleted it for that', async () => {
    const { one } = begin()
    for (const [outOfMemory, left] of [
      ['unsent', { count: 1 }],
      ['lost', undefined],
    ] as const) {
      await one.shared.attempts.reset('ada')
      await one.shared.attempts.increment('ada')
      one.store.outOfMemory = outOfMemory
      await expect(one.shared.attempts.increment('ada')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
      one.store.outOfMemory = undefined
      const found = await one.shared.attempts.peek('ada')
      expect(found && { count: found.count }).toEqual(left)
    }
  })

  test('says that the outcome is unknown when nothing is there after a lost answer (S1)', async () => {
    const { world, one, other } = begin()
    one.store.holding = true
    const counting = one.shared.attempts.increment('ada')
    await (await world.next(one, 'get')).deliver()
    const write = await world.next(one, 'add')
    write.loseRequest()
    one.store.holding = false
    await expect(world.time.run(counting)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    expect(await other.shared.attempts.peek('ada')).toBeUndefined()
  })
})

describe('a ticket', () => {
  test('is taken once', async () => {
    const { world, one, other } = begin()
    await one.shared.link.put('secret', 'ada')
    const taking = [one, other, one, other].map(({ shared }) => shared.link.take('secret'))
    const taken = await world.time.run(Promise.all(taking))
    expect(taken.filter((each) => each !== undefined)).toEqual(['ada'])
    expect(await other.shared.link.take('secret')).toBeUndefined()
  })

  test('expires', async () => {
    const { world, one } = begin()
    await one.shared.link.put('secret', 'ada')
    await world.time.advance(300_000)
    expect(await one.shared.link.take('secret')).toBeUndefined()
  })

  test('is taken by the caller whose answer was lost, and by nobody else', async () => {
    const { world, one, other } = begin()
    await one.shared.link.put('secret', 'ada')
    one.store.holding = true
    const taking = one.shared.link.take('secret')
    await (await world.next(one, 'get')).deliver()
    const write = await world.next(one, 'replace')
    await write.loseAnswer()
    one.store.holding = false
    expect(await other.shared.link.take('secret')).toBeUndefined()
    expect(await world.time.run(taking)).toBe('ada')
  })

  test('that does not fit is refused, and nothing is stored', async () => {
    const { one } = begin()
    await expect(one.shared.link.put('secret', 5 as never)).rejects.toMatchObject({ code: 'FIELD_INVALID', field: 'link' })
    await expect(one.shared.link.put('secret', 'x'.repeat(2_000_000))).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
    expect(await one.shared.link.take('secret')).toBeUndefined()
  })
})

describe('a value', () => {
  test('is read, replaced, changed, taken and deleted', async () => {
    const { world, one, other } = begin()
    expect(await one.shared.settings.get('site')).toEqual({ open: true, seats: 4 })
    await one.shared.settings.update('site', (settings) => {
      settings.open = false
    })
    const adding = [one, other].map(({ shared }) => shared.settings.update('site', (it) => ({ ...it, seats: it.seats + 1 })))
    await world.time.run(Promise.all(adding))
    expect(await other.shared.settings.get('site')).toEqual({ open: false, seats: 6 })
    await other.shared.settings.set('site', { open: true, seats: 1 })
    expect(await one.shared.settings.take('site')).toEqual({ open: true, seats: 1 })
    expect(await one.shared.settings.take('site')).toBeUndefined()
    await one.shared.note.set('site', 'x')
    await one.shared.note.delete('site')
    expect(await one.shared.note.get('site')).toBeUndefined()
  })

  test('expires some time after its last write, which may be of the same value', async () => {
    const { world, one } = begin()
    await one.shared.note.set('site', 'closed')
    await world.time.advance(59_000)
    await one.shared.note.set('site', 'closed')
    await world.time.advance(59_999)
    expect(await one.shared.note.get('site')).toBe('closed')
    await world.time.advance(1)
    expect(await one.shared.note.get('site')).toBeUndefined()
  })

  test('lives as long as `set` says, through updates, until the next `set`', async () => {
    const { world, one } = begin()
    await one.shared.settings.set('site', { open: false, seats: 1 }, { expires: '10s' })
    await world.time.advance(9_000)
    await one.shared.settings.update('site', (settings) => ({ ...settings, seats: 2 }))
    await world.time.advance(999)
    expect(await one.shared.settings.get('site')).toEqual({ open: false, seats: 2 })
    await world.time.advance(1)
    expect(await one.shared.settings.get('site')).toEqual({ open: true, seats: 4 })
    await one.shared.settings.set('site', { open: false, seats: 3 }, { expires: '10s' })
    await one.shared.settings.set('site', { open: false, seats: 3 })
    await world.time.advance(20_000)
    expect(await one.shared.settings.get('site')).toEqual({ open: false, seats: 3 })
    await expect(one.shared.note.set('site', 'x', { expires: 5 as never })).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
  })

  test('keeps what it was when its function throws', async () => {
    const { one } = begin()
    await one.shared.note.set('site', 'closed')
    const thrown = new Error('no')
    const change = () => {
      throw thrown
    }
    await expect(one.shared.note.update('site', change)).rejects.toBe(thrown)
    expect(await one.shared.note.get('site')).toBe('closed')
  })
})

describe('a cached value', () => {
  /** Loads that end when the test says so. */
  function loader() {
    const ends: { resolve: (price: number) => void; reject: (error: unknown) => void }[] = []
    return { ends, load: () => new Promise<number>((resolve, reject) => ends.push({ resolve, reject })) }
  }

  test('is loaded by one of all that ask, in all processes', async () => {
    const { world, one, other } = begin()
    const { ends, load } = loader()
    const asking = [one, one, other, other].map(({ shared }) => shared.price.get('tea', load))
    await world.time.advance(500)
    expect(ends).toHaveLength(1)
    ends[0]?.resolve(4)
    expect(await world.time.run(Promise.all(asking))).toEqual([4, 4, 4, 4])
    expect(await other.shared.price.get('tea', load)).toBe(4)
    expect(ends).toHaveLength(1)
  })

  test('is served old while another call loads it, and not longer than it may be', async () => {
    const { world, one, other } = begin()
    await one.shared.price.get('tea', () => 4)
    await world.time.advance(600_000)
    const { ends, load } = loader()
    const loading = one.shared.price.get('tea', load)
    await world.time.advance(10)
    expect(await other.shared.price.get('tea', load)).toBe(4)
    expect(await one.shared.price.get('tea', load)).toBe(4)
    ends[0]?.resolve(5)
    expect([await loading, await other.shared.price.get('tea', load)]).toEqual([5, 5])
    await world.time.advance(660_000)
    expect(await other.shared.price.get('tea', () => 6)).toBe(6)
  })

  test('that is invalidated during its load is not stored, and whoever asks then loads anew (S4, S7)', async () => {
    const { world, one, other } = begin()
    const { ends, load } = loader()
    const before = one.shared.price.get('tea', load)
    await world.time.advance(10)
    await other.shared.price.invalidate('tea')
    const after = one.shared.price.get('tea', load)
    await world.time.advance(10)
    ends[0]?.resolve(4)
    expect(await before).toBe(4)
    ends[1]?.resolve(5)
    expect([await after, await world.time.run(other.shared.price.get('tea', load))]).toEqual([5, 5])
  })

  test('is loaded by another process when the first takes longer than its lease', async () => {
    const { world, one, other } = begin()
    const { ends, load } = loader()
    const slow = one.shared.price.get('tea', load)
    await world.time.advance(9_900)
    const waiting = other.shared.price.get('tea', load)
    await world.time.advance(50)
    expect(ends).toHaveLength(1)
    await world.time.advance(200)
    expect(ends).toHaveLength(2)
    ends[1]?.resolve(5)
    expect(await world.time.run(waiting)).toBe(5)
    ends[0]?.resolve(4)
    expect([await slow, await one.shared.price.get('tea', load)]).toEqual([4, 5])
  })

  test('whose load fails rejects its callers with the reason, and the next one loads at once', async () => {
    const { world, one, other } = begin()
    const failure = new Error('the database is down')
    const asking = [1, 2].map(() => one.shared.price.get('tea', () => Promise.reject(failure)))
    expect(await Promise.allSettled(asking)).toEqual([
      { status: 'rejected', reason: failure },
      { status: 'rejected', reason: failure },
    ])
    expect(await world.time.run(other.shared.price.get('tea', () => 5))).toBe(5)
    await expect(
      one.shared.price.get('coffee', () => {
        throw failure
      }),
    ).rejects.toBe(failure)
    expect(one.shared.stats()).toMatchObject({ loads: 2, failedLoads: 2 })
  })

  test('keeps the old one when a load fails', async () => {
    const { world, one } = begin()
    await one.shared.price.get('tea', () => 4)
    await world.time.advance(600_000)
    await expect(one.shared.price.get('tea', () => Promise.reject(new Error('down')))).rejects.toThrow('down')
    const { load, ends } = loader()
    const loading = one.shared.price.get('tea', load)
    await world.time.advance(10)
    expect(await one.shared.price.get('tea', load)).toBe(4)
    ends[0]?.resolve(5)
    expect(await loading).toBe(5)
  })

  test('that does not fit, or is too large, is refused', async () => {
    const world = new World()
    const { shared } = world.sharing({ page: cached(z.string(), { expires: '1m' }) })
    await expect(shared.page.get('a', () => 5 as never)).rejects.toMatchObject({ code: 'FIELD_INVALID' })
    await expect(shared.page.get('a', () => undefined as never)).rejects.toMatchObject({ code: 'FIELD_INVALID' })
    await expect(shared.page.get('a', () => 'x'.repeat(2_000_000))).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
    expect(await shared.page.get('a', () => 'small')).toBe('small')
  })

  test('that no longer fits the schema is loaded anew', async () => {
    const { world, one } = begin()
    await one.shared.price.get('tea', () => 4)
    const later = world.sharing({ price: cached(z.string(), { expires: '10m' }) })
    expect(await later.shared.price.get('tea', () => 'four')).toBe('four')
  })

  test('rejects while the store is away, so that what is behind is not overrun', async () => {
    const { one } = begin()
    one.store.outage = 'refused'
    await expect(one.shared.price.get('tea', () => 4)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })
})

describe('sealed', () => {
  const keys = () => [randomBytes(32).toString('base64url')]
  const [first, second] = [keys(), keys()]

  test('everything works, nothing can be read, and keys can be changed', async () => {
    const world = new World()
    const old = world.sharing(kinds, { sealing: { keys: first } })
    const next = world.sharing(kinds, { sealing: { keys: [...second, ...first] } })
    const stranger = world.sharing(kinds, { sealing: { keys: second } })
    await old.shared.note.set('site', 'canary')
    await old.shared.attempts.increment('ada')
    await old.shared.price.get('tea', () => 4)
    const values = old.store.flights.flat().flatMap((request) => ('value' in request ? [request.value] : []))
    expect(values.length).toBeGreaterThan(3)
    for (const bytes of values) expect(bytes[0]).toBe(0x81)
    expect(values.some((bytes) => bytes.includes('canary'))).toBe(false)
    await expect(stranger.shared.note.get('site')).rejects.toMatchObject({ code: 'SEAL_BROKEN', field: 'note' })
    await expect(stranger.shared.attempts.increment('ada')).rejects.toMatchObject({ code: 'SEAL_BROKEN' })
    expect(await next.shared.note.update('site', (note) => `${note}!`)).toBe('canary!')
    expect(await stranger.shared.note.get('site')).toBe('canary!')
    // What is blind makes room, and what is cached is loaded anew.
    await stranger.shared.attempts.reset('ada')
    expect(await stranger.shared.attempts.increment('ada')).toMatchObject({ count: 1 })
    expect(await stranger.shared.price.get('tea', () => 5)).toBe(5)
  })

  test('an item that was moved to another id or kind is refused', async () => {
    const world = new World()
    const two = { one: value(z.string()), other: value(z.string()) }
    const web = world.sharing(two, { sealing: { keys: first } })
    await web.shared.one.set('a', 'mine')
    const { value: stored } = web.store.flights.flat().find(({ op }) => op === 'add') as { value: Buffer }
    await Promise.all([web.shared.one.set('b', 'x'), web.shared.other.set('a', 'x')])
    const keysOf = web.store.flights.flat().flatMap((request) => (request.op === 'add' ? [request.key] : []))
    for (const key of keysOf.slice(1)) {
      const requests = [{ op: 'replace', key, value: stored, ttl: 60_000 }] as const
      await world.shared.flight(key.slice(1), requests, Number.POSITIVE_INFINITY)
    }
    await expect(web.shared.one.get('b')).rejects.toMatchObject({ code: 'SEAL_BROKEN' })
    await expect(web.shared.other.get('a')).rejects.toMatchObject({ code: 'SEAL_BROKEN' })
    expect(await web.shared.one.get('a')).toBe('mine')
  })
})

test('an id is in no key, no event and no error, since it may be a secret or the address of a person', async () => {
  const { one } = begin()
  const canary = 'canary-id-203.0.113.7'
  const told: unknown[] = []
  const listen = (message: unknown) => told.push(message)
  const channels = ['operation', 'flight', 'write', 'conflict', 'unknown', 'unavailable'].map((name) => `fieldwise:${name}`)
  for (const channel of channels) subscribe(channel, listen)
  await one.shared.attempts.increment(canary)
  await one.shared.link.put(canary, 'v')
  await one.shared.link.take(canary)
  await one.shared.price.get(canary, () => 4)
  told.push(await one.shared.link.put(canary, 5 as never).catch((error: unknown) => error))
  one.store.outage = 'refused'
  told.push(await one.shared.price.invalidate(canary).catch((error: unknown) => error))
  for (const channel of channels) unsubscribe(channel, listen)
  const operations = told.filter((message) => Object.hasOwn(message as object, 'operation'))
  expect(operations).toMatchObject(
    ['increment', 'put', 'take', 'get', 'put', 'invalidate'].map((operation) => ({ operation, sid: undefined })),
  )
  expect(operations[0]).toMatchObject({ fields: ['~attempts'], prefix: '', store: 'stepping' })
  const all =
    inspect(told, { depth: 10 }) +
    one.store.flights
      .flat()
      .map(({ key }) => key)
      .join()
  expect(all).not.toContain('canary')
  expect(all).not.toContain('203.0.113.7')
})
