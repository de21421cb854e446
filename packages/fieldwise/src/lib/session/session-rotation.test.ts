import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { turn } from '../../../../../test/support/virtual-time.js'
import { type Process, World } from '../../../../../test/support/world.js'
import type { SessionOf } from '../api/sessions.js'
import type { TokenChange } from '../api/token-sink.js'
import { keepFor } from './adapter-operations.js'
import { resumeFor } from './sessions.js'

const schema = z.object({ username: z.string(), role: z.string(), visits: z.int().default(0) })
type Web = Process<typeof schema>
type Session = SessionOf<Web['sessions']>
const [second, minute] = [1_000, 60_000]
/** The patience of a call, the flight in which it ends, and the step of the store's clock. */
const longestCall = 2_000 + 500 + 1
const superseded = { code: 'SESSION_GONE', reason: 'superseded' }

let world: World
let web: Web
let session: Session
let old: string
beforeEach(async () => {
  world = new World()
  web = world.process(schema)
  session = await web.sessions.create({ username: 'ada', role: 'guest' })
  old = session.token as string
  web.store.takeLog()
})

/** Another request with a token, to a process, verified by a snapshot, and what its response says of the cookie. */
async function verified(process = web, token = old): Promise<Session & { readonly changes: TokenChange[] }> {
  const changes: TokenChange[] = []
  const one = resumeFor(process.sessions, [token], { beforeChange() {}, changed: (change) => void changes.push(change) })
  await one.get('username')
  return Object.defineProperty(one, 'changes', { value: changes }) as typeof one & { readonly changes: TokenChange[] }
}

const calls: [name: string, call: (session: Session) => Promise<unknown>][] = [
  ['get', (one) => one.get('username')],
  ['getMany', (one) => one.getMany(['username', 'role'])],
  ['getAll', (one) => one.getAll()],
  ['has', (one) => one.has('username')],
  ['set', (one) => one.set('username', 'eve')],
  ['set of a field that was never stored', (one) => one.set('visits', 1)],
  ['set of several', (one) => one.set({ username: 'eve', role: 'admin' })],
  ['update', (one) => one.update('username', () => 'eve')],
  ['increment', (one) => one.increment('visits')],
  ['take', (one) => one.take('username')],
  ['delete', (one) => one.delete('username')],
  ['regenerate', (one) => one.regenerate()],
  ['a longer life', (one) => keepFor(one, '1h')],
  ['destroy', (one) => one.destroy()],
]

describe('a regenerate that finds the secret of another one (T1)', () => {
  test.each([true, false])('is rejected (of one process: %s): of two at once one issues the cookie', async (isOne) => {
    const [one, two] = [await verified(), await verified(isOne ? web : world.process(schema))]
    const ended = await world.time.run(Promise.allSettled([one.regenerate(), two.regenerate()]))
    const [winner, loser] = ended[0].status === 'fulfilled' ? [one, two] : [two, one]
    expect(ended.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    expect(ended.find(({ status }) => status === 'rejected')).toMatchObject({ reason: superseded })
    expect(loser.changes).toEqual([])
    expect(winner.changes).toMatchObject([{ type: 'issued', token: winner.token }])
    expect(await (await web.sessions.open(winner.token as string))?.get('username')).toBe('ada')
  })

  test.each(calls)('ends its request: no %s comes behind it', async (_name, call) => {
    const login = await verified()
    await (await verified(world.process(schema))).regenerate()
    await expect(login.regenerate()).rejects.toMatchObject(superseded)
    web.store.takeLog()
    await expect(call(login)).rejects.toMatchObject(superseded)
    await turn()
    expect(web.store.takeLog()).toEqual([])
    expect(login.state).toBe('gone')
  })

  test('keeps a login out of the session of whoever planted its token', async () => {
    const attacker = await verified()
    const victim = await verified()
    await attacker.regenerate()
    await expect(victim.regenerate()).rejects.toMatchObject(superseded)
    await expect(victim.set('username', 'victim')).rejects.toMatchObject(superseded)
    expect(await attacker.get('username')).toBe('ada')
  })

  test('fails what was asked for behind it without waiting for it', async () => {
    const attacker = await verified()
    const victim = await verified()
    await attacker.regenerate()
    const login = [victim.regenerate(), victim.set('username', 'victim'), victim.set({ username: 'victim', role: 'admin' })]
    for (const { status, reason } of (await Promise.allSettled(login)) as PromiseRejectedResult[]) {
      expect([status, reason]).toMatchObject(['rejected', superseded])
    }
    expect(await attacker.getMany(['username', 'role'])).toEqual({ username: 'ada', role: 'guest' })
  })

  test('fails it too where the request had not been verified before', async () => {
    const other = world.process(schema)
    const victim = other.sessions.resume(old)
    other.store.holding = true
    const login = Promise.allSettled([victim.regenerate(), victim.set('username', 'victim')])
    await (await world.next(other, 'get @')).deliver()
    await session.regenerate()
    await other.store.release()
    other.store.holding = false
    expect(await world.time.run(login)).toMatchObject([{ reason: superseded }, { reason: superseded }])
    expect(await session.get('username')).toBe('ada')
  })

  test('whose outcome is unknown fails what was asked for behind it too', async () => {
    const login = await verified()
    web.store.outage = 'refused'
    const asked = [login.regenerate(), login.set('username', 'victim')]
    const ended = (await world.time.run(Promise.allSettled(asked))) as PromiseRejectedResult[]
    expect(ended.map(({ reason }) => reason.code)).toEqual(['STORE_UNAVAILABLE', 'STORE_UNAVAILABLE'])
    web.store.outage = undefined
    await turn()
    expect(await session.get('username')).toBe('ada')
  })

  test('ends what waits for it when that has no more time', async () => {
    const other = world.process(schema)
    const login = other.sessions.resume(old)
    other.store.holding = true
    const began = world.time.clock.now()
    const write = expect(login.set('username', 'victim')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    const snapshot = await world.next(other, 'get username')
    await world.time.advance(400)
    const rotation = login.regenerate()
    await snapshot.deliver()
    while (!String(await world.next(other, '@')).includes('replace')) await (await world.next(other, 'get @')).deliver()
    const swap = await world.next(other, 'replace @')
    await world.time.run(write)
    expect(world.time.clock.now() - began).toBe(2_000)
    await swap.deliver()
    await other.store.release()
    other.store.holding = false
    await world.time.run(rotation)
    expect(await login.get('username')).toBe('ada')
  })

  test('lets what was asked for behind a rotation go to its owner', async () => {
    const login = await verified()
    await Promise.all([login.regenerate(), login.set('username', 'ada lovelace'), login.increment('visits')])
    expect(await (await web.sessions.open(login.token as string))?.getAll()).toMatchObject({
      username: 'ada lovelace',
      visits: 1,
    })
  })

  test('is none of two in one request: that is one rotation', async () => {
    const login = await verified()
    await Promise.all([login.regenerate(), login.regenerate()])
    expect(login.changes).toHaveLength(1)
  })
})

describe('a request that was verified before somebody else’s rotation (T5)', () => {
  test('ends well, if it takes no longer than the longest call', async () => {
    const [before, other] = [await verified(), await verified(world.process(schema))]
    await session.regenerate()
    await world.time.advance(longestCall - 1)
    await before.set('username', 'bob')
    expect(await before.increment('visits')).toBe(1)
    expect(await other.getAll()).toMatchObject({ username: 'bob', visits: 1 })
    expect(before.changes).toEqual([])
    await other.destroy()
    expect(await web.sessions.open(session.token as string)).toBeNull()
  })

  test.each(calls)('is cut off then: %s is SESSION_GONE, and nothing is written, touched or ended', async (_name, call) => {
    for (const process of [web, world.process(schema), world.process(schema, { traits: { comparesVersions: false } })]) {
      const one = await process.sessions.create({ username: 'ada', role: 'guest' })
      const socket = await verified(process, one.token)
      await socket.set('role', 'guest')
      await one.regenerate()
      await world.time.advance(longestCall)
      process.store.takeLog()
      await expect(call(socket)).rejects.toMatchObject(superseded)
      await turn()
      expect(process.store.takeLog().filter((sent) => !sent.startsWith('get'))).toEqual([])
      expect(await one.getAll()).toEqual({ username: 'ada', role: 'guest', visits: 0 })
      await expect(call(socket)).rejects.toMatchObject(superseded)
      expect([socket.state, process.store.takeLog()]).toEqual(['gone', ['get username', 'get role', 'get visits', 'get @']])
    }
  })

  test('is cut off however long it was not used', async () => {
    const [socket, idle] = [await verified(), await verified(world.process(schema))]
    await session.regenerate()
    await world.time.advance(20 * minute)
    await expect(socket.set('username', 'eve')).rejects.toMatchObject(superseded)
    await expect(idle.destroy()).rejects.toMatchObject(superseded)
    expect(await session.get('username')).toBe('ada')
  })

  test('is not taken for one that has seen the header lately, where its process stood still over the answer', async () => {
    const other = world.process(schema)
    const socket = await verified(other)
    let goOn = () => {}
    const standstill = new Promise<void>((resolve) => {
      goOn = resolve
    })
    const flight = other.store.flight.bind(other.store)
    other.store.flight = async (...sent) => {
      const landed = await flight(...sent)
      await standstill
      return { ...landed, serverTime: world.time.clock.now() }
    }
    const snapshot = socket.get('username')
    await turn()
    await session.regenerate()
    await world.time.advance(20 * second)
    goOn()
    expect(await snapshot).toBe('ada')
    await expect(socket.set('username', 'eve')).rejects.toMatchObject(superseded)
    await expect(socket.destroy()).rejects.toMatchObject(superseded)
    expect(await session.get('username')).toBe('ada')
  })

  test('goes on as long as its grace', async () => {
    const socket = await verified()
    await session.regenerate({ grace: '20s' })
    await world.time.advance(20 * second - 1)
    expect(await socket.increment('visits')).toBe(1)
    await world.time.advance(1)
    await expect(socket.get('visits')).rejects.toMatchObject(superseded)
  })

  test('that was let in by the grace is cut off at its end', async () => {
    await session.regenerate({ grace: '20s' })
    const socket = await verified()
    await world.time.advance(20 * second)
    await expect(socket.set('username', 'eve')).rejects.toMatchObject(superseded)
  })

  test('is given no more time by the rotations that follow', async () => {
    const socket = await verified()
    for (let rotation = 0; rotation < 4; rotation++) {
      await session.regenerate()
      await socket.get('username')
      await world.time.advance(longestCall / 4)
    }
    await expect(socket.get('username')).rejects.toMatchObject(superseded)
  })

  test('is cut off without another reading, once its time is over', async () => {
    const socket = await verified()
    await session.regenerate()
    await socket.get('username')
    await world.time.advance(longestCall)
    web.store.takeLog()
    await expect(socket.set('username', 'eve')).rejects.toMatchObject(superseded)
    expect(web.store.takeLog()).toEqual([])
  })

  test('ends alone: of changes that are combined, those of the others are made', async () => {
    const [socket, owner] = [await verified(), await verified()]
    await owner.regenerate()
    await world.time.advance(longestCall)
    await owner.get('visits')
    const combined = [owner.increment('visits'), socket.increment('visits'), owner.increment('visits')]
    const ended = await Promise.allSettled(combined)
    expect(ended).toMatchObject([{ value: 1 }, { reason: superseded }, { value: 2 }])
    const blind = await Promise.allSettled([(await verified(web, owner.token)).set('role', 'user'), owner.set('role', 'admin')])
    expect(blind).toMatchObject([{ status: 'fulfilled' }, { status: 'fulfilled' }])
    expect(await owner.getAll()).toMatchObject({ visits: 2, role: 'admin' })
  })

  test('writes nothing in one batch with somebody who has seen the header lately', async () => {
    const [socket, owner] = [await verified(), await verified()]
    await owner.regenerate()
    await world.time.advance(longestCall)
    await owner.get('role')
    const ended = await Promise.allSettled([socket.set('role', 'thief'), owner.set('role', 'admin'), socket.set('role', 'thief')])
    expect(ended).toMatchObject([{ reason: superseded }, { status: 'fulfilled' }, { reason: superseded }])
    expect(await owner.get('role')).toBe('admin')
  })

  test('that rotated itself is not cut off by what it read before', async () => {
    const login = await verified()
    web.store.holding = true
    const [snapshot, rotating] = [login.get('username'), login.regenerate()]
    const first = await world.next(web, 'get')
    await first.deliver()
    await web.store.release()
    web.store.holding = false
    await Promise.all([snapshot, rotating])
    await world.time.advance(minute)
    expect(await login.get('username')).toBe('ada')
  })

  test('is told of on its channel, once', async () => {
    const socket = await verified()
    await session.regenerate()
    await world.time.advance(longestCall)
    const told: unknown[] = []
    const listener = (event: unknown) => told.push(event)
    subscribe('fieldwise:superseded', listener)
    await expect(socket.get('username')).rejects.toMatchObject(superseded)
    await expect(socket.get('username')).rejects.toMatchObject(superseded)
    unsubscribe('fieldwise:superseded', listener)
    expect(told).toMatchObject([{ sid: session.id }])
  })
})
