import { tokenOfExternalId } from 'fieldwise/adapter'
import { beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { turn } from '../../../test/support/virtual-time.js'
import { type Process, World } from '../../../test/support/world.js'
import { Store, type StoreOptions } from './express-session.js'
import { collectWarnings } from './testing/app.js'
import { AppRequest, middleware } from './testing/express-session.js'

const schema = z.object({ visits: z.int() }).catchall(z.json())

let world: World
let web: Process<typeof schema>
let store: Store<z.infer<typeof schema>>

beforeEach(() => {
  world = new World()
  web = world.process(schema)
  store = storeOf(web)
})

function storeOf({ sessions }: Process<typeof schema>, options: StoreOptions<z.infer<typeof schema>> = {}) {
  const made = new Store(sessions, options)
  // It tells the store how to make a session.
  middleware(made)
  return made
}

/** A request that found the session of another one. */
async function come(id: string, at = store): Promise<AppRequest> {
  const request = await AppRequest.come(at, id)
  if (request === undefined) throw new Error('There is no session')
  return request
}

/** The id of a session that is stored with these properties. */
async function stored(properties: object): Promise<string> {
  const request = AppRequest.begin(store)
  Object.assign(request.session, properties)
  await request.save()
  return request.session.id
}

const propertiesOf = (request: AppRequest) => JSON.parse(JSON.stringify({ ...request.session, cookie: undefined }))
const writes = () => web.store.takeLog().filter((words) => !words.startsWith('get'))

describe('a session', () => {
  test('comes back as it was saved, in every process', async () => {
    const id = await stored({ user: { name: 'ada' }, visits: 3, none: null })
    const other = storeOf(world.process(schema))
    expect(propertiesOf(await come(id, other))).toEqual({ user: { name: 'ada' }, visits: 3, none: null })
  })

  test('is kept under neither its id nor anything that leads to it', async () => {
    const id = await stored({ user: 'ada' })
    const keys = web.store.flights.flat().map(({ key }) => key)
    const values = await Promise.all(keys.map((key) => world.stored(key)))
    expect(`${keys} ${values.map((value) => value?.toString('latin1'))}`).not.toContain(id)
  })

  test('holds what JSON makes of its values, as in every store', async () => {
    const at = new Date(Date.UTC(2030, 0))
    const id = await stored({ at, odd: Number.NaN, nothing: undefined, run: () => {}, list: [undefined, at] })
    expect(propertiesOf(await come(id))).toEqual({ at: at.toISOString(), odd: null, list: [null, at.toISOString()] })
  })

  test('has properties of any name', async () => {
    const properties = {
      'oauth2:accounts.example.com': { state: 'x' },
      'user.id': 1,
      '': 2,
      '_-a': 3,
      constructed: 4,
      [`${'long'.repeat(30)} ü`]: 5,
    }
    const id = await stored(properties)
    const request = await come(id)
    expect(propertiesOf(request)).toEqual(properties)
    delete request.session['user.id']
    request.session[''] = 7
    await request.save()
    const { 'user.id': _, ...left } = properties
    expect(propertiesOf(await come(id))).toEqual({ ...left, '': 7 })
  })

  test('keeps what an app may not see under a name that sessions have themselves', async () => {
    const id = await stored({ visits: 1 })
    await web.sessions.resume(tokenOf(id)).set('save', 'not a function')
    const request = await come(id)
    expect(request.session.save).toBeTypeOf('function')
    request.session.visits = 2
    await request.save()
    expect(await web.sessions.resume(tokenOf(id)).get('save')).toBe('not a function')
  })
})

describe('a save', () => {
  test('writes the properties that have changed, and no other', async () => {
    const id = await stored({ user: 'ada', visits: 1, cart: ['tea'] })
    const request = await come(id)
    web.store.takeLog()
    ;(request.session.cart as string[]).push('milk')
    request.session.user = 'ada'
    await request.save()
    expect(writes()).toEqual(['replace any cart'])
  })

  test('of nothing new costs nothing', async () => {
    const request = await come(await stored({ user: 'ada' }))
    web.store.takeLog()
    await request.save()
    await request.touch()
    expect(web.store.log).toEqual([])
  })

  test('of different properties by two requests keeps both, and leaves alone what a third has changed', async () => {
    const id = await stored({ user: 'ada', visits: 1, theme: 'dark' })
    const [one, other, third] = [await come(id), await come(id), await come(id)]
    one.session.visits = 2
    other.session.cart = ['tea']
    third.session.user = 'grace'
    for (const request of [third, other, one]) await request.save()
    expect(propertiesOf(await come(id))).toEqual({ user: 'grace', visits: 2, theme: 'dark', cart: ['tea'] })
  })

  test('deletes what the app has deleted, and nothing that came meanwhile', async () => {
    const id = await stored({ user: 'ada', cart: ['tea'] })
    const [one, other] = [await come(id), await come(id)]
    other.session.visits = 1
    await other.save()
    delete one.session.cart
    await one.save()
    expect(propertiesOf(await come(id))).toEqual({ user: 'ada', visits: 1 })
  })

  test('of the same property: the last writer wins', async () => {
    const id = await stored({ user: 'ada' })
    const [one, other] = [await come(id), await come(id)]
    one.session.user = 'grace'
    other.session.user = 'joan'
    await one.save()
    await other.save()
    expect(propertiesOf(await come(id))).toEqual({ user: 'joan' })
  })

  test('in the middle of a request counts what comes after it from there', async () => {
    const id = await stored({ user: 'ada' })
    const [request, other] = [await come(id), await come(id)]
    request.session.user = 'grace'
    const saving = request.save()
    request.session.user = 'ada'
    await Promise.all([saving, request.save()])
    expect(propertiesOf(await come(id))).toEqual({ user: 'ada' })
    other.session.user = 'joan'
    await other.save()
    await request.save()
    expect(propertiesOf(await come(id))).toEqual({ user: 'joan' })
  })

  test('keeps the other properties if one does not fit the schema, and says so', async () => {
    const request = await come(await stored({ visits: 1 }))
    request.session.visits = 1.5
    request.session.user = 'ada'
    await expect(request.save()).rejects.toMatchObject({ code: 'FIELD_INVALID', field: 'visits' })
    expect(propertiesOf(await come(request.session.id))).toEqual({ visits: 1, user: 'ada' })
  })

  test('of a plain object that this store has given writes what was changed in it', async () => {
    const id = await stored({ user: 'ada', visits: 1 })
    const data = await new Promise<Record<string, unknown>>((resolve) =>
      store.get<Record<string, unknown>>(id, (_error, session) => resolve(session ?? {})),
    )
    const other = await come(id)
    other.session.visits = 2
    await other.save()
    data.user = 'grace'
    await set(id, data)
    expect(propertiesOf(await come(id))).toEqual({ user: 'grace', visits: 2 })
  })

  test('of an object from elsewhere replaces the session as a whole', async () => {
    const id = await stored({ user: 'ada', visits: 1 })
    await set(id, { user: 'grace', cookie: { originalMaxAge: null, path: '/' } })
    expect(propertiesOf(await come(id))).toEqual({ user: 'grace' })
  })

  test('of an object without a cookie leaves the cookie as it is', async () => {
    middleware(store, { cookie: { path: '/shop', maxAge: 3_600_000 } })
    const id = await stored({ user: 'ada' })
    await set(id, { user: 'grace' })
    await new Promise<void>((resolve) => store.touch(id, {}, () => resolve()))
    expect((await come(id)).session).toMatchObject({ user: 'grace', cookie: { path: '/shop', originalMaxAge: 3_600_000 } })
    await world.time.advance(3_500_000)
    await come(id)
  })

  test('begins no session: a store cannot tell a new one from one that has ended', async () => {
    const id = await stored({ user: 'ada' })
    await (await come(id)).destroy()
    await expect(set(id, { user: 'ada', cookie: {} })).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
    expect(await AppRequest.come(store, id)).toBeUndefined()
  })
})

function tokenOf(id: string): string {
  return tokenOfExternalId(web.sessions, id)
}

function set(id: string, session: object): Promise<void> {
  return new Promise((resolve, reject) => store.set(id, session, (error) => (error ? reject(error) : resolve())))
}

describe('a merge function', () => {
  const merge = { visits: (base = 0, mine: number, stored = 0) => stored + mine - base }

  test('decides what is stored when several requests have changed a property', async () => {
    store = storeOf(web, { merge })
    const id = await stored({ visits: 10 })
    const requests = await Promise.all(Array.from({ length: 16 }, () => come(id)))
    for (const { session } of requests) session.visits = (session.visits as number) + 1
    await Promise.all(requests.map((request) => request.save()))
    expect(propertiesOf(await come(id))).toEqual({ visits: 26 })
  })

  test('merges what was added since the last save of the same request, once', async () => {
    store = storeOf(web, { merge })
    const id = await stored({ visits: 10 })
    const [request, other] = [await come(id), await come(id)]
    other.session.visits = 20
    await other.save()
    request.session.visits = 11
    const saving = request.save()
    request.session.visits = 12
    await Promise.all([saving, request.save()])
    await request.save()
    expect(propertiesOf(await come(id))).toEqual({ visits: 22 })
  })

  test('gets undefined for what was not set, and is not asked when the app deletes', async () => {
    const calls: unknown[][] = []
    const note = (...given: [unknown, number, unknown]) => {
      calls.push(given)
      return given[1]
    }
    store = storeOf(web, { merge: { visits: note } })
    const request = await come(await stored({ user: 'ada' }))
    request.session.visits = 1
    await request.save()
    delete request.session.visits
    await request.save()
    expect(calls).toEqual([[undefined, 1, undefined]])
    expect(propertiesOf(await come(request.session.id))).toEqual({ user: 'ada' })
  })

  test('serves properties whose names cannot name a field', async () => {
    store = storeOf(web, { merge: { 'a.b': (base, mine, stored) => [base, mine, stored] as never } })
    const id = await stored({ 'a.b': 1 })
    const [one, other] = [await come(id), await come(id)]
    one.session['a.b'] = 2
    await one.save()
    other.session['a.b'] = 3
    await other.save()
    expect(propertiesOf(await come(id))).toEqual({ 'a.b': [1, 3, [1, 2, 1]] })
  })

  test('that returns nothing fails the save, and what is stored stays', async () => {
    store = storeOf(web, { merge: { visits: () => undefined as never } })
    const request = await come(await stored({ visits: 1 }))
    request.session.visits = 2
    await expect(request.save()).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
    expect(propertiesOf(await come(request.session.id))).toEqual({ visits: 1 })
  })

  test('is not asked again for a change that may have been stored', async () => {
    store = storeOf(web, { merge })
    const request = await come(await stored({ visits: 10 }))
    request.session.visits = 11
    web.store.holding = true
    const saving = request.save()
    const refused = expect(saving).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN', status: 503 })
    await (await world.next(web, 'get visits')).deliver()
    await (await world.next(web, 'replace visits')).loseAnswer()
    web.store.outage = 'refused'
    await world.time.run(refused)
    web.store.outage = undefined
    await web.store.release()
    await request.save()
    expect(propertiesOf(await come(request.session.id))).toEqual({ visits: 11 })
  })
})

describe('a session that has ended', () => {
  test('is not brought back by a request that saves late', async () => {
    const id = await stored({ user: 'ada' })
    const late = await come(id)
    await (await come(id)).destroy()
    late.session.user = 'grace'
    late.session.fresh = true
    await late.save()
    await late.touch()
    expect(await AppRequest.come(store, id)).toBeUndefined()
  })

  test('is not brought back by one that touches it late', async () => {
    const id = await stored({ user: 'ada' })
    const late = await come(id)
    await (await come(id)).destroy()
    await world.time.advance(2_000)
    late.session.cookie.maxAge = 60_000
    await late.touch()
    expect(await AppRequest.come(store, id)).toBeUndefined()
  })

  test('while it was being stored stays away', async () => {
    const request = AppRequest.begin(store)
    request.session.user = 'ada'
    web.store.holding = true
    const saving = request.save()
    const ending = request.destroy()
    await turn()
    expect(web.store.held.map(String)).toEqual(['add @'])
    await web.store.release()
    await Promise.all([saving, ending])
    expect(await AppRequest.come(store, request.sessionID)).toBeUndefined()
  })

  test('before it was ever stored is not stored any more', async () => {
    const request = AppRequest.begin(store)
    const { session } = request
    session.user = 'ada'
    await request.destroy()
    await request.save(session)
    expect(await AppRequest.come(store, session.id)).toBeUndefined()
  })

  test('cannot be loaded anew by the request that has it', async () => {
    const request = await come(await stored({ user: 'ada' }))
    await (await come(request.session.id)).destroy()
    await expect(request.reload()).rejects.toThrow('failed to load session')
  })
})

describe('regenerate', () => {
  test('ends the old session and begins another under a new id', async () => {
    const request = await come(await stored({ user: 'ada' }))
    const old = request.session.id
    await request.regenerate()
    request.session.user = 'grace'
    await request.save()
    expect(request.session.id).not.toBe(old)
    expect(await AppRequest.come(store, old)).toBeUndefined()
    expect(propertiesOf(await come(request.session.id))).toEqual({ user: 'grace' })
  })

  test('by two requests at once leaves each with a session of its own, and the old one ended', async () => {
    const id = await stored({ user: 'ada' })
    const requests = [await come(id), await come(id)]
    await Promise.all(requests.map((request) => request.regenerate()))
    for (const request of requests) await request.save()
    expect(await AppRequest.come(store, id)).toBeUndefined()
    expect(new Set(requests.map(({ session }) => session.id)).size).toBe(2)
    for (const { session } of requests) await come(session.id)
  })
})

describe('reload', () => {
  test('shows what others have saved, and saves count from there', async () => {
    const id = await stored({ user: 'ada' })
    const [request, other] = [await come(id), await come(id)]
    other.session.user = 'grace'
    await other.save()
    await request.reload()
    expect(request.session.user).toBe('grace')
    web.store.takeLog()
    await request.save()
    expect(writes()).toEqual([])
  })

  test('load gives a session without a request', async () => {
    const id = await stored({ user: 'ada' })
    const session = await new Promise<{ user?: string } | undefined>((resolve) =>
      store.load<{ user?: string }>(id, (_error, loaded) => resolve(loaded)),
    )
    expect(session?.user).toBe('ada')
  })
})

describe('the cookie of a session', () => {
  const minute = 60_000

  test('comes back with its options, and with its expiry as express-session counts it', async () => {
    middleware(store, { cookie: { maxAge: 5 * minute, secure: true, path: '/shop' } })
    const { session } = await come(await stored({}))
    expect(session.cookie).toMatchObject({ originalMaxAge: 5 * minute, secure: true, path: '/shop' })
    expect(session.cookie.expires).toBeInstanceOf(Date)
    expect(session.cookie.maxAge).toBeGreaterThan(4 * minute)
  })

  test('without a maxAge has no expiry', async () => {
    const { session } = await come(await stored({}))
    expect(session.cookie).toMatchObject({ originalMaxAge: null, expires: null })
  })

  test('says how long the session lives unused: the maxAge, or else what createSessions says', async () => {
    const idle = async (options: object) => {
      middleware(store, options)
      const { expiresAt } = (await web.sessions.open(tokenOf(await stored({})))) ?? {}
      // A cookie counts down by the real clock, of which a few milliseconds pass meanwhile.
      return Math.round((Number(expiresAt) - world.time.clock.now()) / minute)
    }
    expect(await idle({ cookie: { maxAge: 5 * minute } })).toBe(5)
    expect(await idle({ cookie: { maxAge: 90 * minute } })).toBe(90)
    expect(await idle({})).toBe(30)
  })

  test('whose maxAge was changed is written, and the session lives by the new one', async () => {
    const id = await stored({ user: 'ada' })
    const request = await come(id)
    request.session.cookie.maxAge = 90 * minute
    await request.touch()
    await world.time.advance(80 * minute)
    const later = await come(id)
    expect(later.session.cookie.originalMaxAge).toBe(90 * minute)
    later.session.cookie.maxAge = null
    await later.save()
    await world.time.advance(40 * minute)
    expect(await AppRequest.come(store, id)).toBeUndefined()
  })

  test('costs no write when its expiry moves', async () => {
    middleware(store, { cookie: { maxAge: 5 * minute } })
    const request = await come(await stored({ user: 'ada' }))
    web.store.takeLog()
    await request.touch()
    expect(web.store.log).toEqual([])
  })

  test('longer than any session lives is refused with what to write', async () => {
    middleware(store, { cookie: { maxAge: 86_400_000 } })
    await expect(stored({})).rejects.toMatchObject({ code: 'BAD_CONFIG', message: expect.stringContaining('lifetime.absolute') })
    middleware(store)
    const request = await come(await stored({}))
    request.session.cookie.maxAge = 86_400_000
    await expect(request.touch()).rejects.toMatchObject({ code: 'BAD_CONFIG' })
  })
})

describe('a touch', () => {
  test('keeps a session alive, from a request that goes on for long too', async () => {
    const id = await stored({ user: 'ada' })
    const socket = await come(id)
    for (let quarter = 0; quarter < 8; quarter++) {
      await world.time.advance(15 * 60_000)
      const later = performance.now() + 15 * 60_000 * (quarter + 1)
      await at(later, () => socket.touch())
    }
    await come(id)
  })

  test('of an id alone uses the session', async () => {
    const id = await stored({ user: 'ada' })
    web.store.takeLog()
    await new Promise<void>((resolve) => store.touch(id, { cookie: { originalMaxAge: null } }, () => resolve()))
    expect(web.store.log).toContain('get @')
    await new Promise<void>((resolve, reject) =>
      store.touch('nobody', { cookie: {} }, (error) => (error ? reject(error) : resolve())),
    )
  })
})

/** Runs `work` as if the process's clock showed `time`. */
async function at<T>(time: number, work: () => Promise<T>): Promise<T> {
  const { now } = performance
  performance.now = () => time
  try {
    return await work()
  } finally {
    performance.now = now
  }
}

describe('a new session', () => {
  test('is not stored again under an id whose creation has failed', async () => {
    const request = AppRequest.begin(store)
    request.session.user = 'ada'
    web.store.outage = 'refused'
    await expect(request.save()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', status: 503 })
    web.store.outage = undefined
    web.store.takeLog()
    await expect(request.save()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(web.store.log).toEqual([])
  })

  test('of which a part could not be stored is not there at all', async () => {
    middleware(store, { cookie: { path: `/${'long'.repeat(1_000)}` } })
    web.store.largest = 2_000
    const request = AppRequest.begin(store)
    request.session.user = 'ada'
    await expect(request.save()).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE' })
    const [sid] = tokenOf(request.sessionID).split('.')
    expect(await world.stored(`${sid}:@`)).toBeUndefined()
  })

  test('that does not fit the schema can be mended', async () => {
    const request = AppRequest.begin(store)
    request.session.visits = 'many'
    await expect(request.save()).rejects.toMatchObject({ code: 'FIELD_INVALID' })
    request.session.visits = 1
    await request.save()
    expect(propertiesOf(await come(request.session.id))).toEqual({ visits: 1 })
  })

  test('under an id that was given before is refused, and the first one stays as it is', async () => {
    middleware(store, { genid: () => 'apple' })
    await stored({ user: 'ada' })
    await expect(stored({ user: 'eve' })).rejects.toMatchObject({ code: 'BAD_CONFIG', message: expect.stringContaining('genid') })
    expect(propertiesOf(await come('apple'))).toEqual({ user: 'ada' })
  })

  test('gets an id whose server is not known to be down', async () => {
    const ids: string[] = []
    const isDown = (uuid: string) => /^[0-7]/.test(uuid)
    Object.assign(web.store, {
      home: (uuid: string) => uuid,
      place: (uuid: string) => (isDown(uuid) ? `8${uuid.slice(1)}` : uuid),
    })
    for (let visitor = 0; visitor < 20; visitor++) {
      const request = AppRequest.begin(store)
      await request.save()
      ids.push(request.session.id)
    }
    const sids = web.store.flights.flat().map(({ key }) => key.slice(0, 36))
    expect(new Set(ids).size).toBe(20)
    expect(sids.filter(isDown)).toEqual([])
  })
})

describe('an outage', () => {
  test('is an error with a status, never a visitor without a session', async () => {
    const id = await stored({ user: 'ada' })
    const request = await come(id)
    web.store.outage = 'refused'
    await expect(AppRequest.come(store, id)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', status: 503 })
    request.session.user = 'grace'
    await expect(request.save()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE', status: 503 })
    await expect(request.destroy()).rejects.toMatchObject({ status: 503 })
    web.store.outage = undefined
    expect(propertiesOf(await come(id))).toEqual({ user: 'ada' })
  })

  test('is told once, for as long as it lasts', async () => {
    const warnings = collectWarnings()
    const id = await stored({ user: 'ada' })
    web.store.outage = 'refused'
    for (let round = 0; round < 3; round++) await expect(AppRequest.come(store, id)).rejects.toMatchObject({ status: 503 })
    expect(await warnings.of('FIELDWISE_OUTAGE')).toHaveLength(1)
    warnings.stop()
  })

  test('does not lose what the request saves once it is over', async () => {
    const request = await come(await stored({ user: 'ada' }))
    request.session.user = 'grace'
    web.store.outage = 'refused'
    await expect(request.save()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    web.store.outage = undefined
    await request.save()
    expect(propertiesOf(await come(request.session.id))).toEqual({ user: 'grace' })
  })
})

describe('a session of which a field was evicted', () => {
  test('counts as ended, as a whole', async () => {
    const id = await stored({ user: 'ada', visits: 1 })
    const sid = (await web.sessions.open(tokenOf(id)))?.id
    await world.evict(`${sid}:user`)
    expect(await AppRequest.come(store, id)).toBeUndefined()
  })
})

describe('a store', () => {
  test('has what a store must have, and nothing that memcached cannot do', () => {
    for (const method of ['get', 'set', 'touch', 'destroy', 'regenerate', 'load', 'createSession'])
      expect(store).toHaveProperty(method)
    for (const method of ['all', 'length', 'clear']) expect(store).not.toHaveProperty(method)
  })

  test('needs a schema that takes the cookie', () => {
    const { sessions } = world.process(z.object({ visits: z.int() }))
    expect(() => new Store(sessions)).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' }))
    new Store(world.process(z.object({ visits: z.int(), cookie: z.json() })).sessions)
  })

  test('refuses options that it does not have', () => {
    const { sessions } = web
    expect(() => new Store(sessions, { prefix: 'sess:' } as never)).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' }))
    expect(() => new Store(sessions, { merge: { visits: 'add' } } as never)).toThrow(
      expect.objectContaining({ code: 'BAD_CONFIG' }),
    )
  })

  test('calls back once, outside of any promise, and does without a callback where express-session does', async () => {
    const id = await stored({ user: 'ada' })
    void store.set(id, { user: 'ada', cookie: {} })
    void store.touch(id, { cookie: {} })
    void store.destroy(id)
    await turn()
  })
})
