import { describe, expect, test } from 'vitest'
import { eachInItsScene, schema, session, web, world } from '../../../../../test/support/session-scene.js'

eachInItsScene()

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
