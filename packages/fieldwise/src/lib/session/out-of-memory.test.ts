import { beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { type Process, World } from '../../../../../test/support/world.js'
import type { SessionOf } from '../api/sessions.js'

const schema = z.object({ cart: z.array(z.string()).default([]), note: z.string(), cache: z.string() })
type Web = Process<typeof schema>

let web: Web
let session: SessionOf<Web['sessions']>

beforeEach(async () => {
  web = new World().process(schema, { lost: { cache: 'absent' } })
  session = await web.sessions.create({ cart: ['tea'], note: 'first', cache: 'old' })
})

const writes = {
  update: () => session.update('cart', (cart) => [...cart, 'milk']),
  set: () => session.set('note', 'second'),
  delete: () => session.delete('note'),
  regenerate: () => session.regenerate(),
} as const
const names = Object.keys(writes) as (keyof typeof writes)[]

describe('a server without memory that keeps what it cannot replace', () => {
  test.each(names)('refuses %s, and the session is as it was', async (name) => {
    web.store.outOfMemory = 'unsent'
    await expect(writes[name]()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    web.store.outOfMemory = undefined
    const opened = await web.sessions.open(session.token as string)
    expect(await opened?.getAll()).toEqual({ cart: ['tea'], note: 'first', cache: 'old' })
  })
})

describe('a server without memory that deletes what it cannot replace (W11)', () => {
  test.each(names)('ends the session with %s, which is told as its loss and never as "nothing was stored"', async (name) => {
    web.store.outOfMemory = 'lost'
    const field = { update: 'cart', set: 'note', delete: 'note', regenerate: 'header' }[name]
    await expect(writes[name]()).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'lost', field })
    web.store.outOfMemory = undefined
    expect(await web.sessions.open(session.token as string)).toBeNull()
    expect(web.sessions.stats().lost).toBe(1)
  })

  test('takes a field that may be absent with it, and the session lives on', async () => {
    web.store.outOfMemory = 'lost'
    await expect(session.set('cache', 'new')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    web.store.outOfMemory = undefined
    expect(await session.get('cache')).toBeUndefined()
    expect(await session.get('note')).toBe('first')
  })

  test('creates nothing that anybody could open', async () => {
    web.store.outOfMemory = 'lost'
    await expect(web.sessions.create({ note: 'x' })).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
  })
})
