import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { World } from '../../../../../test/support/world.js'
import {
  createSessions,
  type FieldwiseError,
  isFieldwiseError,
  memoryStore,
  parseDuration,
  type Session,
  type Sessions,
} from '../../index.js'

type Shop = { username: string; cart: string[]; visits: number }
const schema = z.object({
  username: z.string(),
  cart: z.array(z.string()).default([]),
  visits: z.int().default(0),
})

/** The first line of an error's stack that is a frame. */
function firstFrame(error: FieldwiseError): string | undefined {
  return error.stack?.split('\n').find((line) => line.startsWith('    at '))
}

async function failureOf(work: () => unknown): Promise<FieldwiseError> {
  try {
    await work()
  } catch (error) {
    if (isFieldwiseError(error)) return error
    throw error
  }
  throw new Error('it did not fail')
}

const calls: [name: string, call: (session: Session<Shop, 'cart' | 'visits'>) => Promise<unknown>][] = [
  ['get', (session) => session.get('username')],
  ['getMany', (session) => session.getMany(['username', 'cart'])],
  ['getAll', (session) => session.getAll()],
  ['has', (session) => session.has('username')],
  ['set', (session) => session.set('username', 'bob')],
  ['set with several values', (session) => session.set({ username: 'bob', visits: 1 })],
  ['update', (session) => session.update('cart', (cart) => [...cart, 'tea'])],
  ['increment', (session) => session.increment('visits')],
  ['take', (session) => session.take('username')],
  ['delete', (session) => session.delete('username')],
  ['regenerate', (session) => session.regenerate()],
  ['destroy', (session) => session.destroy()],
]

describe('the stack of an error begins at the caller’s line', () => {
  test.each(calls)('when the store fails a %s that is awaited', async (_name, call) => {
    const world = new World()
    const web = world.process(schema)
    const session = await web.sessions.create({ username: 'ada' })
    web.store.outage = 'refused'
    async function callersFunction() {
      await call(session)
    }
    const failing = failureOf(callersFunction)
    for (let pause = 0; pause < 40; pause++) {
      await new Promise((resolve) => setImmediate(resolve))
      world.time.wakeNext()
    }
    expect(firstFrame(await failing)).toMatch(/^ {4}at (async )?callersFunction \(.*stack\.test/)
  })

  test.each([
    ['create', (sessions: Sessions<Shop>) => sessions.create({ username: 'ada' })],
    ['open', (sessions: Sessions<Shop>, token: string) => sessions.open(token)],
    ['revoke', (sessions: Sessions<Shop>, _token: string, id: string) => sessions.revoke(id)],
    ['check', (sessions: Sessions<Shop>) => sessions.check()],
  ] as const)('when the store fails a %s that is awaited', async (_name, call) => {
    const world = new World()
    const web = world.process(schema)
    const { token, id } = await web.sessions.create()
    web.store.outage = 'refused'
    async function callersFunction() {
      await call(web.sessions as unknown as Sessions<Shop>, token as string, id as string)
    }
    const failing = failureOf(callersFunction)
    for (let pause = 0; pause < 40; pause++) {
      await new Promise((resolve) => setImmediate(resolve))
      world.time.wakeNext()
    }
    expect(firstFrame(await failing)).toMatch(/^ {4}at (async )?callersFunction \(.*stack\.test/)
  })

  test('and goes on with those who await the caller', async () => {
    const { sessions } = new World().process(schema)
    const session = await sessions.create()
    await session.destroy()
    async function inner() {
      return await session.get('username')
    }
    async function outer() {
      await inner()
    }
    expect((await failureOf(outer)).stack).toMatch(/at (async )?inner .*\n {4}at (async )?outer /)
  })

  test('when it is found at once, whether or not somebody awaits it', async () => {
    const session = await createSessions({ schema }).create()
    const errors: FieldwiseError[] = []
    function callersFunction() {
      const none = 'nobody' as 'username'
      const noted = (error: unknown) => void errors.push(error as FieldwiseError)
      void session.get(none).catch(noted)
      void session.update(none, () => '').catch(noted)
      void session.delete(none, { singal: 5 } as object).catch(noted)
      void session.getMany(['username'], 5 as unknown as object).catch(noted)
    }
    callersFunction()
    await new Promise((resolve) => setImmediate(resolve))
    expect(errors.map(({ code }) => code)).toEqual(Array(4).fill('BAD_ARGUMENT'))
    for (const error of errors) expect(firstFrame(error)).toMatch(/^ {4}at callersFunction \(.*stack\.test/)
  })

  const refusals: [name: string, work: () => unknown][] = [
    ['createSessions', () => createSessions({ schema: z.object({ seen: z.object({ at: z.array(z.date()) }) }) })],
    ['memoryStore', () => memoryStore({ limit: 1 })],
    ['parseDuration', () => parseDuration('soon')],
  ]
  test.each(refusals)('when %s refuses what it was given', async (_name, work) => {
    function callersFunction() {
      work()
    }
    expect((await failureOf(callersFunction)).stack).toMatch(/^\w+: .*\n {4}at .*stack\.test.*\n {4}at callersFunction /)
  })

  test('when sessions that were closed are used', async () => {
    const sessions = createSessions({ schema })
    await sessions.close()
    function callersFunction() {
      sessions.resume()
    }
    async function callersAsyncFunction() {
      await sessions.create()
    }
    expect(firstFrame(await failureOf(callersFunction))).toMatch(/at callersFunction /)
    expect(firstFrame(await failureOf(callersAsyncFunction))).toMatch(/at (async )?callersAsyncFunction /)
  })
})

test('what an update function throws keeps the stack that it has', async () => {
  const session = await createSessions({ schema }).create()
  const own = new Error('my own')
  const { stack } = own
  const fail = () => {
    throw own
  }
  await expect(session.update('visits', fail)).rejects.toBe(own)
  expect(own.stack).toBe(stack)
})

test('an error that nobody awaits keeps the stack of the place where it was made', async () => {
  const { sessions } = new World().process(schema)
  const session = await sessions.create()
  await session.destroy()
  const error = await new Promise<FieldwiseError>((resolve) => {
    void session.get('username').then(undefined, resolve)
  })
  expect(firstFrame(error)).toBeDefined()
})
