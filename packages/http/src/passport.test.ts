import { expressSession } from '@fieldwise/http/express'
import { passportSession } from '@fieldwise/http/passport'
import express, { type ErrorRequestHandler, type Request } from 'express'
import { createSessions } from 'fieldwise'
import passport from 'passport'
import { afterEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { listen } from './testing/frameworks.js'
import { ScriptedStore } from './testing/scripted-store.js'
import { Visitor } from './testing/visitor.js'

const running: { close(): Promise<void> }[] = []

afterEach(async () => {
  for (const app of running.splice(0)) await app.close()
})

describe('passport on the session of Fieldwise', () => {
  test('logs in under a new token, keeps the fields, and logs out', async () => {
    const { visitor } = await newApp()
    await visitor.get('/cart')
    const planted = visitor.clone()
    expect((await visitor.get('/login?name=ada')).setCookies).toHaveLength(1)
    expect(JSON.parse((await visitor.get('/')).body)).toEqual({ user: { name: 'ada' }, authenticated: true, cart: ['tea'] })
    expect(JSON.parse((await planted.get('/')).body)).toEqual({ authenticated: false, cart: [] })
    const late = visitor.clone()
    await visitor.get('/logout')
    expect(visitor.cookies.size).toBe(0)
    for (const each of [visitor, late]) expect(JSON.parse((await each.get('/')).body)).toMatchObject({ authenticated: false })
  })

  test('logs out and keeps the rest, where that is asked for', async () => {
    const { visitor } = await newApp()
    await visitor.get('/cart')
    await visitor.get('/login?name=ada')
    await visitor.get('/logout?keep')
    expect(JSON.parse((await visitor.get('/')).body)).toEqual({ authenticated: false, cart: ['tea'] })
  })

  test('logs in by req.login too', async () => {
    const { visitor } = await newApp()
    expect((await visitor.get('/become?name=grace')).body).toBe('grace')
    expect(JSON.parse((await visitor.get('/')).body)).toMatchObject({ user: { name: 'grace' } })
  })

  test('without a session where passport is told so', async () => {
    const { visitor } = await newApp()
    const answer = await visitor.get('/become?name=grace&once')
    expect([answer.body, answer.setCookies]).toEqual(['grace', []])
  })

  test('forgets a user who is no longer there', async () => {
    const { visitor, sessions, accounts } = await newApp()
    await visitor.get('/login?name=ada')
    accounts.delete('ada')
    expect(JSON.parse((await visitor.get('/')).body)).toMatchObject({ authenticated: false })
    expect(await sessions.resume(visitor.cookies.get('session')).has('userName')).toBe(false)
  })

  test('a refused password leaves the session as it was', async () => {
    const { visitor } = await newApp()
    await visitor.get('/cart')
    const before = visitor.cookies.get('session')
    expect((await visitor.get('/login?name=mallory')).status).toBe(401)
    expect(visitor.cookies.get('session')).toBe(before)
  })

  test('an outage is 503, at the login and for whoever is logged in', async () => {
    const { visitor, store } = await newApp()
    await visitor.get('/login?name=ada')
    store.fail()
    for (const path of ['/', '/login?name=ada']) expect((await visitor.get(path)).status).toBe(503)
  })

  test('an error of serializeUser is an error of the login, and nobody is logged in', async () => {
    const { visitor } = await newApp()
    expect(await visitor.get('/become?name=nameless')).toMatchObject({ status: 500, setCookies: [] })
  })
})

test("passport's own login session is refused by name, without a hang and without an unhandled rejection", async () => {
  const { visitor } = await newApp(false)
  const answer = await visitor.get('/login?name=ada')
  expect(answer.status).toBe(500)
  expect(answer.body).toMatch(/session\.regenerate\(\) takes no callback.*passportSession\(\) of @fieldwise\/http\/passport/)
  expect((await visitor.get('/logout')).body).toMatch(/session\.save\(\) does not exist.*passportSession/)
})

interface User {
  readonly name: string
}

async function newApp(bridged = true) {
  const store = new ScriptedStore()
  const schema = z.object({ userName: z.string(), cart: z.array(z.string()).default([]) })
  const sessions = createSessions({ schema, store })
  const accounts = new Set(['ada', 'grace', 'nameless'])
  const authenticator = newAuthenticator(accounts)
  const app = express()
  app.use(expressSession(sessions))
  app.use(bridged ? passportSession(sessions, authenticator, { field: 'userName' }) : authenticator.session())
  app.get('/', async (req, res) => {
    const cart = await sessionOfShop(req).get('cart')
    res.json({ user: req.user, authenticated: req.isAuthenticated(), cart })
  })
  app.get('/cart', async (req, res) => {
    await sessionOfShop(req).set('cart', ['tea'])
    res.send()
  })
  app.get('/login', authenticator.authenticate('query'), (_, res) => void res.send('in'))
  app.get('/become', (req, res, next) => {
    const done = (error: unknown) => (error ? next(error) : void res.send((req.user as User).name))
    const user = { name: String(req.query.name) }
    if ('once' in req.query) req.login(user, { session: false }, done)
    else req.login(user, done)
  })
  app.get('/logout', (req, res, next) => {
    req.logout({ keepSessionInfo: 'keep' in req.query }, (error) => (error ? next(error) : void res.send('out')))
  })
  app.use(((error, _, res, __) => void res.status(error.status ?? 500).send(error.message)) as ErrorRequestHandler)
  const server = await listen(app)
  running.push(server)
  const sessionOfShop = (req: Request) => req.session as unknown as ReturnType<typeof sessions.resume>
  return { visitor: new Visitor(server.port), sessions, store, accounts }
}

/** As an app has it, with a strategy that asks for a name and no password. */
function newAuthenticator(accounts: ReadonlySet<string>) {
  const authenticator = new passport.Passport()
  authenticator.serializeUser<string>((user, done) => {
    const { name } = user as User
    done(name === 'nameless' ? new Error('no name') : null, name)
  })
  authenticator.deserializeUser<string>((name, done) => done(null, accounts.has(name) ? { name } : false))
  authenticator.use('query', {
    authenticate(this: passport.StrategyCreated<passport.Strategy>, req) {
      const name = String(req.query?.name)
      // As a password is checked: later.
      setImmediate(() => (accounts.has(name) ? this.success({ name }) : this.fail(401)))
    },
  } as passport.Strategy)
  return authenticator
}
