import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { eachInItsScene, schema, session, stored, web, world } from '../../../../../test/support/session-scene.js'
import { turn } from '../../../../../test/support/virtual-time.js'
import { createSessions } from './sessions.js'

eachInItsScene()

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
