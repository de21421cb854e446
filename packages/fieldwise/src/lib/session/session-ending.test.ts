import { describe, expect, test } from 'vitest'
import { eachInItsScene, schema, session, stored, web, world } from '../../../../../test/support/session-scene.js'
import { turn } from '../../../../../test/support/virtual-time.js'
import type { TokenChange } from '../api/token-sink.js'
import { resumeFor } from './sessions.js'

eachInItsScene()

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
    await world.time.run(ending)
    expect(session.state).toBe('gone')
  })
})
