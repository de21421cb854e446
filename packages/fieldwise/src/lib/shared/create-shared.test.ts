import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { World } from '../../../../../test/support/world.js'
import { memoryStore } from '../../index.js'
import { cached, counter, createShared, ticket, value } from '../../shared.js'
import { type BadConfigError, isFieldwiseError } from '../api/errors.js'

const kinds = {
  attempts: counter({ window: '1m' }),
  link: ticket(z.string(), { expires: '5m' }),
  price: cached(z.number(), { expires: '10m' }),
  settings: value(z.string()),
}

function refusalOf(work: () => unknown): BadConfigError {
  try {
    work()
  } catch (error) {
    if (isFieldwiseError(error, 'BAD_CONFIG')) return error
    throw error
  }
  throw new Error('it was taken')
}

type Any = never

const bad: [what: string, work: () => unknown, says: RegExp][] = [
  ['a counter without a window', () => counter({} as Any), /counter needs window, such as { window: '10m' }/],
  ['a window of nothing', () => counter({ window: '0s' }), /counter: window is longer than nothing/],
  ['a window as a bare number', () => counter({ window: 60 } as Any), /counter: window: .*'30s'/],
  ['an option of another library', () => counter({ window: '1m', points: 5 } as Any), /counter has no option 'points'/],
  ['a counter of nothing', () => counter(undefined as Any), /counter takes an object with window/],
  ['a ticket without a schema', () => ticket({ expires: '5m' } as Any, undefined as Any), /ticket takes a schema of zod 4 first/],
  ['a ticket for ever', () => ticket(z.string(), {} as Any), /ticket needs expires/],
  ['stale without expires', () => cached(z.number(), { stale: '1m' } as Any), /cached needs expires/],
  ['a lease below 2 s', () => cached(z.number(), { expires: '10m', lease: '1999ms' }), /lease is '2s' at least/],
  ['a cached value that is stale for nothing', () => cached(z.number(), { expires: '10m', stale: '0s' }), /longer than nothing/],
  ['a value that expires at once', () => value(z.number(), { expires: '0ms' }), /value: expires is longer than nothing/],
  ['no options', () => createShared(undefined as Any), /createShared takes an object with kinds/],
  ['no kinds', () => createShared({} as Any), /createShared takes kinds by their names/],
  ['a schema in place of a kind', () => createShared({ kinds: { a: z.string() } as Any }), /kinds\.a is made by counter, ticket/],
  ['a name that no key could hold', () => createShared({ kinds: { 'a b': counter({ window: '1m' }) } }), /cannot name a kind/],
  ['the name of a method', () => createShared({ kinds: { stats: counter({ window: '1m' }) } as Any }), /cannot be named stats/],
  ['the name of what every object has', () => createShared({ kinds: { toString: kinds.attempts } as Any }), /cannot name a kind/],
  ['a schema that JSON cannot carry', () => createShared({ kinds: { a: value(z.date()) } }), /dateCodec/],
  ['a prefix with a space', () => createShared({ kinds, prefix: 'my shop' }), /visible ASCII characters only/],
  [
    'an address as its store',
    () => createShared({ kinds, store: '127.0.0.1:11211' as Any }),
    /memcachedStore\('127\.0\.0\.1:11211'\)/,
  ],
  ['a key that can be guessed', () => createShared({ kinds, sealing: { keys: ['a'.repeat(64)] } }), /is not random/],
  [
    'an option that it does not have',
    () => createShared({ kinds, schema: z.object({}) } as Any),
    /createShared has no option 'schema'/,
  ],
]

test.each(bad)('%s is refused, with what to write instead', (_, work, says) => {
  expect(refusalOf(work).message).toMatch(says)
})

const ids: [what: string, id: unknown, says: RegExp][] = [
  ['no id', undefined, /an id is a string, not a value of type undefined/],
  ['a number', 5, /a value of type number/],
  ['an empty one', '', /is not empty/],
  ['a very long one', 'x'.repeat(1_025), /at most 1024 characters/],
  ['half a surrogate pair', '\ud800', /well-formed Unicode/],
]

describe.each(ids)('%s as an id', (_, id, says) => {
  const shared = createShared({ kinds })
  const calls: [string, () => Promise<unknown>][] = [
    ['increment', () => shared.attempts.increment(id as Any)],
    ['peek', () => shared.attempts.peek(id as Any)],
    ['put', () => shared.link.put(id as Any, 'v')],
    ['take', () => shared.link.take(id as Any)],
    ['get', () => shared.price.get(id as Any, () => 1)],
    ['invalidate', () => shared.price.invalidate(id as Any)],
    ['update', () => shared.settings.update(id as Any, () => 'v')],
  ]
  test.each(calls)('is refused by %s', async (_name, call) => {
    await expect(call()).rejects.toMatchObject({ code: 'BAD_ARGUMENT', message: expect.stringMatching(says) })
  })
})

test.each([0, 0.5, Number.NaN, Number.POSITIVE_INFINITY, 2 ** 53, '1', null])('an increment by %j is refused', async (by) => {
  const shared = createShared({ kinds })
  await expect(shared.attempts.increment('a', { by: by as number })).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
  await expect(shared.attempts.peek('a')).resolves.toBeUndefined()
})

test('an option that a call does not have is refused, and so is a number in place of options', async () => {
  const shared = createShared({ kinds })
  await expect(shared.attempts.increment('a', { amount: 1 } as Any)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
  await expect(shared.attempts.increment('a', 1 as Any)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
  await expect(shared.link.take('a', { by: 1 } as Any)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
})

test('what needs a function says so', async () => {
  const shared = createShared({ kinds })
  await expect(shared.price.get('a', undefined as Any)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
  await expect(shared.settings.update('a', 'v' as Any)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
  await expect(shared.settings.update('a', (async () => 'v') as Any)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
})

test('an item has the key that the guide to the stored format says', async () => {
  const { store, shared } = new World().sharing(kinds, { prefix: 'shop:' })
  await shared.price.get('tea', () => 4)
  const guide = readFileSync(new URL('../../../guides/stored-format.md', import.meta.url), 'utf8')
  expect(guide).toContain(`\`${store.flights[0]?.[0]?.key}\` for \`tea\``)
})

test('after close, calls are refused; the store is closed by the last who uses it', async () => {
  const store = memoryStore()
  const [one, other] = [createShared({ kinds, store }), createShared({ kinds, store, prefix: 'b:' })]
  await one.close()
  await expect(one.attempts.increment('a')).rejects.toMatchObject({ code: 'CLOSED', message: 'What is shared was closed' })
  await expect(other.attempts.increment('a')).resolves.toMatchObject({ count: 1 })
  await other.close()
  await expect(store.check(0)).rejects.toMatchObject({ code: 'CLOSED' })
})

test('close waits for a load, and stores what it loaded', async () => {
  const store = memoryStore()
  const [one, other] = [createShared({ kinds, store }), createShared({ kinds, store })]
  let loaded: (price: number) => void = () => {}
  const price = one.price.get('tea', () => new Promise<number>((resolve) => (loaded = resolve)))
  await expect.poll(() => one.stats().loads).toBe(1)
  const closing = one.close()
  loaded(4)
  await Promise.all([price, closing])
  expect(await other.price.get('tea', () => 5)).toBe(4)
})

test('a signal aborts a call, and a load goes on for the others', async () => {
  const shared = createShared({ kinds })
  const aborting = new AbortController()
  let loaded: (price: number) => void = () => {}
  const load = () => new Promise<number>((resolve) => (loaded = resolve))
  const first = shared.price.get('tea', load, { signal: aborting.signal })
  await expect.poll(() => shared.stats().loads).toBe(1)
  const second = shared.price.get('tea', () => 6)
  aborting.abort(new Error('gone'))
  await expect(first).rejects.toThrow('gone')
  loaded(4)
  expect(await second).toBe(4)
})

test('two applications and two kinds with one id do not meet', async () => {
  const store = memoryStore()
  const two = { one: counter({ window: '1m' }), other: counter({ window: '1m' }) }
  const [shop, admin] = [
    createShared({ kinds: two, store, prefix: 'shop:' }),
    createShared({ kinds: two, store, prefix: 'admin:' }),
  ]
  await shop.one.increment('a', { by: 5 })
  await shop.other.increment('a', { by: 7 })
  await admin.one.increment('a')
  expect(await Promise.all([shop.one.peek('a'), shop.other.peek('a'), admin.one.peek('a')])).toMatchObject([
    { count: 5 },
    { count: 7 },
    { count: 1 },
  ])
})

test('the server answers `check`, and `stats` count', async () => {
  await using shared = createShared({ kinds })
  await shared.check({ least: 'one' })
  await Promise.all([shared.attempts.increment('a'), shared.attempts.increment('a')])
  await shared.price.get('tea', () => 4)
  await shared.price.get('tea', () => 4)
  expect(shared.stats()).toMatchObject({
    operations: 5,
    combined: 1,
    unknown: 0,
    loads: 1,
    cached: { fresh: 1, stale: 0, loaded: 1 },
  })
})
