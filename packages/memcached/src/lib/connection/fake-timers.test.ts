import { createSessions } from 'fieldwise'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import * as z from 'zod'
import { Memcached } from '../../../../../test/support/memcached.js'
import { memcachedStore } from '../../index.js'

let server: Memcached
beforeEach(async () => {
  server = await Memcached.start()
})
afterEach(async () => {
  vi.useRealTimers()
  await server[Symbol.asyncDispose]()
})

const schema = z.object({ visits: z.int().default(0) })

describe.each(['binary', 'meta'] as const)('under a test’s fake timers, the %s store', (protocol) => {
  test.each(['before', 'after'])('answers as ever, whether it was made before or after them: %s', async (made) => {
    if (made === 'after') vi.useFakeTimers()
    await using sessions = createSessions({ schema, store: memcachedStore(server.address, { protocol }) })
    vi.useFakeTimers()
    const session = await sessions.create()
    expect(await Promise.all([session.increment('visits'), session.increment('visits')])).toEqual([1, 2])
    await sessions.check()
  })

  test('says of a server that is away what it is, and does not wait for the fake clock', async () => {
    await using sessions = createSessions({ schema, store: memcachedStore(server.address, { protocol }) })
    const session = await sessions.create()
    await server.freeze()
    vi.useFakeTimers()
    await expect(session.get('visits')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    server.thaw()
  })

  test('goes by the server’s clock, however far the fake one is moved', async () => {
    await using sessions = createSessions({ schema, store: memcachedStore(server.address, { protocol }) })
    const session = await sessions.create({ visits: 1 })
    vi.useFakeTimers()
    await vi.advanceTimersByTimeAsync(30 * 24 * 3_600_000)
    expect(await session.get('visits')).toBe(1)
  })
})
