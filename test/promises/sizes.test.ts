import { expect, test } from 'vitest'
import * as z from 'zod'
import { createSessions } from '../../packages/fieldwise/src/index.js'
import { memcachedStore } from '../../packages/memcached/src/index.js'
import { Memcached } from '../support/memcached.js'
import { measured } from '../support/promise.js'
import { sized } from '../support/scale.js'

const schema = z.object({ note: z.string(), list: z.array(z.string()).default([]) })
const mebibyte = 2 ** 20

const servers = [
  ['binary', [], mebibyte],
  ['meta', ['-I', '2m'], 2 * mebibyte],
  ['meta', [], mebibyte],
  ['binary', ['-I', '3m'], 3 * mebibyte],
] as const

test.for(sized(servers, servers.slice(0, 2)))(
  'a value around the limit of a real memcached is stored or refused, and no old value is lost (%s, flags %j)',
  async ([protocol, flags, limit], context) => {
    await using server = await Memcached.start({ flags })
    await using sessions = createSessions({ schema, store: memcachedStore(server.address, { protocol, timeout: '20s' }) })
    const session = await sessions.create({ note: 'old' })
    let lost = 0
    let largest = 0
    let tried = 0
    const attempt = async (length: number): Promise<boolean> => {
      tried++
      const before = await session.get('note')
      const note = 'x'.repeat(length)
      const code = await session.set('note', note).then(
        () => undefined,
        (error) => error.code,
      )
      const after = await session.get('note')
      if (code === undefined) {
        if (after !== note) lost++
        return true
      }
      expect(code).toBe('VALUE_TOO_LARGE')
      if (after !== before) lost++
      return false
    }
    // By halving: the largest value that fits, and one more.
    let tooLarge = limit + 1
    while (tooLarge - largest > 1) {
      const middle = Math.floor((largest + tooLarge) / 2)
      if (await attempt(middle)) largest = middle
      else tooLarge = middle
    }
    for (const length of [largest - 1, largest, largest + 1, limit, limit + 1]) await attempt(length)
    await expect(session.update('note', () => 'x'.repeat(limit + 1))).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
    await expect(sessions.create({ note: 'x'.repeat(limit + 1) })).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
    measured(
      context,
      `${tried} values around the limit of ${limit} bytes`,
      `${lost} old values lost, the largest that fits has ${largest}`,
    )
    expect(lost).toBe(0)
    expect(largest).toBeGreaterThan(limit * 0.9)
  },
)
