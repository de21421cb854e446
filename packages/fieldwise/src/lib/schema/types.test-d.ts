import { describe, expectTypeOf, test } from 'vitest'
import * as z from 'zod'
import {
  createSessions,
  type Duration,
  dateCodec,
  type FieldIssue,
  type FieldwiseError,
  isFieldwiseError,
  memoryStore,
  parseDuration,
  type Session,
  type SessionOf,
  type SessionState,
  type Sessions,
  type Store,
  type StoredSession,
} from '../../index.js'

const CartItem = z.object({ sku: z.string(), count: z.int() })
type Item = z.infer<typeof CartItem>

const sessions = createSessions({
  schema: z.object({
    username: z.string(),
    cart: z.array(CartItem).default([]),
    visits: z.int().default(0),
    otp: z.string(),
    seen: dateCodec,
  }),
  store: memoryStore(),
  lifetime: { idle: '30m', absolute: '12h' },
  expires: { otp: '5m' },
  lost: { cart: 'absent' },
  retry: { attempts: 32, deadline: '2s' },
  prefix: 'shop:',
  sealing: { keys: ['key'], acceptUnsealed: true },
  clock: Date,
})
type ShopSession = SessionOf<typeof sessions>
declare const session: ShopSession
declare const signal: AbortSignal

describe('createSessions', () => {
  test('makes sessions of the schema’s fields', () => {
    type Stored = typeof sessions extends Sessions<infer F, infer D> ? StoredSession<F, D> : never
    expectTypeOf(sessions.create({ username: 'ada' })).resolves.toEqualTypeOf<Stored>()
    expectTypeOf<Stored>().toExtend<ShopSession>()
    expectTypeOf(sessions.open('token')).resolves.toEqualTypeOf<Stored | null>()
    expectTypeOf(sessions.resume()).toEqualTypeOf<ShopSession>()
    expectTypeOf(sessions.resume(undefined)).toEqualTypeOf<ShopSession>()
    expectTypeOf(sessions.revoke('sid')).resolves.toBeVoid()
    expectTypeOf(sessions.check()).resolves.toBeVoid()
    expectTypeOf(sessions.close()).resolves.toBeVoid()
    expectTypeOf(sessions).toExtend<AsyncDisposable>()
  })

  test('lists the sessions of a user with the fields that were asked for', async () => {
    const ada = sessions.user('ada')
    const [plain] = await ada.list()
    expectTypeOf(plain?.values).toEqualTypeOf<Pick<{ username: string }, never> | undefined>()
    const [listed] = await ada.list({ preload: ['username', 'visits'] })
    expectTypeOf(listed?.values).toEqualTypeOf<{ username: string | undefined; visits: number } | undefined>()
    // @ts-expect-error no such field
    ada.list({ preload: ['device'] })
  })

  test('takes options of the schema’s fields only', () => {
    const schema = z.object({ username: z.string() })
    createSessions({ schema })
    // @ts-expect-error no schema
    createSessions({})
    // @ts-expect-error not an object schema
    createSessions({ schema: z.string() })
    // @ts-expect-error no such field
    createSessions({ schema, expires: { user: '5m' } })
    // @ts-expect-error no such field
    createSessions({ schema, lost: { user: 'absent' } })
    // @ts-expect-error neither 'end' nor 'absent'
    createSessions({ schema, lost: 'ignore' })
    // @ts-expect-error no such option
    createSessions({ schema, lifetimes: {} })
    // @ts-expect-error no such option
    createSessions({ schema, lifetime: { idel: '5m' } })
    // @ts-expect-error keys are needed
    createSessions({ schema, sealing: {} })
    // @ts-expect-error not a store
    createSessions({ schema, store: {} })
  })

  test('takes durations as texts with a unit, never as bare numbers', () => {
    const schema = z.object({ username: z.string() })
    expectTypeOf<'500ms' | '30s' | '30m' | '12h' | '7d' | '1.5h'>().toExtend<Duration>()
    // @ts-expect-error seconds or milliseconds?
    createSessions({ schema, lifetime: { idle: 1800 } })
    // @ts-expect-error seconds or milliseconds?
    createSessions({ schema, expires: { username: 300 } })
    // @ts-expect-error seconds or milliseconds?
    createSessions({ schema, retry: { deadline: 2000 } })
    // @ts-expect-error no unit
    createSessions({ schema, lifetime: { idle: '1800' } })
    // @ts-expect-error no such unit
    createSessions({ schema, lifetime: { idle: '5 minutes' } })
    // @ts-expect-error no number
    createSessions({ schema, lifetime: { idle: 'soon' } })
    expectTypeOf(parseDuration('any text, as it comes from the environment')).toBeNumber()
  })

  test('takes values of the fields to create a session with', () => {
    sessions.create()
    sessions.create({}, { persist: true, lifetime: { idle: '30d', absolute: '90d' }, signal })
    // @ts-expect-error no such field
    sessions.create({ user: 'ada' })
    // @ts-expect-error wrong type
    sessions.create({ username: 5 })
    // @ts-expect-error what is stored is not the value
    sessions.create({ seen: '2026-01-01' })
    // @ts-expect-error grace is for regenerate
    sessions.create({}, { grace: '5s' })
    // @ts-expect-error a bare number
    sessions.create({}, { lifetime: { idle: 1800 } })
  })

  test('takes fields to preload', () => {
    sessions.open('token', { preload: ['username', 'cart'], signal })
    // @ts-expect-error no such field
    sessions.open('token', { preload: ['user'] })
    // @ts-expect-error not a list
    sessions.open('token', { preload: 'username' })
    // @ts-expect-error no token
    sessions.open()
  })
})

describe('a session', () => {
  test('tells what is known of it, undefined before it is verified or stored', () => {
    expectTypeOf(session.state).toEqualTypeOf<SessionState>()
    expectTypeOf<SessionState>().toEqualTypeOf<'unopened' | 'new' | 'stored' | 'gone'>()
    expectTypeOf(session.id).toEqualTypeOf<string | undefined>()
    expectTypeOf(session.token).toEqualTypeOf<string | undefined>()
    expectTypeOf(session.createdAt).toEqualTypeOf<Date | undefined>()
    expectTypeOf(session.expiresAt).toEqualTypeOf<Date | undefined>()
    // @ts-expect-error read only
    session.id = 'mine'
  })

  test('that was created or opened has what is certain', async () => {
    for (const stored of [await sessions.create(), await sessions.open('token')]) {
      if (stored === null) return
      expectTypeOf(stored.id).toEqualTypeOf<string>()
      expectTypeOf(stored.token).toEqualTypeOf<string>()
      expectTypeOf(stored.createdAt).toEqualTypeOf<Date>()
      expectTypeOf(stored.expiresAt).toEqualTypeOf<Date>()
      await sessions.open(stored.token)
    }
  })

  test('reads a field with a default as never undefined, and others as perhaps undefined', () => {
    expectTypeOf(session.get('username')).resolves.toEqualTypeOf<string | undefined>()
    expectTypeOf(session.get('cart')).resolves.toEqualTypeOf<Item[]>()
    expectTypeOf(session.get('visits')).resolves.toEqualTypeOf<number>()
    expectTypeOf(session.get('seen')).resolves.toEqualTypeOf<Date | undefined>()
    expectTypeOf(session.getMany(['username', 'visits'])).resolves.toEqualTypeOf<
      Pick<{ username: string | undefined; visits: number }, 'username' | 'visits'>
    >()
    expectTypeOf(session.getAll()).resolves.toEqualTypeOf<{
      username: string | undefined
      cart: Item[]
      visits: number
      otp: string | undefined
      seen: Date | undefined
    }>()
    expectTypeOf(session.has('cart')).resolves.toBeBoolean()
  })

  test('has no field but those of the schema, for any operation', () => {
    // @ts-expect-error no such field
    session.get('user')
    // @ts-expect-error no such field
    session.getMany(['user'])
    // @ts-expect-error no such field
    session.has('user')
    // @ts-expect-error no such field
    session.set('user', 'ada')
    // @ts-expect-error no such field
    session.set({ user: 'ada' })
    // @ts-expect-error no such field
    session.update('user', () => 'ada')
    // @ts-expect-error no such field
    session.increment('hits')
    // @ts-expect-error no such field
    session.take('user')
    // @ts-expect-error no such field
    session.delete('user')
    for (const name of ['a:b', 'a b', 'a\r\n', '__proto__'] as const) {
      // @ts-expect-error not a field
      session.get(name)
    }
  })

  test('is written with values of the right type', () => {
    session.set('username', 'ada', { signal })
    session.set({ username: 'ada', visits: 1 }, { signal })
    session.set('seen', new Date())
    // @ts-expect-error wrong type
    session.set('visits', '1')
    // @ts-expect-error wrong type
    session.set({ visits: '1' })
    // @ts-expect-error delete says that
    session.set('username', undefined)
    // @ts-expect-error what is stored is not the value
    session.set('seen', '2026-01-01')
  })

  test('is updated by synchronous functions of the right result', () => {
    expectTypeOf(session.update('visits', (visits) => visits + 1)).resolves.toBeNumber()
    expectTypeOf(session.update('cart', (cart) => [...cart, { sku: 'tea', count: 1 }])).resolves.toEqualTypeOf<Item[]>()
    expectTypeOf(session.update('cart', (cart) => void cart.push({ sku: 'tea', count: 1 }))).resolves.toEqualTypeOf<Item[]>()
    // @ts-expect-error wrong result
    session.update('visits', (visits) => `${visits}`)
    // @ts-expect-error nothing, for a number
    session.update('visits', () => undefined)
    // @ts-expect-error nothing, for a text
    session.update('username', () => {})
    // @ts-expect-error a promise
    session.update('cart', async (cart) => cart)
    // @ts-expect-error perhaps undefined
    session.update('username', (username) => username.trim())
  })

  test('is incremented, taken from and deleted from by field', () => {
    expectTypeOf(session.increment('visits', 2, { signal })).resolves.toBeNumber()
    expectTypeOf(session.take('username')).resolves.toEqualTypeOf<string | undefined>()
    expectTypeOf(session.take('visits')).resolves.toEqualTypeOf<number | undefined>()
    expectTypeOf(session.delete('cart')).resolves.toBeVoid()
    // @ts-expect-error not a number
    session.increment('username')
  })

  test('is rotated and ended', () => {
    expectTypeOf(session.regenerate()).resolves.toBeVoid()
    session.regenerate({ grace: '10s', persist: true, lifetime: { idle: '1h' }, signal })
    // @ts-expect-error a bare number
    session.regenerate({ grace: 10 })
    // @ts-expect-error no such option
    session.regenerate({ ttl: '5m' })
    expectTypeOf(session.destroy({ signal })).resolves.toBeVoid()
  })

  test('goes where a part of it is asked for', () => {
    async function audit(part: Session<{ username: string }>): Promise<string | undefined> {
      return part.get('username')
    }
    async function count(part: Session<{ visits: number }, 'visits'>): Promise<number> {
      return part.get('visits')
    }
    audit(session)
    count(session)
    const mail = (part: Session<{ email: string }>) => part
    // @ts-expect-error no such field
    mail(session)
    const strict = (part: Session<{ username: string }, 'username'>) => part
    // @ts-expect-error it has no default
    strict(session)
  })
})

describe('errors', () => {
  test('are told apart by their codes, each with what it carries', () => {
    const error: unknown = undefined
    if (isFieldwiseError(error)) expectTypeOf(error).toExtend<FieldwiseError>()
    if (isFieldwiseError(error, 'SESSION_GONE')) {
      expectTypeOf(error.reason).toEqualTypeOf<'destroyed' | 'expired' | 'lost' | 'superseded' | 'ended'>()
      expectTypeOf(error.field).toEqualTypeOf<string | undefined>()
    }
    if (isFieldwiseError(error, 'FIELD_INVALID')) {
      expectTypeOf(error.issues).toEqualTypeOf<readonly FieldIssue[]>()
    }
    if (isFieldwiseError(error, 'VALUE_TOO_LARGE')) expectTypeOf(error.limit).toBeNumber()
    // @ts-expect-error no such code
    isFieldwiseError(error, 'SESSION_LOST')
  })
})

describe('a store', () => {
  test('is what memoryStore gives', () => {
    expectTypeOf(memoryStore({ limit: 1_000_000 })).toEqualTypeOf<Store>()
  })
})
