import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { memcachedStore } from '@fieldwise/memcached'
import type { RequestHandler } from 'express'
import { createSessions } from 'fieldwise'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Memcached } from '../../../test/support/memcached.js'
import { Store } from './express-session.js'
import { type AppSession, middleware } from './testing/express-session.js'
import { type App, startApp } from './testing/express-session-app.js'
import { called, stores } from './testing/express-session-server.js'
import type { Visitor } from './testing/visitor.js'

// Middlewares that keep what they know in `req.session` of express-session work on our store as on its own.

const require = createRequire(import.meta.url)
const apps: App[] = []

afterEach(async () => {
  for (const app of apps.splice(0)) await app.close()
})

/** What those middlewares add to a request. */
interface AppRequest {
  readonly path: string
  readonly method: string
  readonly session: AppSession
  readonly res: { readonly locals: { readonly _csrf?: string } }
  csrfToken(): string
  flash(type: string, format?: string, value?: string): unknown
}

describe.each(stores)('on $name', ({ newStore }) => {
  async function open(middlewares: readonly RequestHandler[], handler: (req: AppRequest) => unknown): Promise<App> {
    const app = await startApp([middleware(newStore().store), ...middlewares], (req) => handler(req as unknown as AppRequest))
    apps.push(app)
    return app
  }

  test('connect-flash shows a message once, at the next request', async () => {
    const app = await open([require('connect-flash')()], (req) => {
      if (req.path === '/save') req.flash('info', 'saved %s', 'tea')
      return JSON.stringify(req.path === '/save' ? null : req.flash('info'))
    })
    const visitor = app.visitor()
    await visitor.get('/save')
    await visitor.get('/save')
    expect((await visitor.get('/')).body).toBe('["saved tea","saved tea"]')
    expect((await visitor.get('/')).body).toBe('[]')
    expect((await app.visitor().get('/')).body).toBe('[]')
  })

  const csrf: readonly {
    readonly name: string
    readonly protect: () => RequestHandler[]
    readonly token: (req: AppRequest) => string
  }[] = [
    { name: 'csurf', protect: () => [require('csurf')()], token: (req) => req.csrfToken() },
    { name: 'lusca', protect: () => [require('lusca').csrf()], token: (req) => String(req.res.locals._csrf) },
    { name: 'csrf-csrf', protect: doubleSubmit, token: (req) => req.csrfToken() },
  ]

  describe.each(csrf)('$name', ({ protect, token }) => {
    const start = () =>
      open(protect(), async (req) => {
        req.session.seen = true
        if (req.path === '/login') await called((done) => req.session.regenerate(done))
        return req.path === '/form' ? token(req) : req.method
      })
    const post = async (visitor: Visitor, csrfToken: string) => {
      const headers = csrfToken === '' ? {} : { 'x-csrf-token': csrfToken }
      return (await visitor.send('/', { method: 'POST', headers })).status
    }

    test("takes a form with the session's token, and with that alone", async () => {
      const app = await start()
      const [visitor, other] = [app.visitor(), app.visitor()]
      // What is known of a visitor begins with the session.
      for (const guest of [visitor, other]) await guest.get('/')
      const csrfToken = (await visitor.get('/form')).body
      const foreign = (await other.get('/form')).body
      expect(await post(visitor, csrfToken)).toBe(200)
      expect(await post(visitor, csrfToken)).toBe(200)
      expect(await post(visitor, '')).toBe(403)
      expect(await post(visitor, foreign)).toBe(403)
    })

    test('takes none from before a login', async () => {
      const visitor = (await start()).visitor()
      await visitor.get('/')
      const csrfToken = (await visitor.get('/form')).body
      await visitor.get('/login')
      expect(await post(visitor, csrfToken)).toBe(403)
    })
  })

  test('express-rate-limit limits each session', async () => {
    const { rateLimit } = require('express-rate-limit')
    const limit = rateLimit({ limit: 2, windowMs: 60_000, keyGenerator: (req: AppRequest) => req.session.id })
    const app = await open([limit], (req) => {
      req.session.user = 'ada'
      return 'welcome'
    })
    const [visitor, other] = [app.visitor(), app.visitor()]
    await visitor.get('/')
    const statuses = async (guest: Visitor) => [(await guest.get('/')).status, (await guest.get('/')).status]
    expect(await statuses(visitor)).toEqual([200, 429])
    await other.get('/')
    expect(await statuses(other)).toEqual([200, 429])
  })
})

/** Its cookie is bound to the session's id. */
function doubleSubmit(): RequestHandler[] {
  const { doubleCsrfProtection } = require('csrf-csrf').doubleCsrf({
    getSecret: () => 'keyboard cat',
    getSessionIdentifier: (req: AppRequest) => req.session.id,
    cookieName: 'csrf',
    cookieOptions: { secure: false },
  })
  return [require('cookie-parser')(), doubleCsrfProtection]
}

describe('an app that was on connect-memcached', () => {
  test.each([
    ['plain', {}],
    ['sealed', { sealing: { keys: [randomBytes(32).toString('base64')] } }],
  ])('counts every one of 49 views in a row, %s', async (_, options) => {
    await using memcached = await Memcached.start()
    const schema = z.object({ cookie: z.json() }).catchall(z.json())
    await using sessions = createSessions({ ...options, schema, store: memcachedStore(memcached.address), prefix: 'testapp_' })
    const app = await startApp([middleware(new Store(sessions), { name: 'test', proxy: true })], (req) => {
      const session = req.session as unknown as AppSession
      session.views = Number(session.views ?? 0) + 1
      return session.views
    })
    apps.push(app)
    const visitor = app.visitor()
    for (let views = 1; views < 50; views++) expect(await visitor.get('/')).toMatchObject({ status: 200, body: String(views) })
  })
})
