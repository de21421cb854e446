import { runInThisContext } from 'node:vm'
import { createSessions } from 'fieldwise'
import { expect, test } from 'vitest'
import { z } from 'zod'

const sessions = createSessions({ schema: z.object({ user: z.string() }) })

// As CommonJS without 'use strict' has it, where a frozen object would say nothing.
const assign = runInThisContext("(session) => { session.user = 'ada' }") as (session: object) => void

test('a property that is set on a session is a TypeError that names the call which stores it', async () => {
  for (const session of [
    sessions.resume(),
    await sessions.create(),
    await sessions.open((await sessions.create()).token as string),
  ]) {
    expect(() => assign(session as object)).toThrow(TypeError)
    expect(() => assign(session as object)).toThrow(/await session\.set\('user', …\)/)
    expect(Object.keys(session as object)).toEqual([])
  }
})

test('whatever is asked of any object is answered as by any other', async () => {
  const session = sessions.resume()
  expect(session instanceof Object).toBe(true)
  expect('user' in session).toBe(false)
  expect(Reflect.get(session, 'user')).toBeUndefined()
  expect(await session).toBe(session)
  expect(JSON.stringify(session)).toBe('{"state":"new"}')
  expect(String(session)).toBe('[object Object]')
})
