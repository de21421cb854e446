import { describe, expectTypeOf, test } from 'vitest'
import * as z from 'zod'
import type { Defaulted, Fields, NumberFields, Read, Updates } from '../api/fields.js'

/** The methods that carry field types, as the facade declares them. */
interface Session<F extends object, D extends keyof F = never> {
  readonly id: string | undefined
  get<K extends keyof F & string>(name: K): Promise<Read<F, D>[K]>
  getMany<K extends keyof F & string>(names: readonly K[]): Promise<Pick<Read<F, D>, K>>
  getAll(): Promise<Read<F, D>>
  has(name: keyof F & string): Promise<boolean>
  set<K extends keyof F & string>(name: K, value: F[K]): Promise<void>
  set(values: Partial<F>): Promise<void>
  update<K extends keyof F & string>(name: K, change: (value: Read<F, D>[K]) => Updates<F>[K]): Promise<F[K]>
  increment(name: NumberFields<F>, by?: number): Promise<number>
  take<K extends keyof F & string>(name: K): Promise<F[K] | undefined>
  delete(name: keyof F & string): Promise<void>
}

type SessionFor<S extends z.ZodObject> = Session<Fields<S>, Defaulted<S>>

const CartItem = z.object({ sku: z.string(), count: z.int() })
type Item = z.infer<typeof CartItem>

const shop = z.object({
  username: z.string(),
  cart: z.array(CartItem).default([]),
  visits: z.int().default(0),
  profile: z.object({ name: z.string() }).optional(),
  seen: z.codec(z.string(), z.date(), { decode: (text) => new Date(text), encode: (date) => date.toISOString() }),
  anything: z.unknown(),
})
const open = z.object({ username: z.string(), visits: z.int().default(0) }).catchall(z.number())
const loose = z.looseObject({ username: z.string() })

declare const session: SessionFor<typeof shop>
declare const openSession: SessionFor<typeof open>
declare const looseSession: SessionFor<typeof loose>

describe('Fields', () => {
  test('are what zod puts out, without undefined', () => {
    expectTypeOf<Fields<typeof shop>['username']>().toEqualTypeOf<string>()
    expectTypeOf<Fields<typeof shop>['cart']>().toEqualTypeOf<Item[]>()
    expectTypeOf<Fields<typeof shop>['profile']>().toEqualTypeOf<{ name: string }>()
    expectTypeOf<Fields<typeof shop>['seen']>().toEqualTypeOf<Date>()
    expectTypeOf<keyof Fields<typeof shop>>().toEqualTypeOf<'username' | 'cart' | 'visits' | 'profile' | 'seen' | 'anything'>()
  })

  test('of a catchall are all other names too', () => {
    expectTypeOf<Fields<typeof open>['username']>().toEqualTypeOf<string>()
    expectTypeOf<Fields<typeof open>['another']>().toEqualTypeOf<number>()
    expectTypeOf<Fields<typeof loose>['another']>().toEqualTypeOf<unknown>()
  })
})

describe('Defaulted', () => {
  test('names the fields with a default, exactly', () => {
    expectTypeOf<Defaulted<typeof shop>>().toEqualTypeOf<'cart' | 'visits'>()
    expectTypeOf<Defaulted<typeof open>>().toEqualTypeOf<'visits'>()
    expectTypeOf<Defaulted<typeof loose>>().toEqualTypeOf<never>()
  })

  test('does not count what turns undefined into data, nor what may still be undefined', () => {
    const odd = z.object({
      coerced: z.coerce.string(),
      preprocessed: z.preprocess((value) => value ?? '', z.string()),
      optional: z.string().default('').optional(),
      caught: z.string().catch(''),
      any: z.any(),
      nullable: z.string().default('').nullable(),
      prefault: z.string().prefault(''),
      piped: z.string().default('').pipe(z.string()),
    })
    expectTypeOf<Defaulted<typeof odd>>().toEqualTypeOf<'nullable' | 'prefault' | 'piped'>()
  })

  test('of a schema that nobody knows are none', () => {
    expectTypeOf<Defaulted<z.ZodObject>>().toEqualTypeOf<never>()
  })
})

describe('NumberFields', () => {
  test('names the fields whose values are numbers', () => {
    expectTypeOf<NumberFields<Fields<typeof shop>>>().toEqualTypeOf<'visits'>()
    expectTypeOf<NumberFields<Fields<typeof open>>>().toEqualTypeOf<string>()
    expectTypeOf<NumberFields<Fields<typeof loose>>>().toEqualTypeOf<never>()
    expectTypeOf<
      NumberFields<{ a: number | null; b: 1 | 2; c: z.infer<z.ZodAny>; d: number & z.core.$brand<'n'> }>
    >().toEqualTypeOf<'b' | 'd'>()
  })
})

describe('a session', () => {
  test('reads values, undefined only where there is no default', () => {
    expectTypeOf(session.get('username')).resolves.toEqualTypeOf<string | undefined>()
    expectTypeOf(session.get('cart')).resolves.toEqualTypeOf<Item[]>()
    expectTypeOf(session.get('seen')).resolves.toEqualTypeOf<Date | undefined>()
    expectTypeOf(session.getMany(['username', 'cart'])).resolves.toEqualTypeOf<
      Pick<{ username: string | undefined; cart: Item[] }, 'username' | 'cart'>
    >()
    expectTypeOf(openSession.get('visits')).resolves.toEqualTypeOf<number>()
    expectTypeOf(openSession.get('another')).resolves.toEqualTypeOf<number | undefined>()
    expectTypeOf(openSession.get('username')).resolves.toEqualTypeOf<string | undefined>()
    expectTypeOf(looseSession.get('another')).resolves.toEqualTypeOf<unknown>()
  })

  test('has no other fields than declared', () => {
    // @ts-expect-error no such field
    session.get('user')
    // @ts-expect-error no such field
    session.getMany(['username', 'user'])
    // @ts-expect-error no such field
    session.set('user', 'ada')
    // @ts-expect-error no such field
    session.set({ user: 'ada' })
    // @ts-expect-error no such field
    session.update('user', () => 'ada')
    // @ts-expect-error no such field
    session.take('user')
    // @ts-expect-error no such field
    session.has('user')
    // @ts-expect-error no such field
    session.delete('user')
  })

  test('takes values of the right type only', () => {
    session.set('username', 'ada')
    session.set({ username: 'ada', visits: 1 })
    session.set('seen', new Date())
    looseSession.set('anything', { a: 1 })
    // @ts-expect-error wrong type
    session.set('username', 1)
    // @ts-expect-error wrong type
    session.set({ username: 1 })
    // @ts-expect-error undefined is not a value
    session.set('username', undefined)
    // @ts-expect-error undefined is not a value
    session.set({ username: undefined })
    // @ts-expect-error undefined is not a value
    session.set('profile', undefined)
    // @ts-expect-error what is stored is not the value
    session.set('seen', '2020-01-01')
  })

  test('updates objects and arrays in place or with a new value', () => {
    const item: Item = { sku: 'a', count: 1 }
    session.update('cart', (cart) => [...cart, item])
    session.update('cart', (cart) => {
      cart.push(item)
    })
    session.update('cart', (cart) => {
      if (cart.length > 0) return []
    })
    session.update('profile', (profile) => {
      if (profile !== undefined) profile.name = 'ada'
    })
    session.update('visits', (visits) => visits + 1)
    session.update('username', (name) => `${name ?? ''}!`)
    session.update('anything', () => ({ a: 1 }))
    session.update('anything', () => [1])
    session.update('anything', () => 'text')
  })

  test('refuses wrong results of an update', () => {
    // @ts-expect-error a promise
    session.update('cart', async (cart) => cart)
    // @ts-expect-error a promise of nothing
    session.update('cart', async (cart) => {
      cart.pop()
    })
    // @ts-expect-error a promise
    session.update('visits', async (visits) => visits + 1)
    // @ts-expect-error a promise
    session.update('anything', async () => 1)
    // @ts-expect-error a promise
    session.update('profile', async () => ({ name: 'ada' }))
    // @ts-expect-error nothing, for a number
    session.update('visits', () => {})
    // @ts-expect-error undefined, for a number
    session.update('visits', () => undefined)
    // @ts-expect-error the wrong type
    session.update('visits', () => '1')
    // @ts-expect-error the wrong type
    session.update('cart', (cart) => cart.push({ sku: 'a', count: 1 }))
    // @ts-expect-error may be unset
    session.update('username', (name) => name.trim())
  })

  test('increments numbers only', () => {
    session.increment('visits')
    openSession.increment('another', 2)
    // @ts-expect-error not a number
    session.increment('username')
    // @ts-expect-error not a number
    session.increment('anything')
    // @ts-expect-error not a number
    looseSession.increment('another')
  })
})

describe('a helper that asks for a part', () => {
  test('takes the session of a bigger schema', () => {
    const audit = (part: Session<{ username: string }>) => part
    const count = (part: Session<{ visits: number }, 'visits'>) => part
    audit(session)
    audit(openSession)
    audit(looseSession)
    count(session)
    count(openSession)
    expectTypeOf(session).toExtend<Session<{ visits: number }>>()
    expectTypeOf(session).toExtend<Session<Pick<Fields<typeof shop>, 'cart' | 'profile'>>>()
    expectTypeOf(session).toExtend<Session<object>>()
  })

  test('does not take a session without the field, of another type, or without the default', () => {
    expectTypeOf(session).not.toExtend<Session<{ email: string }>>()
    expectTypeOf(session).not.toExtend<Session<{ username: string; email: string }>>()
    expectTypeOf(session).not.toExtend<Session<{ username: number }>>()
    expectTypeOf(session).not.toExtend<Session<{ visits: string }>>()
    expectTypeOf(session).not.toExtend<Session<{ username: string }, 'username'>>()
    expectTypeOf<Session<{ username: string }>>().not.toExtend<typeof session>()
    expectTypeOf<Session<{ username: string }>>().not.toExtend<Session<{ username: string; visits: number }>>()
    const audit = (part: Session<{ email: string }>) => part
    // @ts-expect-error no such field
    audit(session)
  })

  test('may itself be generic', () => {
    async function greet<F extends { username: string }>(part: Session<F>): Promise<string> {
      return (await part.get('username')) ?? 'nobody'
    }
    greet(session as Session<Fields<typeof shop>>)
  })
})
