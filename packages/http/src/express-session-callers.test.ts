import { tokenOfExternalId } from 'fieldwise/adapter'
import { beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { turn } from '../../../test/support/virtual-time.js'
import { type Process, World } from '../../../test/support/world.js'
import { Store, type StoreOptions } from './express-session.js'
import { AppRequest, middleware } from './testing/express-session.js'

// Who calls a store's methods without express-session: tests that seed a login, scripts, other session libraries.

const schema = z.object({}).catchall(z.json())
const cookie = { originalMaxAge: null, path: '/', httpOnly: true }

let world: World
let web: Process<typeof schema>
let store: ReturnType<typeof storeOf>

beforeEach(() => {
  world = new World()
  web = world.process(schema)
  store = storeOf(web)
})

function storeOf({ sessions }: Process<typeof schema>, options: StoreOptions<z.infer<typeof schema>> = {}) {
  const made = new Store(sessions, options)
  middleware(made)
  return made
}

/** The id of a session that a request has begun. */
async function begun(properties: object): Promise<string> {
  const request = AppRequest.begin(store)
  Object.assign(request.session, properties)
  await request.save()
  return request.session.id
}

describe('without a callback', () => {
  test('every method gives a promise', async () => {
    const id = await begun({ user: 'ada' })
    const session = await store.get<{ user: string }>(id)
    expect(session).toMatchObject({ user: 'ada' })
    expect(await store.set(id, { ...session, user: 'grace' })).toBeUndefined()
    expect(await store.touch(id, { cookie })).toBeUndefined()
    expect(await store.get(id)).toMatchObject({ user: 'grace' })
    expect(await store.destroy(id)).toBeUndefined()
    expect(await store.get(id)).toBeNull()
  })

  test('every method rejects with what a callback would get', async () => {
    const id = await begun({ user: 'ada' })
    web.store.outage = 'refused'
    for (const call of [store.get(id), store.set(id, { cookie }), store.touch(id, { cookie }), store.destroy(id)])
      await expect(call).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', status: 503 })
  })

  test('a failure that nobody waits for does not end the process', async () => {
    const request = (await AppRequest.come(store, await begun({ user: 'ada' }))) as AppRequest
    const unhandled: unknown[] = []
    const note = (error: unknown) => unhandled.push(error)
    process.on('unhandledRejection', note)
    web.store.outage = 'refused'
    request.session.destroy()
    await turn()
    await new Promise(setImmediate)
    process.off('unhandledRejection', note)
    expect(unhandled).toEqual([])
  })
})

test('with a callback a method gives no promise, of which util.promisify would warn', async () => {
  const id = await begun({})
  await new Promise((resolve) => expect(store.get(id, resolve)).toBeUndefined())
  await new Promise((resolve) => expect(store.set(id, { cookie }, resolve)).toBeUndefined())
  await new Promise((resolve) => expect(store.touch(id, { cookie }, resolve)).toBeUndefined())
  await new Promise((resolve) => expect(store.destroy(id, resolve)).toBeUndefined())
})

test('what is no callback is not called: Koa hands in a lifetime there', async () => {
  const get = store.get as (id: string, ...more: unknown[]) => Promise<unknown>
  expect(await get.call(store, await begun({ user: 'ada' }), 60_000, { rolling: false })).toMatchObject({ user: 'ada' })
})

test('no session has the empty id', async () => {
  web.store.takeLog()
  expect(await store.get('')).toBeNull()
  await store.touch('', { cookie })
  await store.destroy('')
  expect(web.store.log).toEqual([])
  for (const creates of ['own', 'any'] as const)
    await expect(storeOf(web, { creates }).set('', { cookie })).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
})

test.each([undefined, null, 'ada'])('a session is an object: %s is refused', async (session) => {
  for (const call of [store.set('id', session as never), store.touch('id', session as never)])
    await expect(call).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
})

test('options that are undefined are none', async () => {
  const made = storeOf(web, { merge: { visits: undefined }, readThrough: undefined, creates: undefined })
  await expect(made.set('an id of the caller', { cookie })).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
})

test('nothing that is handed in is changed', async () => {
  const id = await begun({ user: 'ada' })
  const session = Object.freeze({ user: 'grace', cookie: Object.freeze({ ...cookie, expires: null }) })
  const merge = Object.freeze({ visits: Object.freeze(() => 1) })
  const frozen = storeOf(web, Object.freeze({ merge, creates: 'any' as const }))
  await frozen.set(id, session)
  await frozen.touch(id, session)
  await frozen.set('new', session)
  expect(await frozen.get('new')).toMatchObject({ user: 'grace' })
})

test('a session that could not be stored says so in an error of its own each time', async () => {
  const request = AppRequest.begin(store)
  web.store.outage = 'refused'
  const refused = [await request.save().catch((error) => error), await request.save().catch((error) => error)]
  web.store.outage = undefined
  refused.push(await request.save().catch((error) => error))
  for (const error of refused) expect(error).toMatchObject({ code: 'STORE_UNAVAILABLE', status: 503 })
  expect(new Set(refused).size).toBe(refused.length)
  expect(refused[2].cause.message).toContain('regenerate')
})

describe("with creates: 'any'", () => {
  beforeEach(() => {
    store = storeOf(web, { creates: 'any' })
  })

  test('set begins a session under an id of its caller, which requests find', async () => {
    await store.set('an id of the caller', { user: 'ada', cookie })
    expect((await AppRequest.come(storeOf(world.process(schema)), 'an id of the caller'))?.session.user).toBe('ada')
    const [sid] = tokenOfExternalId(web.sessions, 'an id of the caller').split('.')
    expect((await web.sessions.open(tokenOfExternalId(web.sessions, 'an id of the caller')))?.id).toBe(sid)
  })

  test('a session without a cookie lives as long as createSessions says, one with a maxAge that long', async () => {
    await store.set('plain', { user: 'ada' })
    await store.set('short', { user: 'ada', cookie: { ...cookie, originalMaxAge: 60_000 } })
    await world.time.advance(10 * 60_000)
    expect(await store.get('plain')).toMatchObject({ user: 'ada' })
    expect(await store.get('short')).toBeNull()
  })

  test('several calls for one id leave what the last one has handed in, whether there was a session or not', async () => {
    for (const name of ['first', 'second']) {
      await Promise.all([store.set('id', { user: 'ada', old: true }), store.set('id', { user: 'grace', [name]: true })])
      expect(await store.get('id')).toEqual({ user: 'grace', [name]: true, cookie: expect.anything() })
    }
  })

  test('two processes that begin a session under one id at once: the later one replaces what the other has stored', async () => {
    const elsewhere = world.process(schema)
    const others = storeOf(elsewhere, { creates: 'any' })
    elsewhere.store.holding = true
    const later = others.set('id', { user: 'grace', new: true })
    await (await world.next(elsewhere, 'get @')).deliver()
    const adding = await world.next(elsewhere, 'add @')
    await store.set('id', { user: 'ada', old: true })
    await adding.deliver()
    await elsewhere.store.release()
    await later
    expect(await store.get('id')).toEqual({ user: 'grace', new: true, cookie: expect.anything() })
  })

  test('destroy ends what a call before it is still storing', async () => {
    const setting = store.set('id', { user: 'ada' })
    await Promise.all([setting, store.destroy('id')])
    expect(await store.get('id')).toBeNull()
  })

  test('a set that comes after destroy brings the session back: that is given up (E2)', async () => {
    await store.set('id', { user: 'ada' })
    await store.destroy('id')
    await store.set('id', { user: 'ada' })
    expect(await store.get('id')).toMatchObject({ user: 'ada' })
  })

  test('two callers who each hand in a whole session: the last one wins as a whole, that is given up too', async () => {
    await store.set('id', { a: 1, b: 1 })
    const [one, other] = [{ ...(await store.get('id')) }, { ...(await store.get('id')) }]
    await store.set('id', { ...one, a: 2 })
    await store.set('id', { ...other, b: 2 })
    expect(await store.get('id')).toMatchObject({ a: 1, b: 2 })
  })

  test('what the store itself has handed out stays as strict as ever: no late save revives it, and others are not overwritten', async () => {
    await store.set('id', { a: 1, b: 1 })
    const [one, other] = [await store.get('id'), await store.get('id')]
    await store.set('id', Object.assign(one as object, { a: 2 }))
    await store.set('id', Object.assign(other as object, { b: 2 }))
    const late = (await store.get('id')) as Record<string, unknown>
    expect(late).toMatchObject({ a: 2, b: 2 })
    await store.destroy('id')
    await store.set('id', Object.assign(late, { a: 3 }))
    expect(await store.get('id')).toBeNull()
  })

  test('requests of express-session stay as strict as ever', async () => {
    const id = await begun({ user: 'ada' })
    const late = (await AppRequest.come(store, id)) as AppRequest
    await store.destroy(id)
    late.session.user = 'grace'
    await late.save()
    expect(await store.get(id)).toBeNull()
    const ended = AppRequest.begin(store)
    const { session } = ended
    await ended.destroy()
    await ended.save(session)
    expect(await store.get(session.id)).toBeNull()
  })
})

test('by itself a store begins no session under the id of a caller, and says how it would', async () => {
  await expect(store.set('an id of the caller', { cookie })).rejects.toMatchObject({
    code: 'BAD_ARGUMENT',
    message: expect.stringContaining("creates: 'any'"),
  })
  expect(() => storeOf(web, { creates: 'all' as never })).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' }))
})
