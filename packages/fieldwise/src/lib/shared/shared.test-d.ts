import { describe, expectTypeOf, test } from 'vitest'
import * as z from 'zod'
import {
  type Cached,
  type Count,
  type Counter,
  cached,
  counter,
  createShared,
  type Shared,
  type Ticket,
  ticket,
  type Value,
  value,
} from '../../shared.js'

const Settings = z.object({ open: z.boolean() })
type Settings = z.infer<typeof Settings>

const shared = createShared({
  prefix: 'shop:',
  retry: { attempts: 5, deadline: '1s' },
  kinds: {
    attempts: counter({ window: '1m' }),
    link: ticket(z.string(), { expires: '5m' }),
    price: cached(z.number().nullable(), { expires: '10m', stale: '1m', lease: '10s' }),
    settings: value(Settings),
    flags: value(Settings.default({ open: true }), { expires: '1d' }),
  },
})

describe('createShared', () => {
  test('makes items of the kinds', () => {
    expectTypeOf(shared.attempts).toEqualTypeOf<Counter>()
    expectTypeOf(shared.link).toEqualTypeOf<Ticket<string>>()
    expectTypeOf(shared.price).toEqualTypeOf<Cached<number | null>>()
    expectTypeOf(shared.settings).toEqualTypeOf<Value<Settings, Settings | undefined>>()
    expectTypeOf(shared.flags).toEqualTypeOf<Value<Settings, Settings>>()
    expectTypeOf(shared).toExtend<AsyncDisposable>()
    expectTypeOf(shared).toExtend<Shared<{ attempts: ReturnType<typeof counter> }>>()
  })

  test('refuses what is not a kind, and names that are taken', () => {
    // @ts-expect-error a kind is made by a function
    createShared({ kinds: { attempts: z.number() } })
    // @ts-expect-error `stats` is a method
    createShared({ kinds: { stats: counter({ window: '1m' }) } })
    // @ts-expect-error kinds are needed
    createShared({})
    // @ts-expect-error no option of it
    createShared({ kinds: {}, lifetime: { idle: '1h' } })
  })

  test('refuses options that a kind does not have, and durations without a unit', () => {
    // @ts-expect-error a window is needed
    counter({})
    // @ts-expect-error a bare number
    counter({ window: 60 })
    // @ts-expect-error no such option
    counter({ window: '1m', points: 5 })
    // @ts-expect-error stale needs expires
    cached(z.number(), { stale: '1m' })
    // @ts-expect-error a ticket expires
    ticket(z.string())
    // @ts-expect-error no schema
    value({ open: true })
  })
})

describe('items', () => {
  test('have the operations of their kind', () => {
    expectTypeOf(shared.attempts.increment('a', { by: 2 })).resolves.toEqualTypeOf<Count>()
    expectTypeOf(shared.attempts.peek('a')).resolves.toEqualTypeOf<Count | undefined>()
    expectTypeOf(shared.link.take('a')).resolves.toEqualTypeOf<string | undefined>()
    expectTypeOf(shared.price.get('a', async () => 4)).resolves.toEqualTypeOf<number | null>()
    expectTypeOf(shared.price.get('a', () => null)).resolves.toEqualTypeOf<number | null>()
    expectTypeOf(shared.settings.get('a')).resolves.toEqualTypeOf<Settings | undefined>()
    expectTypeOf(shared.flags.get('a')).resolves.toEqualTypeOf<Settings>()
    expectTypeOf(shared.settings.update('a', () => ({ open: true }))).resolves.toEqualTypeOf<Settings>()
    expectTypeOf(
      shared.flags.update('a', (flags) => {
        flags.open = false
      }),
    ).resolves.toEqualTypeOf<Settings>()
  })

  test('refuse ids, values and options that are none', () => {
    // @ts-expect-error an id is a string
    shared.attempts.increment(5)
    // @ts-expect-error an option by its name
    shared.attempts.increment('a', 5)
    // @ts-expect-error no operation of a counter
    shared.attempts.get('a')
    // @ts-expect-error a ticket of strings
    shared.link.put('a', 5)
    // @ts-expect-error a load is needed
    shared.price.get('a')
    // @ts-expect-error a load of numbers
    shared.price.get('a', () => 'four')
    // @ts-expect-error null is no value of it
    shared.settings.set('a', null)
    // @ts-expect-error the function of update is synchronous
    shared.settings.update('a', async () => ({ open: true }))
  })
})
