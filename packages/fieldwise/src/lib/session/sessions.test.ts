import { randomBytes, randomUUID } from 'node:crypto'
import { beforeEach, describe, expect, test, vi } from 'vitest'
import * as z from 'zod'
import { measured } from '../../../../../test/support/promise.js'
import { scaled } from '../../../../../test/support/scale.js'
import { turn } from '../../../../../test/support/virtual-time.js'
import { type Process, World } from '../../../../../test/support/world.js'
import type { Session } from '../api/session.js'
import { memoryStore } from '../memory/memory-store.js'
import { createSessions, resumeFor } from './sessions.js'

const schema = z.object({
  username: z.string(),
  cart: z.array(z.string()).default([]),
  visits: z.int().default(0),
})

let world: World
let web: Process<typeof schema>
beforeEach(() => {
  world = new World()
  web = world.process(schema)
})

const newSecret = () => randomBytes(32).toString('base64url')
const forgedFor = (session: { readonly id: string | undefined }) => `${session.id}.${newSecret()}`
const headerKey = (session: { readonly id: string | undefined }) => `${session.id}:@`

test('clocks that a test has put in place before are gone by', async () => {
  vi.useFakeTimers()
  try {
    const session = await createSessions({ schema, lifetime: { idle: '1h' } }).create({ username: 'ada' })
    await vi.advanceTimersByTimeAsync(3 * 3_600_000)
    await expect(session.set('username', 'bob')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'expired' })
  } finally {
    vi.useRealTimers()
  }
})

describe('create', () => {
  test('stores the fields and then the header, in one flight', async () => {
    const session = await web.sessions.create({ username: 'ada', visits: 1 })
    expect(web.store.flights).toHaveLength(1)
    expect(web.store.log).toEqual(['add username', 'add visits', 'add @'])
    expect(await session.getAll()).toEqual({ username: 'ada', visits: 1, cart: [] })
  })

  test('knows the id, the token and the times of the session', async () => {
    const now = world.time.clock.now()
    const session = await web.sessions.create({}, { lifetime: { idle: '10m', absolute: '1h' } })
    expect(session.state).toBe('stored')
    expect(session.id).toMatch(/^[0-9a-f-]{36}$/)
    expect(session.token).toMatch(new RegExp(`^${session.id}\\.[A-Za-z0-9_-]{43}$`))
    expect(session.createdAt).toEqual(new Date(now))
    expect(session.expiresAt).toEqual(new Date(now + 600_000))
  })

  test('makes a session even of nothing', async () => {
    const session = await web.sessions.create()
    expect(await web.sessions.open(session.token as string)).not.toBeNull()
  })

  test('gives every session an id and a secret of its own', async () => {
    const made = await Promise.all(Array.from({ length: 100 }, () => web.sessions.create()))
    expect(new Set(made.map((session) => session.id)).size).toBe(100)
    expect(new Set(made.map((session) => session.token?.slice(37))).size).toBe(100)
  })

  test('stores no secret, only its SHA-256', async () => {
    const session = await web.sessions.create({ username: 'ada' })
    const secret = session.token?.slice(37) as string
    const header = (await world.stored(headerKey(session))) as Buffer
    expect(header.includes(secret)).toBe(false)
    expect(header.includes(Buffer.from(secret, 'base64url'))).toBe(false)
  })

  test.each([
    ['a value that does not fit', { username: 'ada', visits: 'many' }, 'FIELD_INVALID'],
    ['undefined', { username: undefined }, 'BAD_ARGUMENT'],
    ['an unknown field', { user: 'ada' }, 'BAD_ARGUMENT'],
    ['a field that no schema can have', JSON.parse('{"__proto__":1}'), 'BAD_ARGUMENT'],
    ['no object', null, 'BAD_ARGUMENT'],
    ['a text', 'ada', 'BAD_ARGUMENT'],
    ['a map', new Map([['username', 'ada']]), 'BAD_ARGUMENT'],
    ['a value beyond 1 MiB', { username: 'x'.repeat(2 ** 20) }, 'VALUE_TOO_LARGE'],
  ])('with %s stores nothing', async (_what, values, code) => {
    await expect(web.sessions.create(values as never)).rejects.toMatchObject({ code })
    expect(web.store.log).toEqual([])
  })

  test('has fields share the fate of the others: all are validated before any is sent', async () => {
    await expect(web.sessions.create({ username: 'ada', cart: 'tea' as never })).rejects.toMatchObject({ field: 'cart' })
    expect(web.store.log).toEqual([])
  })
})

describe('open', () => {
  test('gives the session of a token, in one flight', async () => {
    const made = await web.sessions.create({ username: 'ada' })
    web.store.takeLog()
    const session = await web.sessions.open(made.token as string)
    expect(web.store.takeLog()).toEqual(['get @'])
    expect([session?.id, session?.token, session?.state]).toEqual([made.id, made.token, 'stored'])
    expect(session?.createdAt).toEqual(made.createdAt)
  })

  const notTokens: [what: string, token: unknown][] = [
    ['nothing', ''],
    ['undefined', undefined],
    ['null', null],
    ['an id alone', randomUUID()],
    ['a truncated token', `${randomUUID()}.${newSecret().slice(0, 42)}`],
    ['an oversized token', `${randomUUID()}.${newSecret()}${'x'.repeat(100_000)}`],
    ['a malformed token', `${randomUUID()}.${newSecret().slice(0, 40)}...`],
    ['a key of the store', `${randomUUID()}:@`],
    ['a token of a server that is none of ours', `${randomUUID()}~elsewhere.${newSecret()}`],
    ['a token with a line end', `${randomUUID()}.${newSecret()}\r\n`],
  ]
  test.each(notTokens)('is null for %s, without a request', async (_what, token) => {
    expect(await web.sessions.open(token as string)).toBeNull()
    expect(web.store.flights).toEqual([])
  })

  test('is null for an unknown session', async () => {
    expect(await web.sessions.open(`${randomUUID()}.${newSecret()}`)).toBeNull()
  })

  test('is null for a forged secret, which only reads', async () => {
    const made = await web.sessions.create({ username: 'ada' })
    web.store.takeLog()
    expect(await web.sessions.open(forgedFor(made), { preload: ['username'] })).toBeNull()
    expect(web.store.takeLog()).toEqual(['get username', 'get @'])
  })

  test('is null for a session that was ended, revoked or has expired', async () => {
    const [ended, revoked, expired] = await Promise.all([web.sessions.create(), web.sessions.create(), web.sessions.create()])
    await ended.destroy()
    await web.sessions.revoke(revoked.id as string)
    await world.time.advance(12 * 3_600_000)
    for (const session of [ended, revoked, expired]) expect(await web.sessions.open(session.token as string)).toBeNull()
  })

  test('never takes an outage for "no session"', async () => {
    const made = await web.sessions.create()
    web.store.outage = 'refused'
    await expect(web.sessions.open(made.token as string)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })

  test('refuses to preload what is not a field', async () => {
    const made = await web.sessions.create()
    for (const preload of [['user'], ['__proto__'], 'username', 5, [undefined]]) {
      await expect(web.sessions.open(made.token as string, { preload: preload as never })).rejects.toMatchObject({
        code: 'BAD_ARGUMENT',
      })
    }
  })
})

describe('resume', () => {
  test('costs no request, and a request that never uses its session none at all', async () => {
    const made = await web.sessions.create()
    web.store.takeLog()
    const session = web.sessions.resume(made.token)
    await turn()
    expect(session.state).toBe('unopened')
    expect([session.id, session.token, session.createdAt, session.expiresAt]).toEqual([
      undefined,
      undefined,
      undefined,
      undefined,
    ])
    expect(web.store.log).toEqual([])
  })

  test('opens with the first read, in the same flight', async () => {
    const made = await web.sessions.create({ username: 'ada' })
    web.store.takeLog()
    const session = web.sessions.resume(made.token)
    expect(await session.get('username')).toBe('ada')
    expect(web.store.flights).toHaveLength(1)
    expect(web.store.log).toEqual(['get username', 'get @'])
    expect([session.state, session.id, session.token]).toEqual(['stored', made.id, made.token])
  })

  test('writes only after a reading has verified the secret', async () => {
    const made = await web.sessions.create({ username: 'ada' })
    web.store.takeLog()
    await web.sessions.resume(made.token).set('username', 'bob')
    expect(web.store.flights).toHaveLength(2)
    expect(web.store.flights[0]?.every(({ op }) => op === 'get')).toBe(true)
    expect(await made.get('username')).toBe('bob')
  })

  test.each([
    ['no token', () => undefined],
    ['a malformed token', () => 'nonsense'],
    ['an unknown token', () => `${randomUUID()}.${newSecret()}`],
  ])('with %s is a new session, stored by its first write', async (_what, token) => {
    const session = web.sessions.resume(token())
    expect(await session.get('visits')).toBe(0)
    expect([session.state, session.id, session.token]).toEqual(['new', undefined, undefined])
    web.store.takeLog()
    await session.set('username', 'ada')
    expect(web.store.log).toEqual(['add username', 'add @'])
    expect(session.state).toBe('stored')
    expect(await (await web.sessions.open(session.token as string))?.get('username')).toBe('ada')
  })

  test('reads, takes and deletes in a new session store nothing', async () => {
    const session = web.sessions.resume()
    expect(await session.getAll()).toEqual({ username: undefined, cart: [], visits: 0 })
    expect(await session.take('username')).toBeUndefined()
    expect(await session.has('cart')).toBe(false)
    await session.delete('cart')
    expect(session.state).toBe('new')
    expect(web.store.log).toEqual([])
  })

  test('makes one session of first writes that come at once', async () => {
    const session = web.sessions.resume()
    await Promise.all([
      session.set('username', 'ada'),
      session.increment('visits'),
      session.update('cart', (cart) => [...cart, 'tea']),
    ])
    expect(web.store.log.filter((request) => request === 'add @')).toEqual(['add @'])
    expect(await session.getAll()).toEqual({ username: 'ada', visits: 1, cart: ['tea'] })
  })

  test('stays new when its first write fails, and the next one stores it', async () => {
    const session = web.sessions.resume()
    const failure = new Error('no')
    await expect(
      session.update('cart', () => {
        throw failure
      }),
    ).rejects.toBe(failure)
    web.store.outage = 'refused'
    await expect(session.increment('visits')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(session.state).toBe('new')
    web.store.outage = undefined
    expect(await session.increment('visits')).toBe(1)
    expect(session.state).toBe('stored')
  })

  test('destroyed while it is new, it is gone, and nothing was ever stored', async () => {
    const session = web.sessions.resume()
    await session.destroy()
    expect(session.state).toBe('gone')
    await expect(session.set('username', 'ada')).rejects.toMatchObject({ code: 'SESSION_GONE' })
    expect(web.store.log).toEqual([])
  })
})

describe('a planted token', () => {
  test('is never adopted: what is stored for it gets an id and a secret of its own', async (context) => {
    const count = scaled(1_000)
    let adopted = 0
    for (let round = 0; round < count; round++) {
      const planted = `${randomUUID()}.${newSecret()}`
      const session = web.sessions.resume(planted)
      if (round % 2 === 0) await session.set('username', 'ada')
      else await session.regenerate()
      const [sid, secret] = planted.split('.') as [string, string]
      if (session.id === sid || session.token?.includes(secret) || (await web.sessions.open(planted)) !== null) adopted++
    }
    measured(context, `${count} planted tokens`, `${adopted} adopted`)
    expect(adopted).toBe(0)
  })

  test('is dead after login: the secret from before does not open the session any more', async (context) => {
    const count = scaled(100)
    let opened = 0
    for (let round = 0; round < count; round++) {
      const session = await web.sessions.create()
      const before = session.token as string
      await session.regenerate()
      if ((await web.sessions.open(before)) !== null) opened++
      expect(await web.sessions.open(session.token as string)).not.toBeNull()
    }
    measured(context, `${count} logins`, `${opened} old tokens still open`)
    expect(opened).toBe(0)
  })
})

describe('a known id with a forged secret', () => {
  type Attack = readonly [
    what: string,
    attack: (session: Session<{ username: string; cart: string[]; visits: number }, 'cart' | 'visits'>) => Promise<unknown>,
  ]
  const attacks: Attack[] = [
    ['get', (session) => session.get('username')],
    ['getMany', (session) => session.getMany(['username', 'visits'])],
    ['getAll', (session) => session.getAll()],
    ['has', (session) => session.has('username')],
    ['set', (session) => session.set('username', 'eve')],
    ['set of several', (session) => session.set({ username: 'eve', visits: 666 })],
    ['update', (session) => session.update('cart', () => ['eve'])],
    ['increment', (session) => session.increment('visits', 666)],
    ['take', (session) => session.take('username')],
    ['delete', (session) => session.delete('username')],
    ['regenerate', (session) => session.regenerate()],
    ['destroy', (session) => session.destroy()],
  ]

  test.each(attacks)('%s: nothing of the session is read, written, touched or ended', async (_what, attack) => {
    const victim = await web.sessions.create({ username: 'ada', visits: 1 })
    const keys = ['@', 'username', 'visits'].map((name) => `${victim.id}:${name}`)
    const before = await Promise.all(keys.map((key) => world.stored(key)))
    await world.time.advance(20 * 60_000)
    const lives = await Promise.all(keys.map((key) => world.life(key)))
    web.store.takeLog()
    const answer = await attack(web.sessions.resume(forgedFor(victim)))
    await turn()
    expect(JSON.stringify(answer) ?? '').not.toContain('ada')
    expect(await Promise.all(keys.map((key) => world.stored(key)))).toEqual(before)
    expect(await Promise.all(keys.map((key) => world.life(key)))).toEqual(lives)
    const toVictim = web.store.flights.flat().filter(({ key }) => key.startsWith(victim.id as string))
    expect(toVictim.filter(({ op }) => op !== 'get')).toEqual([])
  })

  test('applies no write, delete, destroy or rotation, and renews nothing', async (context) => {
    const victim = await web.sessions.create({ username: 'ada', visits: 1 })
    const count = scaled(1_000)
    const header = await world.stored(headerKey(victim))
    const life = await world.life(headerKey(victim))
    for (let round = 0; round < count; round++) {
      const [, attack] = attacks[4 + (round % 8)] as Attack
      await attack(web.sessions.resume(forgedFor(victim)))
    }
    expect(await world.stored(headerKey(victim))).toEqual(header)
    expect(await world.life(headerKey(victim))).toBe(life)
    expect(await victim.getAll()).toEqual({ username: 'ada', visits: 1, cart: [] })
    measured(context, `${count} writes, deletes, destroys and rotations`, '0 applied, 0 renewed')
  })

  test('does not keep a session alive', async () => {
    const victim = await web.sessions.create({ username: 'ada' })
    for (let minute = 0; minute < 40; minute++) {
      await web.sessions.resume(forgedFor(victim)).get('username')
      await world.time.advance(60_000)
    }
    expect(await web.sessions.open(victim.token as string)).toBeNull()
  })
})

describe('several tokens of one request', () => {
  const host = { beforeChange() {}, changed() {} }
  const resume = (...tokens: (string | undefined)[]) => resumeFor(web.sessions, tokens as string[], host)

  test('count where exactly one opens a session', async () => {
    const made = await web.sessions.create({ username: 'ada' })
    const session = resume(`${randomUUID()}.${newSecret()}`, made.token, forgedFor(made), 'nonsense')
    expect(await session.get('username')).toBe('ada')
  })

  test('count for nothing where two open different sessions: one was tossed in by somebody else', async () => {
    const made = await Promise.all([web.sessions.create({ username: 'ada' }), web.sessions.create({ username: 'eve' })])
    const session = resume(...made.map(({ token }) => token))
    expect(await session.get('username')).toBeUndefined()
    expect(session.state).toBe('new')
  })

  test('count for nothing where none opens a session', async () => {
    const session = resume(`${randomUUID()}.${newSecret()}`, `${randomUUID()}.${newSecret()}`)
    expect(await session.get('username')).toBeUndefined()
    expect(session.state).toBe('new')
  })

  test('are not for anything that createSessions did not make', () => {
    expect(() => resumeFor({} as never, [], host)).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENT' }))
  })
})

describe('revoke', () => {
  test('ends a session by its id, for all who use it', async () => {
    const session = await web.sessions.create({ username: 'ada' })
    await world.process(schema).sessions.revoke(session.id as string)
    await expect(session.get('username')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'destroyed' })
    expect(await web.sessions.open(session.token as string)).toBeNull()
  })

  test('deletes the header first, then the fields that it listed', async () => {
    const session = await web.sessions.create({ username: 'ada', visits: 1 })
    web.store.takeLog()
    await web.sessions.revoke(session.id as string)
    const deleted = web.store.takeLog().filter((request) => !request.startsWith('get'))
    expect(deleted).toEqual(['delete @', 'delete username', 'delete visits'])
  })

  test('of what is not there is fine', async () => {
    await web.sessions.revoke(randomUUID())
    await web.sessions.revoke(`${randomUUID()}~elsewhere`)
  })

  test('ends even a session whose header cannot be read', async () => {
    const session = await web.sessions.create({ username: 'ada' })
    await world.plant(headerKey(session), Buffer.from('nonsense'))
    await web.sessions.revoke(session.id as string)
    expect(await world.stored(headerKey(session))).toBeUndefined()
  })

  test.each(['', 'nonsense', '*', undefined, null, {}])('of %j is BAD_ARGUMENT, without a request', async (sid) => {
    await expect(web.sessions.revoke(sid as string)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
    expect(web.store.log).toEqual([])
  })

  test('says so when the store did not confirm', async () => {
    const session = await web.sessions.create()
    web.store.outage = 'refused'
    await expect(web.sessions.revoke(session.id as string)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })
})

describe('check', () => {
  test('resolves when the store answers, and rejects when it does not', async () => {
    await web.sessions.check()
    web.store.outage = 'refused'
    await expect(web.sessions.check()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })

  test('asks for all servers, or for one that takes new sessions', async () => {
    const asked: unknown[] = []
    const check = web.store.check.bind(web.store)
    web.store.check = (deadline, least) => {
      asked.push(least)
      return check(deadline)
    }
    await web.sessions.check()
    await web.sessions.check({ least: 'one' })
    await web.sessions.check({ least: undefined })
    expect(asked).toEqual(['all', 'one', 'all'])
  })

  test.each([{ least: 'some' }, { lest: 'one' }, 'one', null])('refuses %j', async (options) => {
    await expect(web.sessions.check(options as never)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
  })
})

describe('close', () => {
  test('waits for what is under way', async () => {
    const session = await web.sessions.create()
    web.store.holding = true
    const write = session.set('username', 'ada')
    await turn()
    let isClosed = false
    const closing = web.sessions.close().then(() => {
      isClosed = true
    })
    await turn()
    expect(isClosed).toBe(false)
    await web.store.release()
    await Promise.all([write, closing])
    expect(await world.stored(`${session.id}:username`)).toBeDefined()
  })

  test('waits for a renewal under way', async () => {
    const session = await web.sessions.create({ username: 'ada' })
    await world.time.advance(20 * 60_000)
    const snapshot = session.get('username')
    await turn()
    await snapshot
    web.store.holding = true
    await world.time.advance(20 * 60_000)
    const late = session.get('username')
    await turn()
    await web.store.held[0]?.deliver()
    await late
    await turn()
    expect(web.store.held.map(String)).toContain('touch username')
    let isClosed = false
    const closing = web.sessions.close().then(() => {
      isClosed = true
    })
    await turn()
    expect(isClosed).toBe(false)
    await web.store.release()
    await closing
  })

  test('refuses everything afterwards with CLOSED', async () => {
    const session = await web.sessions.create({ username: 'ada' })
    const resumed = web.sessions.resume(session.token)
    await web.sessions.close()
    web.store.takeLog()
    const calls = [
      () => session.get('username'),
      () => session.getMany(['username']),
      () => session.getAll(),
      () => session.has('username'),
      () => session.set('username', 'bob'),
      () => session.update('cart', () => []),
      () => session.increment('visits'),
      () => session.take('username'),
      () => session.delete('username'),
      () => session.regenerate(),
      () => session.destroy(),
      () => resumed.get('username'),
      () => web.sessions.create(),
      () => web.sessions.open(session.token as string),
      async () => web.sessions.resume(),
      () => web.sessions.revoke(session.id as string),
      () => web.sessions.check(),
    ]
    for (const call of calls) await expect(call()).rejects.toMatchObject({ code: 'CLOSED' })
    expect(web.store.log).toEqual([])
  })

  test('may be called again, and each call ends when the store is closed', async () => {
    const store = memoryStore()
    const sessions = createSessions({ schema, store })
    await Promise.all([sessions.close(), sessions.close(), sessions[Symbol.asyncDispose]()])
    await sessions.close()
    await expect(store.check(0)).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test('leaves a store open that another createSessions uses', async () => {
    const store = memoryStore()
    const [one, other] = [createSessions({ schema, store }), createSessions({ schema, store, prefix: 'other:' })]
    await one.close()
    const session = await other.create({ username: 'ada' })
    expect(await session.get('username')).toBe('ada')
    await other.close()
    await expect(store.check(0)).rejects.toMatchObject({ code: 'CLOSED' })
  })
})

describe('a prefix', () => {
  test('keeps the sessions of two applications in one store apart', async () => {
    const shop = world.process(schema, { prefix: 'shop:' })
    const session = await shop.sessions.create({ username: 'ada' })
    expect(await world.stored(`shop:${session.id}:username`)).toBeDefined()
    expect(await web.sessions.open(session.token as string)).toBeNull()
    expect(await shop.sessions.open(session.token as string)).not.toBeNull()
  })
})

describe('what logs see', () => {
  test('of sessions and of a session is neither a token nor a value', async () => {
    const { inspect } = await import('node:util')
    const session = await web.sessions.create({ username: 'canary-value' })
    const secret = session.token?.slice(37) as string
    await session.get('username')
    const deep = { depth: 20, showHidden: true, getters: false } as const
    for (const shown of [
      inspect(session, deep),
      inspect(web.sessions, deep),
      JSON.stringify(session),
      JSON.stringify(web.sessions),
      `${session}`,
    ]) {
      expect(shown).not.toContain(secret)
      expect(shown).not.toContain('canary')
    }
    expect(inspect(session)).toBe(`Session { id: '${session.id}', state: 'stored' }`)
    expect(JSON.parse(JSON.stringify(session))).toEqual({ id: session.id, state: 'stored' })
  })
})
