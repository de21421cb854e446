import { randomBytes } from 'node:crypto'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { SteppingStore } from '../../../../../test/support/stepping-store.js'
import { turn } from '../../../../../test/support/virtual-time.js'
import { World } from '../../../../../test/support/world.js'
import type { StoreRequest } from '../api/store.js'
import { plainListName } from '../format/user-list.js'
import { createSessions, createSessionsOn } from './sessions.js'

const schema = z.object({ device: z.string(), visits: z.int().default(0) })

function scene(options: { users?: { max: number; whenFull?: 'end-oldest' | 'refuse' } } = {}) {
  const world = new World()
  const here = world.process(schema, options)
  const there = world.process(schema, options)
  return { world, here, there }
}

test('a user has the sessions that were created or regenerated for it, the newest first', async () => {
  const { world, here, there } = scene()
  const first = await here.sessions.create({}, { user: 'ada' })
  await world.time.advance(5)
  const second = there.sessions.resume()
  await second.set('device', 'phone')
  await second.regenerate({ user: 'ada' })
  await here.sessions.create({}, { user: 'bob' })
  await here.sessions.create()
  const listed = await here.sessions.user('ada').list({ current: first })
  expect(listed.map(({ id, isCurrent }) => [id, isCurrent])).toEqual([
    [second.id, false],
    [first.id, true],
  ])
  expect(await there.sessions.user('ada').count()).toBe(2)
  expect(await second.get('device')).toBe('phone')
})

test('of each session in the list those fields are read that were asked for, with their defaults', async () => {
  const { world, here, there } = scene()
  const phone = await here.sessions.create({ device: 'phone' }, { user: 'ada' })
  await world.time.advance(5)
  await there.sessions.create({ visits: 7 }, { user: 'ada' })
  await phone.increment('visits')
  const listed = await there.sessions.user('ada').list({ preload: ['device', 'visits'] })
  expect(listed.map(({ values }) => values)).toEqual([
    { device: undefined, visits: 7 },
    { device: 'phone', visits: 1 },
  ])
  expect((await here.sessions.user('ada').list()).map(({ values }) => values)).toEqual([{}, {}])
  await expect(here.sessions.user('ada').list({ preload: ['name' as 'device'] })).rejects.toMatchObject({
    code: 'BAD_ARGUMENT',
  })
})

test('a session that has lost a field, or has ended since, is in no list that asks for fields', async () => {
  const { world, here, there } = scene()
  const [phone, desk] = [
    await here.sessions.create({ device: 'phone' }, { user: 'ada' }),
    await here.sessions.create({ device: 'desk' }, { user: 'ada' }),
  ]
  await world.evict(`${phone.id}:device`)
  there.store.holding = true
  const listing = there.sessions.user('ada').list({ preload: ['device'] })
  await (await world.next(there, 'get ')).deliver()
  await (await world.next(there, 'get @, get @')).deliver()
  await desk.destroy()
  await there.store.release()
  expect(await world.time.run(listing)).toEqual([])
  expect(await here.sessions.open(phone.token)).toBeNull()
})

test('once the end of a user is acknowledged, none of its sessions works, in any process', async () => {
  const { here, there } = scene()
  const session = await here.sessions.create({ device: 'phone' }, { user: 'ada' })
  const other = await there.sessions.create({}, { user: 'bob' })
  const held = there.sessions.resume(session.token)
  expect(await held.get('device')).toBe('phone')
  expect(await here.sessions.user('ada').end()).toEqual({ ended: 1 })
  await expect(session.get('device')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'ended' })
  await expect(held.set('device', 'x')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'ended' })
  expect(await there.sessions.open(session.token)).toBeNull()
  expect(await other.get('visits')).toBe(0)
  expect(await here.sessions.user('ada').count()).toBe(0)
})

test('a login after the end works', async () => {
  const { here, there } = scene()
  await here.sessions.create({}, { user: 'ada' })
  await here.sessions.user('ada').end()
  const later = await there.sessions.create({}, { user: 'ada' })
  expect(await later.increment('visits')).toBe(1)
  expect(await here.sessions.user('ada').count()).toBe(1)
})

test('all but one are ended, and the one goes on', async () => {
  const { here, there } = scene()
  const one = await here.sessions.create({}, { user: 'ada' })
  const two = await there.sessions.create({}, { user: 'ada' })
  expect(await here.sessions.user('ada').end({ except: one })).toEqual({ ended: 1 })
  expect(await one.increment('visits')).toBe(1)
  await expect(two.get('visits')).rejects.toMatchObject({ reason: 'ended' })
  await expect(there.sessions.user('ada').end({ except: two })).rejects.toMatchObject({ code: 'SESSION_GONE' })
  expect(await one.increment('visits')).toBe(2)
})

test.each([
  ['an id', (session: object) => (session as { id: string }).id],
  ['a session under another prefix', () => createSessions({ schema: z.object({}), prefix: 'other:' }).resume()],
] as const)('where the session to spare is %s, nothing ends', async (_what, mistaken) => {
  const { here } = scene()
  const one = await here.sessions.create({}, { user: 'ada' })
  const ending = here.sessions.user('ada').end({ except: mistaken(one) as object })
  await expect(ending).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
  expect(await one.increment('visits')).toBe(1)
})

test('a session never goes from one user to another; the same user may log in again', async () => {
  const { here } = scene()
  const session = await here.sessions.create({}, { user: 'ada' })
  const { token } = session
  await session.regenerate({ user: 'ada' })
  expect(session.token).not.toBe(token)
  await expect(session.regenerate({ user: 'bob' })).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
  expect(await session.increment('visits')).toBe(1)
  expect(await here.sessions.user('ada').count()).toBe(1)
})

test('of more sessions than the limit allows the oldest end', async () => {
  const { world, here, there } = scene({ users: { max: 2 } })
  const sessions = []
  for (let time = 0; time < 4; time++) {
    sessions.push(await (time % 2 ? here : there).sessions.create({}, { user: 'ada' }))
    await world.time.advance(1)
  }
  const listed = await here.sessions.user('ada').list()
  expect(listed.map(({ id }) => id)).toEqual([sessions[3]?.id, sessions[2]?.id])
  await expect(sessions[0]?.get('visits')).rejects.toMatchObject({ reason: 'ended' })
})

test('a login whose limit could not be kept says that its outcome is unknown, and keeps it when it is called again (U12)', async () => {
  const { world, here, there } = scene({ users: { max: 1 } })
  const old = await there.sessions.create({}, { user: 'ada' })
  const session = await here.sessions.create()
  here.store.holding = true
  const login = outcomeOf(session.regenerate({ user: 'ada' }))
  await (await world.next(here, 'get @')).deliver()
  for (const held of [...here.store.held]) await held.deliver()
  await (await world.next(here, 'replace')).deliver()
  await (await world.next(here, 'replace @')).deliver()
  await world.outage(here)
  expect(await world.time.run(login)).toMatchObject({ code: 'OUTCOME_UNKNOWN' })
  expect(await there.sessions.user('ada').count()).toBe(2)
  here.store.holding = false
  await session.regenerate({ user: 'ada' })
  await expect(old.get('visits')).rejects.toMatchObject({ reason: 'ended' })
  expect(await session.get('visits')).toBe(0)
})

test('with whenFull: refuse, one session too many is refused, and nothing of it is stored', async () => {
  const { here, there } = scene({ users: { max: 1, whenFull: 'refuse' } })
  const first = await here.sessions.create({}, { user: 'ada' })
  await expect(there.sessions.create({}, { user: 'ada' })).rejects.toMatchObject({ code: 'TOO_MANY_SESSIONS', max: 1 })
  const visitor = await there.sessions.create({ device: 'phone' })
  const { token } = visitor
  await expect(visitor.regenerate({ user: 'ada' })).rejects.toMatchObject({ code: 'TOO_MANY_SESSIONS' })
  expect(visitor.token).toBe(token)
  expect(await visitor.get('device')).toBe('phone')
  await first.destroy()
  await turn()
  await visitor.regenerate({ user: 'ada' })
  expect(await here.sessions.user('ada').count()).toBe(1)
})

test('a bound session costs one more key in a flight, and no flight more in a process that knows it', async () => {
  const { here, there } = scene()
  const session = await here.sessions.create({}, { user: 'ada' })
  await there.sessions.resume(session.token).get('visits')
  there.store.takeLog()
  await there.sessions.resume(session.token).get('visits')
  expect(there.store.flights).toHaveLength(1)
  expect(there.store.flights[0]).toHaveLength(3)
})

test('a login takes three flights where the session is known, and a rotation two', async () => {
  const { here } = scene()
  const session = await here.sessions.create()
  await session.get('visits')
  here.store.flights.length = 0
  await session.regenerate()
  expect(here.store.flights).toHaveLength(2)
  here.store.flights.length = 0
  await session.regenerate({ user: 'ada' })
  // The first two leave together.
  expect(here.store.flights).toHaveLength(4)
})

test('a login with a limit takes one flight more, and four beyond that where a session has to end', async () => {
  const { here } = scene({ users: { max: 1 } })
  const flightsOfLogin = async () => {
    const session = await here.sessions.create({ device: 'phone' })
    here.store.flights.length = 0
    await session.regenerate({ user: 'ada' })
    return here.store.flights.length
  }
  expect(await flightsOfLogin()).toBe(4 + 1)
  expect(await flightsOfLogin()).toBe(4 + 1 + 4)
})

test('a list takes two flights, and with fields of a session that is not known two more, otherwise one', async () => {
  const { here, there } = scene()
  await here.sessions.create({ device: 'phone' }, { user: 'ada' })
  const ada = there.sessions.user('ada')
  const flightsOf = async (call: () => Promise<unknown>) => {
    there.store.flights.length = 0
    await call()
    return there.store.flights.length
  }
  expect(await flightsOf(() => ada.list())).toBe(2)
  expect(await flightsOf(() => ada.list({ preload: ['device'] }))).toBe(4)
  expect(await flightsOf(() => ada.list({ preload: ['device'] }))).toBe(3)
  expect(await flightsOf(() => ada.end())).toBe(4)
})

test.each([7, '', 'x'.repeat(257), null, '\ud800'])('%j is no id of a user', async (id) => {
  const { here } = scene()
  expect(() => here.sessions.user(id as string)).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENT' }))
  if (id === null) return
  await expect(here.sessions.create({}, { user: id as string })).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
})

test('what ended with its user loses its fields, and says how it ended as long as its header is there (U8)', async () => {
  const { world, here, there } = scene()
  const session = await here.sessions.create({ device: 'phone' }, { user: 'ada' })
  await there.sessions.user('ada').end()
  expect(await world.stored(`${session.id}:device`)).toBeUndefined()
  await expect(session.get('device')).rejects.toMatchObject({ reason: 'ended' })
})

test('a list that is evicted ends the sessions in it, and only these', async () => {
  const { world, here, there } = scene()
  const session = await here.sessions.create({}, { user: 'ada' })
  const other = await here.sessions.create({}, { user: 'bob' })
  await world.evict(listKeyIn(here.store.flights))
  await expect(session.get('visits')).rejects.toMatchObject({ reason: 'ended' })
  expect(await there.sessions.open(session.token)).toBeNull()
  expect(await other.get('visits')).toBe(0)
})

test('a process that stood still between list and header draws another binding (U10)', async () => {
  const world = new World()
  const { runtime } = world.time
  let stood = 0
  const store = new SteppingStore(world.shared, runtime)
  const sessions = createSessionsOn({ ...runtime, monotonic: () => runtime.monotonic() + stood }, { schema, store })
  const session = await sessions.create()
  store.holding = true
  const login = session.regenerate({ user: 'ada' })
  await turn()
  for (const read of [...store.held]) await read.deliver()
  const added = await world.next({ store }, 'add')
  stood = 24_001
  await added.deliver()
  expect(String(await world.next({ store }, 'get'))).not.toContain('replace')
  await store.release()
  await login
  expect(listWrites(store.flights)).toHaveLength(2)
  await world.time.advance(61_000)
  expect(await sessions.user('ada').count()).toBe(1)
  await turn()
  expect(await session.get('visits')).toBe(0)
})

test('a write of a list that comes late brings back no session that has ended since (U3)', async () => {
  const { world, here, there } = scene()
  here.store.holding = true
  const creation = here.sessions.create({}, { user: 'ada' })
  await (await world.next(here, 'get')).deliver()
  const comesLate = (await world.next(here, 'add')).delay()
  for (const next of ['get', 'add', 'add @']) await (await world.next(here, next)).deliver()
  await here.store.release()
  const session = await world.time.run(creation)
  expect(await there.sessions.user('ada').end()).toEqual({ ended: 1 })
  // The emptied list, which would refuse it, is gone by then.
  await world.time.advance(61_000)
  await comesLate()
  expect(await there.sessions.open(session.token)).toBeNull()
  expect(await there.sessions.user('ada').list()).toEqual([])
})

test.each([
  [
    'creation',
    async ({ here }: ReturnType<typeof scene>) =>
      () =>
        here.sessions.create({}, { user: 'ada' }),
  ],
  [
    'login',
    async ({ here }: ReturnType<typeof scene>) => {
      const session = await here.sessions.create()
      return () => session.regenerate({ user: 'ada' })
    },
  ],
] as const)('a %s that an end has overtaken says so (U15)', async (_what, prepare) => {
  const at = scene()
  const { world, here, there } = at
  const logIn = await prepare(at)
  here.store.holding = true
  const login = outcomeOf(logIn())
  await turn()
  for (const read of [...here.store.held]) await read.deliver()
  await (await world.next(here, 'add')).deliver()
  await there.sessions.user('ada').end()
  await here.store.release()
  expect(await world.time.run(login)).toMatchObject({ code: 'SESSION_GONE', reason: 'ended' })
  expect(await there.sessions.user('ada').count()).toBe(0)
})

test('an attempt to create that failed leaves no entry (U13)', async () => {
  const { world, here, there } = scene()
  here.store.holding = true
  const creation = here.sessions.create({}, { user: 'ada' })
  await (await world.next(here, 'get')).deliver()
  await (await world.next(here, 'add')).deliver()
  ;(await world.next(here, 'add @')).loseRequest()
  await here.store.release()
  const session = await world.time.run(creation)
  await world.time.advance(1_000)
  const [listed] = await Promise.all([there.sessions.user('ada').list()])
  expect(listed.map(({ id }) => id)).toEqual([session.id])
  expect(await world.stored(listKeyIn(here.store.flights))).toHaveLength(1 + 36)
})

test.each([
  [
    'creation that is refused for its size',
    async ({ here }: ReturnType<typeof scene>) => {
      here.store.largest = 500
      return here.sessions.create({ device: 'x'.repeat(600) }, { user: 'ada' })
    },
    'VALUE_TOO_LARGE',
  ],
  [
    'login whose session has ended meanwhile',
    async ({ world, here, there }: ReturnType<typeof scene>) => {
      const session = await here.sessions.create()
      here.store.holding = true
      const login = session.regenerate({ user: 'ada' })
      await turn()
      for (const read of [...here.store.held]) await read.deliver()
      const bound = await world.next(here, 'add')
      await there.sessions.revoke(session.id)
      await bound.deliver()
      await here.store.release()
      return world.time.run(login)
    },
    'SESSION_GONE',
  ],
  [
    'login whose header could not be sent',
    async ({ world, here }: ReturnType<typeof scene>) => {
      const session = await here.sessions.create()
      here.store.holding = true
      const login = session.regenerate({ user: 'ada' })
      await turn()
      for (const read of [...here.store.held]) await read.deliver()
      await (await world.next(here, 'add')).deliver()
      await (await world.next(here, 'get')).deliver()
      ;(await world.next(here, 'replace @')).refuse()
      await here.store.release()
      return world.time.run(login)
    },
    'STORE_UNAVAILABLE',
  ],
] as const)('a %s stands in nobody’s way (U13)', async (_what, logIn, code) => {
  const at = scene({ users: { max: 1, whenFull: 'refuse' } })
  expect(await outcomeOf(logIn(at))).toMatchObject({ code })
  await at.world.time.advance(1)
  const next = await at.there.sessions.create({}, { user: 'ada' })
  expect(await next.get('visits')).toBe(0)
})

test('a list holds 100 entries: the dead ones give way first, and then the oldest (U14)', async () => {
  const { world, here, there } = scene()
  const sessions = []
  for (let time = 0; time < 100; time++) {
    sessions.push(await here.sessions.create({}, { user: 'ada' }))
    await world.time.advance(1)
  }
  await there.sessions.revoke(sessions[50]?.id as string)
  await world.time.advance(61_000)
  await here.sessions.create({}, { user: 'ada' })
  expect(await sessions[0]?.get('visits')).toBe(0)
  await here.sessions.create({}, { user: 'ada' })
  await expect(sessions[0]?.get('visits')).rejects.toMatchObject({ reason: 'ended' })
  expect(await there.sessions.user('ada').count()).toBe(100)
})

test('the name of a list tells nothing without the key, and is found under the keys before (sealing)', async () => {
  const world = new World()
  const [old, fresh] = [key(), key()]
  const before = world.process(schema, { sealing: { keys: [old, fresh] } })
  const after = world.process(schema, { sealing: { keys: [fresh, old] }, users: { max: 2 } })
  const first = await before.sessions.create({}, { user: 'ada' })
  expect(listKeyIn(before.store.flights)).not.toBe(`u:${plainListName('ada')}`)
  const second = await after.sessions.create({}, { user: 'ada' })
  expect(listKeyIn(after.store.flights)).not.toBe(listKeyIn(before.store.flights))
  const ids = async (process: typeof after) => (await process.sessions.user('ada').list()).map(({ id }) => id).sort()
  expect(await ids(after)).toEqual([first.id, second.id].sort())
  expect(await ids(before)).toEqual(await ids(after))
  const again = after.sessions.resume(first.token)
  await again.regenerate({ user: 'ada' })
  expect(await ids(after)).toHaveLength(2)
  await after.sessions.create({}, { user: 'ada' })
  await expect(again.get('visits')).rejects.toMatchObject({ reason: 'ended' })
  expect(await before.sessions.user('ada').end()).toEqual({ ended: 2 })
  await expect(second.get('visits')).rejects.toMatchObject({ reason: 'ended' })
})

test('a session without a user is stored and used as if there were none', async () => {
  const { here } = scene({ users: { max: 1 } })
  const session = await here.sessions.create({ device: 'phone' })
  await session.increment('visits')
  await session.regenerate()
  expect(here.store.log.filter((words) => words.includes('u:'))).toEqual([])
})

test('an end that a server has not confirmed is of unknown outcome, and calling again ends them (U6)', async () => {
  const { world, here, there } = scene()
  const session = await there.sessions.create({}, { user: 'ada' })
  here.store.holding = true
  const ending = outcomeOf(here.sessions.user('ada').end())
  await (await world.next(here, 'get')).deliver()
  ;(await world.next(here, 'replace')).refuse()
  await here.store.release()
  expect(await world.time.run(ending)).toMatchObject({ code: 'OUTCOME_UNKNOWN' })
  expect(await session.increment('visits')).toBe(1)
  expect(await here.sessions.user('ada').end()).toEqual({ ended: 1 })
  await expect(session.increment('visits')).rejects.toMatchObject({ reason: 'ended' })
})

test('a login that is itself one too many, since a later one came first, says that it has ended (U12)', async () => {
  const { world, here, there } = scene({ users: { max: 1 } })
  const session = await here.sessions.create()
  here.store.holding = true
  const login = outcomeOf(session.regenerate({ user: 'ada' }))
  await turn()
  for (const read of [...here.store.held]) await read.deliver()
  await (await world.next(here, 'add')).deliver()
  const later = await there.sessions.create({}, { user: 'ada' })
  await here.store.release()
  expect(await world.time.run(login)).toMatchObject({ code: 'SESSION_GONE', reason: 'ended' })
  expect(await later.increment('visits')).toBe(1)
})

function outcomeOf(call: Promise<unknown>): Promise<unknown> {
  return call.catch((error) => error)
}

/** The first list that was written. */
function listKeyIn(flights: readonly (readonly StoreRequest[])[]): string {
  return listWrites(flights)[0]?.key as string
}

function listWrites(flights: readonly (readonly StoreRequest[])[]): StoreRequest[] {
  return flights.flat().filter((request) => request.key.startsWith('u:') && 'value' in request)
}

function key(): string {
  return randomBytes(32).toString('base64url')
}
