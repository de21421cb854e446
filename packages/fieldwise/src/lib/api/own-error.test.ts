import { types } from 'node:util'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { World } from '../../../../../test/support/world.js'
import { FieldwiseError, OutcomeUnknownError, SessionGoneError, StoreUnavailableError } from './errors.js'
import { ownError } from './own-error.js'

const schema = z.object({ username: z.string(), visits: z.int().default(0) })

test('is an error like the one that it stands for, with its code, message, cause and all else', () => {
  const cause = new Error('the cable')
  for (const error of [new OutcomeUnknownError('this write', cause), new SessionGoneError('lost', 'cart')]) {
    const own = ownError(error)
    expect(own).not.toBe(error)
    expect(types.isNativeError(own)).toBe(true)
    expect(own).toBeInstanceOf(FieldwiseError)
    expect(own).toBeInstanceOf(error.constructor)
    expect(Object.getOwnPropertyNames(own).sort()).toEqual(Object.getOwnPropertyNames(error).sort())
    expect({ ...(own as object) }).toEqual({ ...error })
    expect([(own as Error).message, (own as Error).stack, String(own)]).toEqual([error.message, error.stack, String(error)])
  }
  expect((ownError(new StoreUnavailableError('gone', cause)) as Error).cause).toBe(cause)
})

test('leaves an error of the application’s own as it is', () => {
  const error = new TypeError('an update function’s')
  expect(ownError(error)).toBe(error)
})

const five = Array.from({ length: 5 })

test.each([
  ['reads of a tick', (session: Session) => session.get('username')],
  ['changes of one field that are combined', (session: Session) => session.increment('visits')],
  ['changes of several fields', (session: Session) => session.set({ username: 'ada', visits: 1 })],
  ['changes of the secret', (session: Session) => session.regenerate()],
] as const)('visitors who are cut together get an error each: %s', async (_what, call) => {
  const world = new World()
  const web = world.process(schema)
  const made = await web.sessions.create({ username: 'ada' })
  const sessions = await Promise.all(five.map(() => web.sessions.open(made.token as string)))
  web.store.outage = 'refused'
  const errors = await world.time.run(Promise.all(sessions.map((session) => caught(call(session as Session)))))
  expect(errors.map(({ code }) => code)).toEqual(five.map(() => 'STORE_UNAVAILABLE'))
  expect(new Set(errors).size).toBe(5)
})

test('a session that is gone says so with another error each time', async () => {
  const { sessions } = new World().process(schema)
  const session = await sessions.create()
  await session.destroy()
  const [first, second] = [await caught(session.get('username')), await caught(session.get('username'))]
  Object.assign(first, { status: 503 })
  expect(second).not.toBe(first)
  expect(await caught(session.get('username'))).not.toHaveProperty('status')
})

type Session = Awaited<ReturnType<ReturnType<typeof process>['sessions']['create']>>
const process = () => new World().process(schema)

function caught(call: Promise<unknown>): Promise<Error & { code?: string }> {
  return call.then(
    () => {
      throw new Error('It ended well')
    },
    (error) => error,
  )
}
