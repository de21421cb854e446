import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { createSessions, isFieldwiseError, type Session, type Sessions } from '../../index.js'

type Shop = { username: string; cart: string[]; visits: number }
const schema = z.object({
  username: z.string(),
  cart: z.array(z.string()).default([]),
  visits: z.int().default(0),
})

/** Every method that takes options, called with these. */
const calls: [name: string, known: string, call: (sessions: Sessions<Shop, 'visits'>, options: never) => Promise<unknown>][] = [
  ['create', 'user, lifetime, persist, signal', (sessions, options) => sessions.create({}, options)],
  ['open', 'preload, signal', (sessions, options) => sessions.open('', options)],
  ['revoke', 'signal', (sessions, options) => sessions.revoke('', options)],
  ['get', 'signal', (sessions, options) => sessions.resume().get('visits', options)],
  ['getMany', 'signal', (sessions, options) => sessions.resume().getMany(['visits'], options)],
  ['getAll', 'signal', (sessions, options) => sessions.resume().getAll(options)],
  ['has', 'signal', (sessions, options) => sessions.resume().has('visits', options)],
  ['set', 'signal', (sessions, options) => sessions.resume().set('visits', 1, options)],
  ['set', 'signal', (sessions, options) => sessions.resume().set({ visits: 1 }, options)],
  ['update', 'signal', (sessions, options) => sessions.resume().update('visits', (visits) => visits + 1, options)],
  ['increment', 'signal', (sessions, options) => sessions.resume().increment('visits', 1, options)],
  ['take', 'signal', (sessions, options) => sessions.resume().take('visits', options)],
  ['delete', 'signal', (sessions, options) => sessions.resume().delete('visits', options)],
  ['regenerate', 'user, lifetime, persist, grace, signal', (sessions, options) => sessions.resume().regenerate(options)],
  ['destroy', 'signal', (sessions, options) => sessions.resume().destroy(options)],
]

function newSessions(): Sessions<Shop, 'visits'> {
  return createSessions({ schema }) as unknown as Sessions<Shop, 'visits'>
}

describe.each(calls)('the options of %s', (name, known, call) => {
  test('have no other names, and a misspelt one is told which there are', async () => {
    await expect(call(newSessions(), { singal: undefined } as never)).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
      message: `${name} has no option 'singal'; it has ${known}`,
    })
  })

  test.each([5, 'soon', null, [], () => {}])('are an object, and not %s', async (options) => {
    await expect(call(newSessions(), options as never)).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
      message: `${name} takes an object with ${known}`,
    })
  })

  test.each([5, {}, null, 'abort', new AbortController()])('have no signal that is none: %s', async (signal) => {
    await expect(call(newSessions(), { signal } as never)).rejects.toMatchObject({
      code: 'BAD_ARGUMENT',
      message: `${name}: signal must be an AbortSignal`,
    })
  })

  test('may be there and undefined', async () => {
    const options = Object.fromEntries(known.split(', ').map((option) => [option, undefined]))
    const outcome = await call(newSessions(), options as never).catch((error) => error)
    // `revoke` is given no id here.
    if (name !== 'revoke') expect(outcome).not.toBeInstanceOf(Error)
  })
})

test('what a call takes besides options, of any type at all, is taken or refused by an error of ours', async () => {
  const oddities: unknown[] = [
    undefined,
    null,
    5,
    Number.NaN,
    1n,
    'x',
    '',
    true,
    Symbol('s'),
    [],
    {},
    [null],
    () => {},
    new Map(),
  ]
  const sessions = newSessions() as unknown as Loose
  const session = (await newSessions().create()) as unknown as Loose
  const methods = ['get', 'getMany', 'has', 'set', 'update', 'increment', 'take', 'delete'] as const
  const outcomes: unknown[] = []
  for (const first of oddities) {
    for (const second of oddities) {
      for (const method of methods) outcomes.push(await outcomeOf(() => session[method]?.(first, second)))
    }
    for (const method of ['create', 'open', 'resume', 'revoke']) outcomes.push(await outcomeOf(() => sessions[method]?.(first)))
  }
  const others = outcomes.filter((outcome) => outcome instanceof Error && !isFieldwiseError(outcome))
  expect(others).toEqual([])
})

type Loose = Partial<Record<keyof Session<Shop> | keyof Sessions<Shop> | string, (...given: unknown[]) => unknown>>

async function outcomeOf(work: () => unknown): Promise<unknown> {
  try {
    return await work()
  } catch (error) {
    return error
  }
}
