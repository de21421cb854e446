import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { type Choose, everyChoice, interleave, interleaveWithFault } from '../../../../../test/support/interleavings.js'
import { World } from '../../../../../test/support/world.js'
import { isFieldwiseError } from '../api/errors.js'

const schema = z.object({ visits: z.int().default(0) })
type Sessions = ReturnType<typeof scene>['here']['sessions']

function scene(users?: { max: number; whenFull?: 'refuse' }) {
  const world = new World()
  return { world, here: world.process(schema, { users }), there: world.process(schema, { users }) }
}

/** What a call came to: its value, or the code of its error. */
function outcome<T>(call: Promise<T>): Promise<T | string> {
  return call.catch((error: unknown) => (isFieldwiseError(error) ? error.code : Promise.reject(error)))
}

const logins = [
  ['a session that is created for its user', (sessions: Sessions) => sessions.create({}, { user: 'ada' })],
  [
    'a login in a session that is there',
    async (sessions: Sessions, token: string) => {
      const session = sessions.resume(token)
      await session.regenerate({ user: 'ada' })
      return session
    },
  ],
] as const

describe.each(logins)('%s', (_what, logIn) => {
  /** A login in one process, and the end of all of its user's sessions in another. */
  async function race(choose: Choose, run: typeof interleave): Promise<void> {
    const { world, here, there } = scene()
    const old = await here.sessions.create({}, { user: 'ada' })
    const visitor = await here.sessions.create()
    here.store.holding = there.store.holding = true
    const login = outcome(logIn(here.sessions, visitor.token))
    const end = outcome(there.sessions.user('ada').end())
    await run(world, [here.store, there.store], Promise.all([login, end]), choose)
    await Promise.all([here.store.release(), there.store.release()])
    const session = await login
    const listed = (await world.time.run(there.sessions.user('ada').list())).map(({ id }) => id)
    if ((await end) !== 'OUTCOME_UNKNOWN' && (await end) !== 'STORE_UNAVAILABLE') {
      expect(await world.time.run(there.sessions.open(old.token))).toBeNull()
      expect(listed).not.toContain(old.id)
    }
    if (typeof session === 'string') return
    const isLiving = (await world.time.run(there.sessions.open(session.token as string))) !== null
    expect(listed.includes(session.id as string)).toBe(isLiving)
    // Whichever came first, a login whose end was acknowledged before it wrote its header has said so (U15).
    const again = await outcome(world.time.run(session.get('visits')))
    expect(again).toBe(isLiving ? 0 : 'SESSION_GONE')
  }

  test('and an end, in every order of their requests', async () => {
    expect(await everyChoice((choose) => race(choose, interleave))).toBeGreaterThan(30)
  })

  test('and an end, in every order of their flights, with any one of these lost, late or unanswered', async () => {
    expect(await everyChoice((choose) => race(choose, interleaveWithFault))).toBeGreaterThan(100)
  })

  test('that began when an end was acknowledged works', async () => {
    await everyChoice(async (choose) => {
      const { world, here, there } = scene()
      await here.sessions.create({}, { user: 'ada' })
      const visitor = await here.sessions.create()
      there.store.holding = true
      const ended = outcome(there.sessions.user('ada').end())
      await interleaveWithFault(world, [there.store], ended, choose)
      await there.store.release()
      const session = await logIn(here.sessions, visitor.token)
      expect(await session.increment('visits')).toBe(1)
    })
  })
})

test('of two logins at once one works where one may, whatever comes first', async () => {
  await everyChoice(async (choose) => {
    const { world, here, there } = scene({ max: 1 })
    here.store.holding = there.store.holding = true
    const logins = [here, there].map(({ sessions }) => outcome(sessions.create({}, { user: 'ada' })))
    let steps = 0
    const fewer: Choose = (alternatives) => (++steps > 9 ? 0 : choose(alternatives))
    await interleave(world, [here.store, there.store], Promise.all(logins), fewer)
    await Promise.all([here.store.release(), there.store.release()])
    const created = (await Promise.all(logins)).filter((session) => typeof session !== 'string')
    expect(await world.time.run(here.sessions.user('ada').count())).toBe(1)
    expect(created.length).toBeGreaterThan(0)
  })
})

test('of two logins at once at most one is let in where one may and more are refused', async () => {
  const let_in = new Set<number>()
  await everyChoice(async (choose) => {
    const { world, here, there } = scene({ max: 1, whenFull: 'refuse' })
    here.store.holding = there.store.holding = true
    const logins = [here, there].map(({ sessions }) => outcome(sessions.create({}, { user: 'ada' })))
    let steps = 0
    const fewer: Choose = (alternatives) => (++steps > 9 ? 0 : choose(alternatives))
    await interleave(world, [here.store, there.store], Promise.all(logins), fewer)
    await Promise.all([here.store.release(), there.store.release()])
    const created = (await Promise.all(logins)).filter((session) => typeof session !== 'string')
    let_in.add(created.length)
    expect(await world.time.run(here.sessions.user('ada').count())).toBe(created.length)
  })
  expect([...let_in]).toEqual([1])
})
