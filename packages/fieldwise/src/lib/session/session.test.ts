import { beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { turn } from '../../../../../test/support/virtual-time.js'
import { type Process, World } from '../../../../../test/support/world.js'
import { dateCodec, mapCodec } from '../api/codecs.js'
import type { SessionOf } from '../api/sessions.js'
import type { TokenChange } from '../api/token-sink.js'
import { memoryStore } from '../memory/memory-store.js'
import { createSessions, resumeFor } from './sessions.js'

const schema = z.object({
  username: z.string(),
  cart: z.array(z.object({ sku: z.string(), count: z.int() })).default([]),
  visits: z.int().default(0),
  points: z.number(),
  profile: z.object({ name: z.string().max(5), tags: z.array(z.string()).default([]) }),
  settings: z.object({ theme: z.string(), seen: z.array(z.string()) }).default({ theme: 'light', seen: [] }),
})

let world: World
let web: Process<typeof schema>
let session: SessionOf<typeof web.sessions>
beforeEach(async () => {
  world = new World()
  web = world.process(schema)
  session = await web.sessions.create({ username: 'ada' })
  web.store.takeLog()
})

const stored = (field: string) => world.stored(`${session.id}:${field}`)

describe('get', () => {
  test('gives what was stored, and checks the session in the same round trip', async () => {
    expect(await session.get('username')).toBe('ada')
    expect(web.store.flights).toHaveLength(1)
    expect(web.store.log).toEqual(['get username', 'get @'])
  })

  test('of an unset field is its default, or undefined', async () => {
    expect(await session.get('visits')).toBe(0)
    expect(await session.get('cart')).toEqual([])
    expect(await session.get('points')).toBeUndefined()
  })

  test('gives each caller a value of its own', async () => {
    await session.set('profile', { name: 'Ada', tags: ['a'] })
    const [one, other] = await Promise.all([session.get('profile'), session.get('profile')])
    one?.tags.push('changed in place')
    expect(other?.tags).toEqual(['a'])
    expect((await session.get('profile'))?.tags).toEqual(['a'])
  })

  test('a default that one visitor changes in place is unchanged for the next', async () => {
    const mine = await session.get('settings')
    mine.seen.push('changed in place')
    mine.theme = 'dark'
    ;(await session.get('cart')).push({ sku: 'tea', count: 1 })
    const others = await web.sessions.create()
    expect(await others.get('settings')).toEqual({ theme: 'light', seen: [] })
    expect(await others.get('cart')).toEqual([])
    expect(await session.get('settings')).toEqual({ theme: 'light', seen: [] })
  })

  test('a default inside a stored value is nobody else’s either', async () => {
    await session.set('profile', { name: 'Ada' } as never)
    ;(await session.get('profile'))?.tags.push('changed in place')
    const others = await web.sessions.create({ profile: { name: 'Bob' } as never })
    expect((await others.get('profile'))?.tags).toEqual([])
  })
})

describe('getMany and getAll', () => {
  test('read what was asked for, whatever becomes of the array', async () => {
    const names: ('username' | 'visits')[] = ['username']
    const preload: ('username' | 'visits')[] = ['username']
    const calls = [session.getMany(names), web.sessions.open(session.token as string, { preload })] as const
    for (const array of [names, preload]) array.splice(0, 1, '\r\n@' as 'username')
    expect(await calls[0]).toEqual({ username: 'ada' })
    expect(await (await calls[1])?.get('username')).toBe('ada')
    expect(web.store.log.join()).not.toContain('\r')
  })

  test('read in one round trip', async () => {
    expect(await session.getMany(['username', 'visits', 'points'])).toEqual({ username: 'ada', visits: 0, points: undefined })
    expect(web.store.flights).toHaveLength(1)
    web.store.takeLog()
    expect(await session.getAll()).toEqual({
      username: 'ada',
      cart: [],
      visits: 0,
      points: undefined,
      profile: undefined,
      settings: { theme: 'light', seen: [] },
    })
    expect(web.store.flights).toHaveLength(1)
  })

  test('of nothing still checks the session', async () => {
    await web.sessions.revoke(session.id as string)
    await expect(session.getMany([])).rejects.toMatchObject({ code: 'SESSION_GONE' })
  })

  test('reads of one tick share a flight, and equal ones are sent once', async () => {
    await Promise.all([session.get('username'), session.get('visits'), session.get('username'), session.has('cart')])
    expect(web.store.flights).toHaveLength(1)
    expect(web.store.log).toEqual(['get username', 'get visits', 'get cart', 'get @'])
  })
})

describe('has', () => {
  test('is true for what is stored; a default does not count', async () => {
    expect(await session.has('username')).toBe(true)
    expect(await session.has('visits')).toBe(false)
    await session.set('visits', 0)
    expect(await session.has('visits')).toBe(true)
    await session.delete('visits')
    expect(await session.has('visits')).toBe(false)
  })
})

describe('set', () => {
  test('replaces what was there, for this field alone', async () => {
    await session.set('username', 'bob')
    expect(await session.getMany(['username', 'visits'])).toEqual({ username: 'bob', visits: 0 })
  })

  test('of a field that is known to be stored costs one round trip, and reads no value', async () => {
    await session.set('username', 'bob')
    expect(web.store.flights).toHaveLength(1)
    expect(web.store.log).toEqual(['replace any username', 'get @'])
  })

  test('of several fields stores all of them, and each counts as a write of its own', async () => {
    await session.set({ username: 'bob', visits: 7, points: 1.5 })
    expect(await session.getMany(['username', 'visits', 'points'])).toEqual({ username: 'bob', visits: 7, points: 1.5 })
  })

  test('of several fields sends the known ones together', async () => {
    await session.set({ visits: 1, points: 1 })
    await session.get('username')
    web.store.takeLog()
    await session.set({ username: 'bob', visits: 2, points: 2 })
    const first = web.store.log.filter((request) => request.startsWith('replace'))
    expect(first).toEqual(['replace any username', 'replace any visits', 'replace any points'])
  })

  test('of several fields validates all before it sends any', async () => {
    await expect(session.set({ username: 'bob', visits: 1.5, profile: { name: 'too long', tags: [] } })).rejects.toMatchObject({
      code: 'FIELD_INVALID',
    })
    await expect(session.set({ username: 'bob', user: 'x' } as object)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
    await expect(session.set({ username: 'bob', visits: undefined } as object)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
    expect(web.store.log).toEqual([])
    expect(await session.get('username')).toBe('ada')
  })

  test('of a value that does not fit stores nothing, and says where and what, without the value', async () => {
    const before = await stored('username')
    await expect(session.set('username', 5 as never)).rejects.toMatchObject({
      code: 'FIELD_INVALID',
      field: 'username',
      issues: [{ code: 'invalid_type', path: [] }],
    })
    await expect(
      session.set('cart', [
        { sku: 'tea', count: 1 },
        { sku: 'secret', count: 0.5 },
      ]),
    ).rejects.toMatchObject({
      issues: [{ code: 'invalid_type', path: [1, 'count'] }],
      message: expect.not.stringContaining('secret'),
    })
    expect(web.store.log).toEqual([])
    expect(await stored('username')).toEqual(before)
  })

  test('of undefined is BAD_ARGUMENT: delete says that', async () => {
    await expect(session.set('username', undefined as never)).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
      message: "set('username') needs a value; delete('username') removes one",
    })
  })

  test('of a value beyond the limit is refused before it is sent, and the old value is intact', async () => {
    await expect(session.set('username', 'x'.repeat(2 ** 20 + 1))).rejects.toMatchObject({
      code: 'VALUE_TOO_LARGE',
      field: 'username',
    })
    expect(web.store.log).toEqual([])
    expect(await session.get('username')).toBe('ada')
  })

  test('takes a value that fills an item to the last byte, and not one byte more', async () => {
    const limit = world.shared.largestValue(session.id as string, `${session.id}:username`.length)
    const head = 13 + '""'.length
    await session.set('username', 'x'.repeat(limit - head))
    expect(await session.get('username')).toHaveLength(limit - head)
    await expect(session.set('username', 'x'.repeat(limit - head + 1))).rejects.toMatchObject({ size: limit + 1, limit })
    expect(await session.get('username')).toHaveLength(limit - head)
  })

  test.each([
    ['no object', null],
    ['an array', ['username']],
    ['a map', new Map([['username', 'bob']])],
    ['a date', new Date()],
    ['a number', 5],
    ['a symbol', Symbol('username')],
  ])('of %s is BAD_ARGUMENT', async (_what, values) => {
    await expect(session.set(values as object)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
    expect(web.store.log).toEqual([])
  })
})

describe('two writers on two fields', () => {
  test('of one session: both are kept, always (1,000 rounds)', async () => {
    const other = await world.process(schema).sessions.open(session.token as string)
    let kept = 0
    for (let round = 1; round <= 1_000; round++) {
      await world.time.run(Promise.all([session.set('visits', round), other?.update('points', () => round)]))
      const { visits, points } = await session.getMany(['visits', 'points'])
      if (visits === round && points === round) kept++
    }
    expect(kept).toBe(1_000)
  })
})

describe('update', () => {
  test('gives the value, or the default, and resolves with the new one', async () => {
    expect(await session.update('visits', (visits) => visits + 1)).toBe(1)
    expect(await session.update('username', (name) => `${name}!`)).toBe('ada!')
    expect(await session.update('points', (points) => (points ?? 10) + 1)).toBe(11)
    expect(await session.getMany(['visits', 'username', 'points'])).toEqual({ visits: 1, username: 'ada!', points: 11 })
  })

  test('takes an object or an array that was changed in place', async () => {
    const added = await session.update('cart', (cart) => {
      cart.push({ sku: 'tea', count: 1 })
    })
    expect(added).toEqual([{ sku: 'tea', count: 1 }])
    await session.update('cart', (cart) => {
      for (const item of cart) item.count++
    })
    expect(await session.get('cart')).toEqual([{ sku: 'tea', count: 2 }])
  })

  test('that returns undefined for a number keeps the number', async () => {
    await session.set('visits', 5)
    expect(await session.update('visits', (() => undefined) as never)).toBe(5)
    expect(await session.get('visits')).toBe(5)
  })

  test('writes nothing when nothing changed', async () => {
    await session.set('cart', [{ sku: 'tea', count: 1 }])
    web.store.takeLog()
    await session.update('cart', (cart) => cart)
    await session.update('cart', (cart) => {
      cart.push({ sku: 'coffee', count: 1 })
      cart.pop()
    })
    await session.update('settings', () => {})
    expect(web.store.log.filter((request) => !request.startsWith('get'))).toEqual([])
    expect(await session.has('settings')).toBe(false)
  })

  test('that throws throws the same, and nothing is stored, however it had changed its argument', async () => {
    await session.set('cart', [{ sku: 'tea', count: 1 }])
    const before = await stored('cart')
    const failure = new TypeError('mine')
    await expect(
      session.update('cart', (cart) => {
        cart.length = 0
        throw failure
      }),
    ).rejects.toBe(failure)
    expect(await stored('cart')).toEqual(before)
  })

  test.each([
    ['a promise', async () => []],
    ['a promise that fails', async () => Promise.reject(new Error('late'))],
    // biome-ignore lint/suspicious/noThenProperty: it is what is tested
    ['a thenable', () => ({ then() {} })],
    // biome-ignore lint/suspicious/noThenProperty: it is what is tested
    ['a function with then', () => Object.assign(() => {}, { then() {} })],
  ])('that returns %s is BAD_ARGUMENT, and nothing is stored', async (_what, change) => {
    await expect(session.update('cart', change as never)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
    expect(await session.has('cart')).toBe(false)
  })

  test('that returns what does not fit is FIELD_INVALID, and nothing is stored', async () => {
    await session.set('visits', 1)
    await expect(session.update('visits', () => 1.5)).rejects.toMatchObject({ code: 'FIELD_INVALID', field: 'visits' })
    await expect(session.update('visits', () => null as never)).rejects.toMatchObject({ code: 'FIELD_INVALID' })
    expect(await session.get('visits')).toBe(1)
  })

  test('that returns too much is VALUE_TOO_LARGE, and the old value is intact', async () => {
    await expect(session.update('username', (name) => name + 'x'.repeat(2 ** 20))).rejects.toMatchObject({
      code: 'VALUE_TOO_LARGE',
    })
    expect(await session.get('username')).toBe('ada')
  })

  test.each([undefined, null, 5, 'bob', {}])('without a function (%s) is BAD_ARGUMENT', async (change) => {
    await expect(session.update('username', change as never)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
  })

  test('builds on what another one changed meanwhile, and runs again for that', async () => {
    const seen: number[] = []
    await session.set('visits', 1)
    const fresh = await web.sessions.open(session.token as string)
    web.store.holding = true
    const update = fresh?.update('visits', (visits) => {
      seen.push(visits)
      return visits + 1
    })
    await turn()
    await web.store.held[0]?.deliver()
    await turn()
    const other = await world.process(schema).sessions.open(session.token as string)
    await other?.increment('visits', 10)
    await web.store.release()
    expect(await world.time.run(update as Promise<number>)).toBe(12)
    expect(seen).toEqual([1, 11])
  })

  test('may itself begin another operation', async () => {
    let nested: Promise<number> | undefined
    await session.update('visits', (visits) => {
      nested = session.increment('visits')
      return visits + 1
    })
    await nested
    expect(await session.get('visits')).toBe(2)
  })
})

describe('increment', () => {
  test('adds one, or what it is told, and resolves with the new number', async () => {
    expect(await session.increment('visits')).toBe(1)
    expect(await session.increment('visits', 5)).toBe(6)
    expect(await session.increment('visits', -2)).toBe(4)
  })

  test('counts an unset field as its default, or as 0', async () => {
    expect(await session.increment('points', 0.5)).toBe(0.5)
    const sessions = createSessions({ schema: z.object({ from: z.int().default(41) }) })
    expect(await (await sessions.create()).increment('from')).toBe(42)
  })

  test.each([Number.NaN, Number.POSITIVE_INFINITY, '1', null, 1n])('by %s is BAD_ARGUMENT', async (by) => {
    await expect(session.increment('visits', by as number)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
  })

  test('of what is not a number is BAD_ARGUMENT', async () => {
    await expect(session.increment('username' as never)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
  })

  test('beyond what the schema takes is FIELD_INVALID', async () => {
    await expect(session.increment('visits', 0.5)).rejects.toMatchObject({ code: 'FIELD_INVALID' })
    await session.set('points', Number.MAX_VALUE)
    await expect(session.increment('points', Number.MAX_VALUE)).rejects.toMatchObject({ code: 'FIELD_INVALID' })
    expect(await session.get('points')).toBe(Number.MAX_VALUE)
  })
})

describe('take', () => {
  test('reads a field and removes it', async () => {
    expect(await session.take('username')).toBe('ada')
    expect(await session.take('username')).toBeUndefined()
    expect(await session.has('username')).toBe(false)
  })

  test('of what was never stored is undefined, not the default', async () => {
    expect(await session.take('visits')).toBeUndefined()
  })

  test('gives the value to exactly one of any number of takers', async () => {
    const others = await Promise.all(
      Array.from({ length: 4 }, () => world.process(schema).sessions.open(session.token as string)),
    )
    const takers = [session, ...others].flatMap((one) => Array.from({ length: 5 }, () => one?.take('username')))
    const taken = await world.time.run(Promise.all(takers))
    expect(taken.filter((value) => value !== undefined)).toEqual(['ada'])
  })

  test('leaves what does not fit the schema where it is', async () => {
    const older = world.process(schema.extend({ username: z.string().or(z.number()) }))
    await (await older.sessions.open(session.token as string))?.set('username', 5)
    await expect(session.take('username')).rejects.toMatchObject({ code: 'FIELD_INVALID' })
    expect(await (await older.sessions.open(session.token as string))?.get('username')).toBe(5)
  })
})

describe('delete', () => {
  test('removes a field; what is not there is removed already', async () => {
    await session.delete('username')
    await session.delete('username')
    await session.delete('points')
    expect(await session.getMany(['username', 'points'])).toEqual({ username: undefined, points: undefined })
  })

  test('leaves a tombstone, not a gap that would count as a loss', async () => {
    await session.delete('username')
    expect(await stored('username')).toHaveLength(13)
    expect(await session.get('username')).toBeUndefined()
    expect(session.state).toBe('stored')
  })

  test('gives the field back its default, and it can be stored again', async () => {
    await session.set('visits', 5)
    await session.delete('visits')
    expect(await session.get('visits')).toBe(0)
    expect(await session.increment('visits')).toBe(1)
  })

  test('of a field that is known to be stored costs one round trip', async () => {
    await session.delete('username')
    expect(web.store.flights).toHaveLength(1)
  })
})

describe('after destroy was acknowledged', () => {
  const operations: [what: string, run: (one: typeof session) => Promise<unknown>][] = [
    ['get', (one) => one.get('username')],
    ['getMany', (one) => one.getMany(['username', 'visits'])],
    ['getMany of nothing', (one) => one.getMany([])],
    ['getAll', (one) => one.getAll()],
    ['has', (one) => one.has('username')],
    ['set', (one) => one.set('username', 'bob')],
    ['set of a field that was never stored', (one) => one.set('points', 1)],
    ['set of several', (one) => one.set({ username: 'bob', points: 1 })],
    ['update', (one) => one.update('username', (name) => `${name}!`)],
    ['update that changes nothing', (one) => one.update('settings', () => {})],
    ['increment', (one) => one.increment('visits')],
    ['take', (one) => one.take('username')],
    ['delete', (one) => one.delete('username')],
    ['delete of what was never stored', (one) => one.delete('points')],
  ]

  test.each(operations)('%s: SESSION_GONE, for who ended it and for everybody else', async (_what, run) => {
    const here = await web.sessions.open(session.token as string, { preload: ['username', 'visits'] })
    const there = await world.process(schema).sessions.open(session.token as string)
    await here?.destroy()
    for (const one of [here, session, there]) {
      await expect(run(one as typeof session)).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'destroyed' })
      expect(one?.state).toBe('gone')
    }
    expect(await web.sessions.open(session.token as string)).toBeNull()
    expect(await world.stored(`${session.id}:@`)).toBeUndefined()
  })

  test('the fields are gone too, header first, in one flight', async () => {
    const one = await web.sessions.create({ username: 'ada', visits: 1 })
    web.store.takeLog()
    await one.destroy()
    expect(web.store.flights).toHaveLength(1)
    expect(web.store.log.filter((request) => request !== 'get @')).toEqual(['delete @', 'delete username', 'delete visits'])
    for (const name of ['username', 'visits']) expect(await world.stored(`${one.id}:${name}`)).toBeUndefined()
  })

  test('no field stays behind, whoever stored it and whenever', async () => {
    const there = await world.process(schema).sessions.open(session.token as string)
    await session.set('visits', 1)
    await there?.set('points', 2)
    await session.destroy()
    for (const name of ['username', 'visits', 'points']) expect(await stored(name)).toBeUndefined()
  })

  test('destroy again says that it is gone already', async () => {
    await session.destroy()
    await expect(session.destroy()).rejects.toMatchObject({ code: 'SESSION_GONE' })
  })

  test('regenerate: SESSION_GONE for everybody but who ended it', async () => {
    const there = await world.process(schema).sessions.open(session.token as string)
    await (await web.sessions.open(session.token as string))?.destroy()
    for (const one of [session, there]) {
      await expect(one?.regenerate()).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'destroyed' })
      expect(one?.state).toBe('gone')
    }
  })

  test('a resumed token is a new session: it reads as unset and is stored under another id', async () => {
    await session.destroy()
    const resumed = web.sessions.resume(session.token)
    expect(await resumed.get('username')).toBeUndefined()
    await resumed.set('username', 'bob')
    expect(resumed.id).not.toBe(session.id)
  })
})

describe('regenerate after a destroy of one’s own', () => {
  test('begins a new session: other id, other secret, no field of the one that ended', async () => {
    await session.set('visits', 5)
    const before = { id: session.id, token: session.token }
    await session.destroy()
    expect([session.state, await session.set('username', 'eve').catch(({ code }) => code)]).toEqual(['gone', 'SESSION_GONE'])
    await session.regenerate()
    await session.set('username', 'Goodbye')
    expect(session.state).toBe('stored')
    expect(session.id).not.toBe(before.id)
    expect(await session.getMany(['username', 'visits'])).toEqual({ username: 'Goodbye', visits: 0 })
    expect(await (await web.sessions.open(session.token as string))?.get('username')).toBe('Goodbye')
    expect(await web.sessions.open(before.token as string)).toBeNull()
    expect(await world.stored(`${before.id}:@`)).toBeUndefined()
  })

  test('clears the cookie of the one and sets that of the other', async () => {
    const changes: TokenChange[] = []
    const host = { beforeChange() {}, changed: (change: TokenChange) => void changes.push(change) }
    const one = resumeFor(web.sessions, [session.token as string], host)
    await one.destroy()
    await one.regenerate({ persist: true })
    expect(changes).toMatchObject([{ type: 'ended' }, { type: 'issued', token: one.token, persist: true }])
  })

  test('brings nothing back: what was under way before, and what others write, belongs to the one that ended', async () => {
    const there = await world.process(schema).sessions.open(session.token as string)
    web.store.holding = true
    const [snapshot, writing] = [session.get('username'), session.update('visits', (visits) => visits + 1)]
    const late = await world.next(web, 'get username')
    const ending = session.destroy()
    await (await world.next(web, 'delete @')).deliver()
    await ending
    const beginning = session.regenerate()
    await (await world.next(web, 'add @')).deliver()
    await beginning
    await late.deliver()
    await web.store.release()
    web.store.holding = false
    for (const call of [snapshot, writing, there?.set('username', 'eve')]) {
      await expect(call).rejects.toMatchObject({ code: 'SESSION_GONE' })
    }
    expect([session.state, await session.getMany(['username', 'visits'])]).toEqual(['stored', { username: undefined, visits: 0 }])
  })

  test('twice at once is one session', async () => {
    await session.destroy()
    await Promise.all([session.regenerate(), session.regenerate()])
    expect(web.store.log.filter((sent) => sent === 'add @')).toHaveLength(1)
  })

  test('with terms that cannot be met begins nothing', async () => {
    await session.destroy()
    await expect(session.regenerate({ lifetime: { idle: '0s' } })).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
    await expect(session.set('username', 'eve')).rejects.toMatchObject({ code: 'SESSION_GONE' })
  })

  test('of a session that was never stored begins one too', async () => {
    const one = web.sessions.resume()
    await one.destroy()
    await one.regenerate()
    expect(one.state).toBe('stored')
  })
})

describe('a store that does not confirm the end', () => {
  test('is STORE_UNAVAILABLE when nothing was sent, and the session goes on', async () => {
    web.store.outage = 'refused'
    await expect(session.destroy()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    web.store.outage = undefined
    expect(await session.get('username')).toBe('ada')
    await session.destroy()
    expect(await web.sessions.open(session.token as string)).toBeNull()
  })

  test('is sent again while it may have been carried out, and OUTCOME_UNKNOWN if that is never known', async () => {
    web.store.holding = true
    const ending = expect(session.destroy()).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    for (let attempt = 0; attempt < 100; attempt++) {
      await turn()
      web.store.held[0]?.loseRequest()
      await world.time.advance(40)
    }
    await ending
    expect(web.store.flights.length).toBeGreaterThan(10)
  })

  test('is waited out when an answer was lost', async () => {
    web.store.holding = true
    const ending = session.destroy()
    await turn()
    await web.store.held[0]?.loseAnswer()
    await web.store.release()
    web.store.holding = false
    await world.time.run(ending)
    expect(session.state).toBe('gone')
  })
})

describe('preload', () => {
  test('serves within a second of its reading only: a session that has ended since is not shown for longer', async () => {
    const [soon, late] = await Promise.all(
      [1, 2].map(() => web.sessions.open(session.token as string, { preload: ['username'] })),
    )
    await world.process(schema).sessions.revoke(session.id as string)
    await world.time.advance(999)
    expect(await soon?.get('username')).toBe('ada')
    await world.time.advance(1)
    await expect(late?.get('username')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'destroyed' })
  })

  test('keeps a copy of its fields, not the bytes that came from the network with them', async () => {
    const chunks: Buffer[] = []
    const flight = web.store.flight.bind(web.store)
    web.store.flight = async (...request) => {
      const landed = await flight(...request)
      const answers = landed.answers.map((answer) => {
        if (answer.result !== 'found') return answer
        const chunk = Buffer.concat([Buffer.alloc(70_000), answer.value])
        chunks.push(chunk)
        return { ...answer, value: chunk.subarray(70_000) }
      })
      return { ...landed, answers }
    }
    const opened = await web.sessions.open(session.token as string, { preload: ['username'] })
    expect(chunks).toHaveLength(2)
    for (const chunk of chunks) chunk.fill(0)
    expect(await opened?.get('username')).toBe('ada')
    expect(opened?.id).toBe(session.id)
    await opened?.regenerate()
    expect(opened?.state).toBe('stored')
  })

  test('serves nothing once its secret was found to be superseded', async () => {
    const opened = await web.sessions.open(session.token as string, { preload: ['username'] })
    await session.regenerate()
    await expect(opened?.regenerate()).rejects.toMatchObject({ reason: 'superseded' })
    await expect(opened?.get('username')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'superseded' })
  })

  test('is read in the flight that opens, and serves the first get of each field', async () => {
    await session.set('visits', 3)
    web.store.takeLog()
    const opened = await web.sessions.open(session.token as string, { preload: ['username', 'visits', 'cart'] })
    expect(web.store.takeLog()).toEqual(['get username', 'get visits', 'get cart', 'get @'])
    expect([await opened?.get('username'), await opened?.get('visits'), await opened?.get('cart')]).toEqual(['ada', 3, []])
    expect(web.store.log).toEqual([])
  })

  test('is read again from the second get on', async () => {
    const opened = await web.sessions.open(session.token as string, { preload: ['username'] })
    await session.set('username', 'bob')
    expect([await opened?.get('username'), await opened?.get('username')]).toEqual(['ada', 'bob'])
  })

  test('never hides a write of this facade from its own reads', async () => {
    const preload = ['username', 'visits', 'cart', 'points'] as const
    const opened = await web.sessions.open(session.token as string, { preload })
    await opened?.set('username', 'bob')
    await opened?.increment('visits')
    await opened?.update('cart', (cart) => [...cart, { sku: 'tea', count: 1 }])
    expect(await opened?.get('username')).toBe('bob')
    expect(await opened?.get('visits')).toBe(1)
    expect(await opened?.get('cart')).toEqual([{ sku: 'tea', count: 1 }])
    const again = await web.sessions.open(session.token as string, { preload })
    await again?.take('username')
    await again?.delete('visits')
    expect([await again?.get('username'), await again?.get('visits')]).toEqual([undefined, 0])
  })

  test('is not older than what another read of this facade has shown', async () => {
    for (const read of ['getMany', 'getAll', 'has'] as const) {
      const opened = await web.sessions.open(session.token as string, { preload: ['visits'] })
      const newest = await session.increment('visits')
      await (read === 'getMany' ? opened?.getMany(['visits']) : read === 'getAll' ? opened?.getAll() : opened?.has('visits'))
      expect(await opened?.get('visits')).toBe(newest)
    }
  })

  test('gives each caller a value of its own', async () => {
    await session.set('cart', [{ sku: 'tea', count: 1 }])
    const opened = await web.sessions.open(session.token as string, { preload: ['cart'] })
    ;(await opened?.get('cart'))?.pop()
    expect(await opened?.get('cart')).toHaveLength(1)
  })
})

describe('a name that is no field', () => {
  const names: [what: string, name: unknown][] = [
    ['an unknown one', 'user'],
    ['with a colon', 'a:b'],
    ['the header’s', '@'],
    ['with a space', 'user name'],
    ['with a line end', 'username\r\n'],
    ['that goes on as a command', 'x 0 0 1\r\nflush_all\r\n'],
    ['__proto__', '__proto__'],
    ['constructor', 'constructor'],
    ['toString', 'toString'],
    ['of 300 bytes', 'x'.repeat(300)],
    ['empty', ''],
    ['of another script', 'имя'],
    ['undefined', undefined],
    ['null', null],
    ['a number', 5],
    ['a symbol', Symbol('username')],
    ['an object that reads as one', { toString: () => 'username' }],
    ['a list of one', ['username']],
  ]

  test.each(names)('%s is BAD_ARGUMENT for every operation, without a request', async (_what, name) => {
    const field = name as 'username'
    const operations = [
      () => session.get(field),
      () => session.getMany([field]),
      () => session.has(field),
      () => session.update(field, () => 'x'),
      () => session.increment(field as never),
      () => session.take(field),
      () => session.delete(field),
      ...(typeof name === 'object' ? [] : [() => session.set(field, 'x')]),
    ]
    for (const operation of operations) await expect(operation()).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
    expect(web.store.log).toEqual([])
  })

  test.each(['username', undefined, null, 5, {}])('getMany of %j is BAD_ARGUMENT', async (value) => {
    await expect(session.getMany(value as never)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
  })
})

describe('a catchall', () => {
  const open = z.object({ visits: z.int().default(0) }).catchall(z.string())

  test('lets any well-formed name be a field', async () => {
    const any = world.process(open)
    const one = await any.sessions.create({ anything: 'goes' } as never)
    await one.set('else', 'too')
    expect(await one.get('anything')).toBe('goes')
    expect(await one.getAll()).toEqual({ visits: 0, anything: 'goes', else: 'too' })
    await one.delete('else')
    expect(await one.getAll()).toEqual({ visits: 0, anything: 'goes' })
    await expect(one.set('else', 5 as never)).rejects.toMatchObject({ code: 'FIELD_INVALID' })
    for (const name of ['a b', '__proto__', 'x'.repeat(65)]) {
      await expect(one.set(name, 'x')).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
    }
  })
})

describe('values that JSON does not know', () => {
  test('are stored by codecs and come back as they were', async () => {
    const coded = world.process(z.object({ seen: dateCodec, scores: mapCodec(z.string(), z.number()) }))
    const one = await coded.sessions.create({ seen: new Date(5), scores: new Map([['ada', 1]]) })
    expect(await one.getAll()).toEqual({ seen: new Date(5), scores: new Map([['ada', 1]]) })
    expect(await one.update('scores', (scores) => scores?.set('bob', 2))).toEqual(
      new Map([
        ['ada', 1],
        ['bob', 2],
      ]),
    )
  })
})

describe('a signal', () => {
  const reason = new Error('gave up')

  test('that is aborted already lets nothing leave', async () => {
    const options = { signal: AbortSignal.abort(reason) }
    const calls = [
      () => session.get('username', options),
      () => session.getMany(['username'], options),
      () => session.getAll(options),
      () => session.has('username', options),
      () => session.set('username', 'bob', options),
      () => session.set({ username: 'bob' }, options),
      () => session.update('username', () => 'bob', options),
      () => session.increment('visits', 1, options),
      () => session.take('username', options),
      () => session.delete('username', options),
      () => session.regenerate(options),
      () => session.destroy(options),
      () => web.sessions.create({}, options),
      () => web.sessions.open(session.token as string, options),
      () => web.sessions.revoke(session.id as string, options),
    ]
    for (const call of calls) await expect(call()).rejects.toBe(reason)
    expect(web.store.log).toEqual([])
  })

  test('ends a call that waits with its reason', async () => {
    web.store.holding = true
    const controller = new AbortController()
    const snapshot = session.get('username', { signal: controller.signal })
    await turn()
    controller.abort(reason)
    await expect(snapshot).rejects.toBe(reason)
    await web.store.release()
    expect(await session.get('username')).toBe('ada')
  })

  test('withdraws a write that waits behind another one', async () => {
    web.store.holding = true
    const controller = new AbortController()
    const first = session.increment('visits')
    await turn()
    const second = session.increment('visits', 10, { signal: controller.signal })
    await turn()
    controller.abort(reason)
    await expect(second).rejects.toBe(reason)
    await web.store.release()
    await first
    expect(await session.get('visits')).toBe(1)
  })
})

describe('the memory store as it comes', () => {
  test('is what createSessions uses by default', async () => {
    await using sessions = createSessions({ schema })
    const one = await sessions.create({ username: 'ada' })
    expect(await one.increment('visits')).toBe(1)
    expect(await (await sessions.open(one.token as string))?.get('username')).toBe('ada')
  })

  test('refuses a session that outgrows it with VALUE_TOO_LARGE', async () => {
    const sessions = createSessions({ schema, store: memoryStore({ limit: 4_096 }) })
    const values = { username: 'a'.repeat(2_000), profile: { name: 'b', tags: ['c'.repeat(2_000)] } }
    await expect(sessions.create(values)).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
  })
})
