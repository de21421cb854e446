import { createRequire } from 'node:module'
import { memcachedStore } from '@fieldwise/memcached'
import { createSessions, memoryStore } from 'fieldwise'
import passport from 'passport'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { Memcached } from '../../../test/support/memcached.js'
import { Store } from './express-session.js'
import { type AppSession, expressSession, middleware } from './testing/express-session.js'
import { type App, startApp } from './testing/express-session-app.js'
import { ScriptedStore } from './testing/scripted-store.js'
import { Visitor } from './testing/visitor.js'

const schema = z.object({}).catchall(z.json())
const minute = 60_000
const apps: App[] = []

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'] })
})

afterEach(async () => {
  vi.useRealTimers()
  for (const app of apps.splice(0)) await app.close()
})

function fieldwiseStore(store = memoryStore()) {
  return new Store(createSessions({ schema, store, lifetime: { absolute: '60d' } }))
}

/** An app, and a visitor without any cookie. */
async function open(store: object, options: object, handler: (session: AppSession, url: string) => unknown) {
  const app = await startApp([middleware(store, options)], async (req) => handler(req.session as unknown as AppSession, req.url))
  apps.push(app)
  return { app, visitor: app.visitor() }
}

const count = (session: AppSession) => {
  session.count = Number(session.count ?? 0) + 1
  return session.count
}

// What express-session's documentation and tests promise to an app, on its own store and on ours.
describe.each([
  { name: "express-session's MemoryStore", newStore: () => new expressSession.MemoryStore() },
  { name: 'Fieldwise', newStore: () => fieldwiseStore() },
])('an app of express-session on $name', ({ newStore }) => {
  test('finds the session of a visitor again, and each has one of their own', async () => {
    const { app, visitor } = await open(newStore(), {}, count)
    expect((await visitor.get('/')).body).toBe('1')
    expect((await visitor.get('/')).body).toBe('2')
    expect((await app.visitor().get('/')).body).toBe('1')
  })

  test('sees in a session its own properties and the cookie', async () => {
    const { visitor } = await open(newStore(), {}, (session) => {
      session.one ??= 1
      return Object.keys(session).sort().join()
    })
    expect((await visitor.get('/')).body).toBe('cookie,one')
    expect((await visitor.get('/')).body).toBe('cookie,one')
  })

  test('has saved when the visitor has the answer, and a save before that is not done again', async () => {
    const store = newStore()
    const set = vi.spyOn(store, 'set')
    const { visitor } = await open(store, {}, async (session, url) => {
      session.url = url
      if (url === '/save') await new Promise((resolve) => session.save(resolve))
      return url
    })
    await visitor.get('/save')
    expect(set).toHaveBeenCalledTimes(1)
    await visitor.get('/')
    expect(set).toHaveBeenCalledTimes(2)
  })

  test('gives a new id to a visitor whose id leads to nothing', async () => {
    const { visitor } = await open(newStore(), {}, count)
    await visitor.get('/')
    const before = visitor.cookies.get('connect.sid')
    const { app: other } = await open(newStore(), {}, count)
    const stray = other.visitor()
    stray.cookies.set('connect.sid', before as string)
    expect((await stray.get('/')).body).toBe('1')
    expect(stray.cookies.get('connect.sid')).not.toBe(before)
  })

  test('does not ask the store about a cookie whose signature is wrong', async () => {
    const store = newStore()
    const get = vi.spyOn(store, 'get')
    const { visitor } = await open(store, {}, count)
    await visitor.get('/')
    visitor.cookies.set('connect.sid', `${visitor.cookies.get('connect.sid')?.slice(0, -3)}AAA`)
    expect((await visitor.get('/')).body).toBe('1')
    expect(get).not.toHaveBeenCalled()
  })

  test('takes cookies that were signed with an earlier secret', async () => {
    const store = newStore()
    const { visitor } = await open(store, { secret: 'old' }, count)
    await visitor.get('/')
    const { app } = await open(store, { secret: ['new', 'old'] }, count)
    const same = app.visitor()
    same.cookies.set('connect.sid', visitor.cookies.get('connect.sid') as string)
    expect((await same.get('/')).body).toBe('2')
  })

  test('begins anew, under a new id, when the session has expired', async () => {
    const { visitor } = await open(newStore(), { cookie: { maxAge: minute } }, count)
    await visitor.get('/')
    const before = visitor.cookies.get('connect.sid')
    vi.advanceTimersByTime(minute + 10_000)
    expect((await visitor.get('/')).body).toBe('1')
    expect(visitor.cookies.get('connect.sid')).not.toBe(before)
  })

  test('keeps a session that is read alive', async () => {
    const { visitor } = await open(newStore(), { cookie: { maxAge: minute } }, (session, url) =>
      url === '/count' ? count(session) : session.count,
    )
    await visitor.get('/count')
    for (let time = 0; time < 4; time++) {
      vi.advanceTimersByTime(minute / 2)
      expect((await visitor.get('/')).body).toBe('1')
    }
  })

  test('ends a session with destroy, and sets no cookie for it', async () => {
    const { visitor } = await open(newStore(), {}, async (session, url) => {
      if (url === '/end') return void (await new Promise((resolve) => session.destroy(resolve)))
      return count(session)
    })
    await visitor.get('/')
    expect((await visitor.get('/end')).setCookies).toEqual([])
    expect((await visitor.get('/')).body).toBe('1')
  })

  test('replaces a session with regenerate', async () => {
    const { app, visitor } = await open(newStore(), {}, async (session, url) => {
      if (url !== '/login') return count(session)
      await new Promise((resolve) => session.regenerate(resolve))
      return undefined
    })
    await visitor.get('/')
    const thief = app.visitor()
    thief.cookies.set('connect.sid', visitor.cookies.get('connect.sid') as string)
    await visitor.get('/login')
    expect((await thief.get('/')).body).toBe('1')
    expect((await visitor.get('/')).body).toBe('1')
    expect((await visitor.get('/')).body).toBe('2')
  })

  test('reloads a session that another request has changed', async () => {
    const { visitor } = await open(newStore(), {}, async (session, url) => {
      session.url = url
      if (url !== '/outer') return session.url
      await visitor.get('/inner')
      await new Promise((resolve) => session.reload(resolve))
      return url
    })
    await visitor.get('/first')
    await visitor.get('/outer')
    const { body } = await visitor.get('/last')
    expect(body).toBe('/last')
  })

  test('with saveUninitialized stores a session that nobody has changed, and without it none', async () => {
    for (const saveUninitialized of [true, false]) {
      const { visitor } = await open(newStore(), { saveUninitialized }, (session) => session.id)
      const first = await visitor.get('/')
      expect(first.setCookies).toHaveLength(saveUninitialized ? 1 : 0)
      expect((await visitor.get('/')).body === first.body).toBe(saveUninitialized)
    }
  })

  test('with resave saves whenever it answers, with rolling sets the cookie whenever it answers', async () => {
    const store = newStore()
    const set = vi.spyOn(store, 'set')
    const { visitor } = await open(store, { resave: true, rolling: true }, (session) => {
      session.user = 'ada'
    })
    for (let time = 1; time <= 3; time++) {
      expect((await visitor.get('/')).setCookies).toHaveLength(1)
      expect(set).toHaveBeenCalledTimes(time)
    }
  })

  test('sets a persistent cookie anew only when the session has changed', async () => {
    const { visitor } = await open(newStore(), { cookie: { maxAge: minute } }, (session, url) =>
      url === '/count' ? count(session) : session.count,
    )
    expect((await visitor.get('/count')).setCookies).toHaveLength(1)
    expect((await visitor.get('/')).setCookies).toHaveLength(0)
    expect((await visitor.get('/count')).setCookies).toHaveLength(1)
  })

  test('changes the cookie of one visitor', async () => {
    const month = 34 * 86_400_000
    const { visitor } = await open(newStore(), { cookie: { maxAge: minute } }, (session, url) => {
      count(session)
      if (url === '/remember') session.cookie.maxAge = month
      if (url === '/forget') session.cookie.maxAge = null
      return session.cookie.originalMaxAge
    })
    const expires = (line?: string) => Date.parse(/Expires=([^;]+)/.exec(line ?? '')?.[1] ?? '') - Date.now()
    const about = (duration: number) => expect.closeTo(duration, -4)
    expect(expires((await visitor.get('/')).setCookies[0])).toEqual(about(minute))
    expect(expires((await visitor.get('/remember')).setCookies[0])).toEqual(about(month))
    vi.advanceTimersByTime(30 * 86_400_000)
    const later = await visitor.get('/')
    expect([later.body, expires(later.setCookies[0])]).toEqual([String(month), about(month)])
    expect((await visitor.get('/forget')).setCookies[0]).toBeUndefined()
    expect((await visitor.get('/')).body).toBe('null')
  })

  test('has no session where the path of the cookie does not lead', async () => {
    const { visitor } = await open(newStore(), { cookie: { path: '/shop' } }, (session) => (session ? count(session) : 'none'))
    expect((await visitor.get('/')).body).toBe('none')
    expect((await visitor.get('/shop/cart')).body).toBe('1')
  })

  test('ends a session that was set to null, if it is told to', async () => {
    for (const unset of ['keep', 'destroy']) {
      const app = await startApp([middleware(newStore(), { unset })], (req) => {
        const session = req.session as unknown as AppSession
        if (req.url !== '/unset') return count(session)
        Object.assign(req, { session: null })
        return undefined
      })
      apps.push(app)
      const visitor = app.visitor()
      await visitor.get('/')
      await visitor.get('/unset')
      expect((await visitor.get('/')).body).toBe(unset === 'keep' ? '2' : '1')
    }
  })

  test('takes ids of its own making', async () => {
    let made = 0
    const { visitor } = await open(newStore(), { genid: () => `% ü ${made++}` }, (session) => `${count(session)} ${session.id}`)
    expect((await visitor.get('/')).body).toBe('1 % ü 0')
    expect((await visitor.get('/')).body).toBe('2 % ü 0')
  })
})

describe('an outage', () => {
  test('is answered with 503 and a Retry-After, and the session is there again afterwards', async () => {
    const scripted = new ScriptedStore()
    const { visitor } = await open(fieldwiseStore(scripted), {}, count)
    await visitor.get('/')
    scripted.fail()
    const answer = await visitor.get('/')
    expect([answer.status, answer.headers['retry-after'], answer.setCookies]).toEqual([503, '1', []])
    scripted.mend()
    expect((await visitor.get('/')).body).toBe('2')
  })

  test('is told to a handler that saves before it answers', async () => {
    const scripted = new ScriptedStore()
    const { visitor } = await open(fieldwiseStore(scripted), {}, async (session) => {
      scripted.fail()
      session.user = 'ada'
      await new Promise<void>((resolve, reject) => session.save((error) => (error ? reject(error) : resolve())))
      return 'never'
    })
    const answer = await visitor.get('/')
    expect([answer.status, answer.headers['retry-after'], answer.body]).toEqual([503, '1', 'STORE_UNAVAILABLE'])
  })

  test('is told to the error handler, and to a new visitor not at all, where express-session saves behind the answer', async () => {
    await using memcached = await Memcached.start()
    await using sessions = createSessions({ schema, store: memcachedStore(memcached.address, { timeout: '200ms' }) })
    const late: unknown[] = []
    const app = await startApp(
      [middleware(new Store(sessions))],
      (req) => count(req.session as unknown as AppSession),
      (error) => late.push(error),
    )
    apps.push(app)
    const visitor = app.visitor()
    await memcached.stop()
    const answer = await visitor.get('/')
    expect([answer.status, answer.body, answer.setCookies.length]).toEqual([200, '1', 1])
    await vi.waitFor(() => expect(late).toMatchObject([{ code: 'STORE_UNAVAILABLE', status: 503 }]), 60_000)
    expect((await visitor.get('/')).status).toBe(503)
    await memcached.start()
    const promised = visitor.cookies.get('connect.sid')
    await vi.waitFor(async () => expect(await visitor.get('/')).toMatchObject({ status: 200, body: '1' }), 60_000)
    expect(visitor.cookies.get('connect.sid')).not.toBe(promised)
  })

  test('does not keep visitors out who need no session', async () => {
    const scripted = new ScriptedStore()
    scripted.fail()
    const { visitor } = await open(fieldwiseStore(scripted), {}, () => 'welcome')
    expect(await visitor.get('/')).toMatchObject({ status: 200, body: 'welcome', setCookies: [] })
  })

  test('is never told as disconnect, which express-session answers as if nobody had a session', async () => {
    const scripted = new ScriptedStore()
    const store = fieldwiseStore(scripted)
    const emit = vi.spyOn(store, 'emit')
    const { visitor } = await open(store, {}, (session) => (session === undefined ? 'no session' : count(session)))
    await visitor.get('/')
    scripted.fail()
    for (let time = 0; time < 3; time++) expect((await visitor.get('/')).status).toBe(503)
    expect(emit).not.toHaveBeenCalled()
  })
})

describe('what a request costs', () => {
  test('one that reads: one round trip for what the schema declares, one more where there is something else, and no write', async () => {
    const scripted = new ScriptedStore()
    const sessions = createSessions({
      schema: z.object({ cookie: z.json(), user: z.string() }).catchall(z.json()),
      store: scripted,
    })
    const { visitor } = await open(new Store(sessions), {}, (session, url) => {
      if (url !== '/') session[url.slice(1)] = 'ada'
      return session.user
    })
    await visitor.get('/user')
    scripted.flights.length = 0
    await visitor.get('/')
    expect(scripted.flights).toEqual([['get', 'get', 'get']])
    await visitor.get('/other')
    scripted.flights.length = 0
    await visitor.get('/')
    expect(scripted.flights).toEqual([
      ['get', 'get', 'get'],
      ['get', 'compare'],
    ])
  })

  test('one without a session that stores none: nothing', async () => {
    const scripted = new ScriptedStore()
    const { visitor } = await open(fieldwiseStore(scripted), {}, () => 'hello')
    await visitor.get('/')
    expect(scripted.flights).toEqual([])
  })
})

describe('passport', () => {
  const authenticator = new passport.Passport()
  authenticator.serializeUser((user, done) => done(null, (user as { id: number }).id))
  authenticator.deserializeUser((id: number, done) => done(null, { id }))

  async function openWithPassport() {
    const store = fieldwiseStore()
    const app = await startApp([middleware(store), authenticator.session()], async (req) => {
      const session = req.session as unknown as AppSession
      const then = (work: (done: (error?: unknown) => void) => void) =>
        new Promise<void>((resolve, reject) => work((error) => (error ? reject(error) : resolve())))
      if (req.url === '/cart') session.cart = ['tea']
      if (req.url === '/login') await then((done) => req.login({ id: 7 }, done))
      if (req.url === '/login?keep') await then((done) => req.login({ id: 7 }, { keepSessionInfo: true, session: true }, done))
      if (req.url === '/logout') await then((done) => req.logout(done))
      const { cart } = req.session as unknown as AppSession
      return JSON.stringify({ user: req.user ?? null, cart })
    })
    apps.push(app)
    return app
  }

  test('logs in under a new id, and out again', async () => {
    const app = await openWithPassport()
    const visitor = app.visitor()
    await visitor.get('/cart')
    const thief = visitor.clone()
    expect((await visitor.get('/login')).body).toBe('{"user":{"id":7}}')
    expect((await visitor.get('/')).body).toBe('{"user":{"id":7}}')
    expect((await thief.get('/')).body).toBe('{"user":null}')
    const late = visitor.clone()
    await visitor.get('/logout')
    expect((await visitor.get('/')).body).toBe('{"user":null}')
    expect((await late.get('/')).body).toBe('{"user":null}')
  })

  test('keeps at login what it is told to keep', async () => {
    const visitor = (await openWithPassport()).visitor()
    await visitor.get('/cart')
    await visitor.get('/login?keep')
    expect((await visitor.get('/')).body).toBe('{"user":{"id":7},"cart":["tea"]}')
  })
})

test('a session that a test has seeded is that of the visitor who has its signed id', async () => {
  const store = new Store(createSessions({ schema }), { creates: 'any' })
  await store.set('an id of the test', { user: 'ada' })
  const { visitor } = await open(store, {}, (session) => session.user ?? 'nobody')
  const { sign } = createRequire(createRequire(import.meta.url).resolve('express-session'))('cookie-signature')
  visitor.cookies.set('connect.sid', `s:${encodeURIComponent(sign('an id of the test', 'keyboard cat'))}`)
  expect((await visitor.get('/')).body).toBe('ada')
})

test('a visitor of one app is none of another with the same store and another secret', async () => {
  const store = fieldwiseStore()
  const { visitor } = await open(store, {}, count)
  await visitor.get('/')
  const { app } = await open(store, { secret: 'another' }, count)
  const stray = new Visitor(app.port)
  stray.cookies.set('connect.sid', visitor.cookies.get('connect.sid') as string)
  expect((await stray.get('/')).body).toBe('1')
})
