import { createSessions, type Duration } from 'fieldwise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { memcachedStore } from '../../packages/memcached/src/index.js'
import { Memcached, textCommand } from '../support/memcached.js'

let memcached: Memcached

beforeAll(async () => {
  memcached = await Memcached.start()
})

afterAll(() => memcached[Symbol.asyncDispose]())

/** Idle times, and how long a session lives at most: a tenth (1 s at least) longer, and 3 s, since memcached counts whole seconds. */
const lives: readonly [Duration, number, number][] = [
  ['1s', 1_000, 5_000],
  ['1500ms', 1_500, 5_500],
  ['2001ms', 2_001, 6_001],
  ['5s', 5_000, 9_000],
]

describe.concurrent.each(['binary', 'meta'] as const)('over %s, a session with an idle time of', (protocol) => {
  test.each(lives)('%s lives at least as long after its last use, and no longer than is promised', async (idle, least, most) => {
    const store = memcachedStore(memcached.address, { protocol, timeout: '5s' })
    await using sessions = createSessions({ schema: z.object({ note: z.string() }), store, lifetime: { idle, absolute: '1h' } })
    const session = await sessions.create({ note: 'x' })
    const before = performance.now()
    expect(await session.get('note')).toBe('x')
    const after = performance.now()
    // A look that is no use.
    const isThere = async () => (await textCommand(memcached, `mg ${session.id}:@ t`)).startsWith('HD')
    let [seen, gone] = [after, after]
    while (await isThere()) {
      seen = performance.now()
      await new Promise((resolve) => setTimeout(resolve, 25))
    }
    gone = performance.now()
    expect(gone - before).toBeGreaterThanOrEqual(least)
    expect(seen - after).toBeLessThanOrEqual(most)
  })
})
