import { createSessions } from 'fieldwise'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { memcachedStore } from '../../packages/memcached/src/index.js'
import { Memcached, textCommand } from '../support/memcached.js'

const schema = z.object({ cart: z.array(z.string()).default([]), note: z.string() })

let memcached: Memcached

beforeEach(async () => {
  memcached = await Memcached.start({ flags: ['-m', '8', '-M'] })
})

afterEach(() => memcached[Symbol.asyncDispose]())

describe.each(['binary', 'meta'] as const)('over %s, memcached -M that has no memory left', (protocol) => {
  test('refuses every write that it has no room for, and every session is as it was', async () => {
    const store = memcachedStore(memcached.address, { protocol, timeout: '5s' })
    await using sessions = createSessions({ schema, store, retry: { deadline: '10s' } })
    const session = await sessions.create({ cart: ['tea'], note: 'first' })
    await exhaust()
    const refused = { code: 'STORE_UNAVAILABLE', message: expect.stringContaining('no memory') }
    await expect(session.update('cart', (cart) => [...cart, 'x'.repeat(300_000)])).rejects.toMatchObject(refused)
    await expect(session.set('note', 'second')).rejects.toMatchObject(refused)
    await expect(session.regenerate()).rejects.toMatchObject(refused)
    await expect(sessions.create({ note: 'third' })).rejects.toMatchObject(refused)
    const opened = await sessions.open(session.token as string)
    expect(await opened?.getAll()).toEqual({ cart: ['tea'], note: 'first' })
    await textCommand(memcached, 'flush_all')
  })
})

/** Fills every size class: each has a page of 1 MB, whatever the limit. */
async function exhaust(): Promise<void> {
  await fill(300_000, 40)
  for (let size = 40; size < 1_000; size = Math.ceil(size * 1.15)) await fill(size, Math.ceil(1_200_000 / (size + 60)))
}

async function fill(size: number, times: number): Promise<void> {
  const value = 'x'.repeat(size)
  const sets = Array.from({ length: times }, (_, index) => `set filler${size}-${index} 0 0 ${size}\r\n${value}\r\n`)
  await textCommand(memcached, `${sets.join('')}mn`, 'MN\r\n')
}
