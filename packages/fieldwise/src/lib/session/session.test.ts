import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { eachInItsScene, schema, session, web, world } from '../../../../../test/support/session-scene.js'
import { turn } from '../../../../../test/support/virtual-time.js'
import { dateCodec, mapCodec } from '../api/codecs.js'
import { memoryStore } from '../memory/memory-store.js'
import { createSessions } from './sessions.js'

eachInItsScene()

describe('a name that is no field', () => {
  const names: [what: string, name: unknown][] = [
    ['an unknown one', 'user'],
    ['with a colon', 'a:b'],
    ['the header’s', '@'],
    ['with a space', 'user name'],
    ['with a line end', 'username\r\n'],
    ['that goes on as a command', 'x 0 0 1\r\nflush_all\r\n'],
    ['__proto__', '__proto__'],
    ['constructor', 'constructor'],
    ['toString', 'toString'],
    ['of 300 bytes', 'x'.repeat(300)],
    ['empty', ''],
    ['of another script', 'имя'],
    ['undefined', undefined],
    ['null', null],
    ['a number', 5],
    ['a symbol', Symbol('username')],
    ['an object that reads as one', { toString: () => 'username' }],
    ['a list of one', ['username']],
  ]

  test.each(names)('%s is BAD_ARGUMENT for every operation, without a request', async (_what, name) => {
    const field = name as 'username'
    const operations = [
      () => session.get(field),
      () => session.getMany([field]),
      () => session.has(field),
      () => session.update(field, () => 'x'),
      () => session.increment(field as never),
      () => session.take(field),
      () => session.delete(field),
      ...(typeof name === 'object' ? [] : [() => session.set(field, 'x')]),
    ]
    for (const operation of operations) await expect(operation()).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
    expect(web.store.log).toEqual([])
  })

  test.each(['username', undefined, null, 5, {}])('getMany of %j is BAD_ARGUMENT', async (value) => {
    await expect(session.getMany(value as never)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
  })
})

describe('a catchall', () => {
  const open = z.object({ visits: z.int().default(0) }).catchall(z.string())

  test('lets any well-formed name be a field', async () => {
    const any = world.process(open)
    const one = await any.sessions.create({ anything: 'goes' } as never)
    await one.set('else', 'too')
    expect(await one.get('anything')).toBe('goes')
    expect(await one.getAll()).toEqual({ visits: 0, anything: 'goes', else: 'too' })
    await one.delete('else')
    expect(await one.getAll()).toEqual({ visits: 0, anything: 'goes' })
    await expect(one.set('else', 5 as never)).rejects.toMatchObject({ code: 'FIELD_INVALID' })
    for (const name of ['a b', '__proto__', 'x'.repeat(65)]) {
      await expect(one.set(name, 'x')).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
    }
  })
})

describe('values that JSON does not know', () => {
  test('are stored by codecs and come back as they were', async () => {
    const coded = world.process(z.object({ seen: dateCodec, scores: mapCodec(z.string(), z.number()) }))
    const one = await coded.sessions.create({ seen: new Date(5), scores: new Map([['ada', 1]]) })
    expect(await one.getAll()).toEqual({ seen: new Date(5), scores: new Map([['ada', 1]]) })
    expect(await one.update('scores', (scores) => scores?.set('bob', 2))).toEqual(
      new Map([
        ['ada', 1],
        ['bob', 2],
      ]),
    )
  })
})

describe('a signal', () => {
  const reason = new Error('gave up')

  test('that is aborted already lets nothing leave', async () => {
    const options = { signal: AbortSignal.abort(reason) }
    const calls = [
      () => session.get('username', options),
      () => session.getMany(['username'], options),
      () => session.getAll(options),
      () => session.has('username', options),
      () => session.set('username', 'bob', options),
      () => session.set({ username: 'bob' }, options),
      () => session.update('username', () => 'bob', options),
      () => session.increment('visits', 1, options),
      () => session.take('username', options),
      () => session.delete('username', options),
      () => session.regenerate(options),
      () => session.destroy(options),
      () => web.sessions.create({}, options),
      () => web.sessions.open(session.token as string, options),
      () => web.sessions.revoke(session.id as string, options),
    ]
    for (const call of calls) await expect(call()).rejects.toBe(reason)
    expect(web.store.log).toEqual([])
  })

  test('ends a call that waits with its reason', async () => {
    web.store.holding = true
    const controller = new AbortController()
    const snapshot = session.get('username', { signal: controller.signal })
    await turn()
    controller.abort(reason)
    await expect(snapshot).rejects.toBe(reason)
    await web.store.release()
    expect(await session.get('username')).toBe('ada')
  })

  test('withdraws a write that waits behind another one', async () => {
    web.store.holding = true
    const controller = new AbortController()
    const first = session.increment('visits')
    await turn()
    const second = session.increment('visits', 10, { signal: controller.signal })
    await turn()
    controller.abort(reason)
    await expect(second).rejects.toBe(reason)
    await web.store.release()
    await first
    expect(await session.get('visits')).toBe(1)
  })
})

describe('the memory store as it comes', () => {
  test('is what createSessions uses by default', async () => {
    await using sessions = createSessions({ schema })
    const one = await sessions.create({ username: 'ada' })
    expect(await one.increment('visits')).toBe(1)
    expect(await (await sessions.open(one.token as string))?.get('username')).toBe('ada')
  })

  test('refuses a session that outgrows it with VALUE_TOO_LARGE', async () => {
    const sessions = createSessions({ schema, store: memoryStore({ limit: 4_096 }) })
    const values = { username: 'a'.repeat(2_000), profile: { name: 'b', tags: ['c'.repeat(2_000)] } }
    await expect(sessions.create(values)).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
  })
})
