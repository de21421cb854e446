import type { RequestListener } from 'node:http'
import { sessionOf } from '@fieldwise/http'
import { expressSession } from '@fieldwise/http/express'
import express, { type Express } from 'express'
import express4 from 'express4'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { collectWarnings, inProduction, newSessions } from './testing/app.js'
import { listen } from './testing/frameworks.js'
import { Visitor } from './testing/visitor.js'

const running: { close(): Promise<void> }[] = []

let warnings: ReturnType<typeof collectWarnings>

beforeEach(() => {
  warnings = collectWarnings()
})

afterEach(async () => {
  warnings.stop()
  for (const app of running.splice(0)) await app.close()
})

test('an app that replaces Set-Cookie as a whole does not lose the session', async () => {
  const { app, sessions, visitor } = await newApp()
  app.get('/', async (req, res) => {
    await sessionOf(req, sessions).set('username', 'ada')
    res.setHeader('Set-Cookie', 'theme=dark').send()
  })
  expect((await visitor.get('/')).setCookies).toEqual(['theme=dark', expect.stringMatching(/^session=/)])
})

test('headers given to writeHead are treated like all others', async () => {
  const { app, sessions, visitor } = await newApp()
  app.get('/', async (req, res) => {
    await sessionOf(req, sessions).set('username', 'ada')
    res.writeHead(200, { 'Set-Cookie': ['theme=dark'], 'Cache-Control': 'public, max-age=60' }).end()
  })
  const answer = await visitor.get('/')
  expect(answer.setCookies).toEqual(['theme=dark', expect.stringMatching(/^session=/)])
  expect(answer.headers['cache-control']).toBe('private, max-age=60')
})

test('only one hook is put on a response, however often its cookie changes', async () => {
  const { app, sessions, visitor } = await newApp()
  app.get('/', async (req, res) => {
    await sessionOf(req, sessions).set('username', 'ada')
    const { writeHead } = res
    await sessionOf(req, sessions).regenerate()
    res.send(String(res.writeHead === writeHead))
  })
  expect((await visitor.get('/')).body).toBe('true')
})

test('what the app says to a CDN alone is made private too', async () => {
  const { app, sessions, visitor } = await newApp()
  app.get('/', async (req, res) => {
    await sessionOf(req, sessions).increment('visits')
    res.set({ 'CDN-Cache-Control': 'max-age=600', 'Cache-Control': 'no-store' }).send()
  })
  const first = await visitor.get('/')
  expect(first.headers['cdn-cache-control']).toBe('private, max-age=600')
  expect(first.headers['cache-control']).toBe('no-store')
  expect((await visitor.get('/')).headers['cdn-cache-control']).toBe('max-age=600')
})

test('a session that is made and ended by one request leaves one line, which clears', async () => {
  const { app, sessions, visitor } = await newApp()
  app.get('/', async (req, res) => {
    const session = sessionOf(req, sessions)
    await session.set('username', 'ada')
    await session.regenerate()
    await session.destroy()
    res.send()
  })
  expect((await visitor.get('/')).setCookies).toEqual([expect.stringMatching(/^session=; Max-Age=0/)])
})

test('only responses that change the cookie are hooked', async () => {
  const { app, sessions, visitor } = await newApp()
  app.get('/hooked', async (req, res) => {
    await sessionOf(req, sessions).increment('visits')
    res.send(String(Object.hasOwn(res, 'writeHead')))
  })
  expect((await visitor.get('/hooked')).body).toBe('true')
  expect((await visitor.get('/hooked')).body).toBe('false')
})

test('mounted twice, it is one session', async () => {
  const { app, sessions, visitor } = await newApp()
  app.use(expressSession(sessions))
  app.get('/', async (req, res) => {
    await sessionOf(req, sessions).increment('visits')
    res.send(String(await sessionOf(req, sessions).get('visits')))
  })
  const answer = await visitor.get('/')
  expect(answer.body).toBe('1')
  expect(answer.setCookies).toHaveLength(1)
})

test('two kinds of sessions with one cookie name are BAD_CONFIG, not a muddle', async () => {
  const { app, admins, visitor } = await newApp()
  app.use(expressSession(admins))
  app.get('/', (_, res) => void res.send())
  app.use(tellCode)
  expect((await visitor.get('/')).body).toBe('BAD_CONFIG')
})

test('a session that is replaced is a TypeError that names destroy()', async () => {
  const { app, visitor } = await newApp()
  app.get('/', (req) => void Object.assign(req, { session: null }))
  app.use(((error, _, res, __) => void res.send(`${error.name}: ${error.message}`)) as express.ErrorRequestHandler)
  expect((await visitor.get('/')).body).toBe(
    'TypeError: req.session cannot be replaced; to end the session, await req.session.destroy()',
  )
})

test('what an app hands in is left as it was: options, headers, cookies', async () => {
  const { sessions } = newSessions()
  const options = Object.freeze({ cookie: Object.freeze({ name: 'sid', path: '/' } as const) })
  const headers = Object.freeze({ 'Cache-Control': 'public', 'Set-Cookie': Object.freeze(['theme=dark']) as unknown as string[] })
  const app = express()
  app.use(expressSession(sessions, options))
  app.get('/', async (req, res) => {
    await sessionOf(req, sessions).regenerate()
    res.writeHead(200, headers).end()
  })
  const [first, second] = [await (await visit(app)).get('/'), await (await visit(app)).get('/')]
  for (const { setCookies } of [first, second]) expect(setCookies).toEqual(['theme=dark', expect.stringMatching(/^sid=/)])
  expect(first.setCookies).not.toEqual(second.setCookies)
})

test("another library's req.session is left alone", async () => {
  const { sessions } = newSessions()
  const app = express()
  app.use((req, _, next) => {
    Object.assign(req, { session: 'theirs' })
    next()
  })
  app.use(expressSession(sessions))
  app.get('/', async (req, res) => void res.send(`${req.session} ${await sessionOf(req, sessions).get('visits')}`))
  const visitor = await visit(app)
  expect((await visitor.get('/')).body).toBe('theirs 0')
})

test('sessionOf without its middleware is BAD_ARGUMENT', async () => {
  const { app, admins, visitor } = await newApp()
  app.get('/', (req, res) => void res.send(sessionOf(req, admins).state))
  app.use(tellCode)
  expect((await visitor.get('/')).body).toBe('BAD_ARGUMENT')
})

test('in production the cookie is Secure, whatever the request seems to be, and nothing is warned of', async () => {
  const { sessions } = newSessions()
  const app = express()
  app.use(inProduction(() => expressSession(sessions)))
  app.get('/', async (req, res) => void res.send(String(await sessionOf(req, sessions).increment('visits'))))
  const visitor = await visit(app)
  expect((await visitor.get('/')).setCookies).toEqual([
    expect.stringMatching(/^__Host-session=[^;]+; Path=\/; HttpOnly; Secure;/),
  ])
  expect((await visitor.get('/')).body).toBe('2')
  expect(await warnings.of('FIELDWISE_PLAIN_HTTP')).toEqual([])
})

test('a proxy that the app does not trust cannot say that the request came over HTTPS', async () => {
  const { app, sessions, visitor } = await newApp()
  app.get('/', async (req, res) => void res.send(String(await sessionOf(req, sessions).increment('visits'))))
  const answer = await visitor.get('/', { headers: { 'x-forwarded-proto': 'https' } })
  expect(answer.setCookies).toEqual([expect.stringMatching(/^session=/)])
})

test('it needs nothing of Express: a plain server works, and one with TLS is known by its socket', async () => {
  const { sessions } = newSessions()
  const middleware = expressSession(sessions)
  const answerWith = (isTls: boolean): RequestListener => {
    return (req, res) => {
      if (isTls) Object.assign(req.socket, { encrypted: true })
      middleware(req, res, () => {
        void sessionOf(req, sessions)
          .increment('visits')
          .then((visits) => res.end(String(visits)))
      })
    }
  }
  const plain = await visit(answerWith(false))
  expect((await plain.get('/')).setCookies).toEqual([expect.stringMatching(/^session=/)])
  const secure = await visit(answerWith(true))
  expect((await secure.get('/')).setCookies).toEqual([expect.stringMatching(/^__Host-session=/)])
})

test('a token is judged as of the arrival of its request, however late the session is first used', async () => {
  const { app, sessions, clock, visitor } = await newApp()
  const own = await sessions.create({ username: 'ada' })
  visitor.cookies.set('session', own.token ?? '')
  app.get('/upload', async (req, res) => {
    await own.regenerate()
    // Longer than a token from before a rotation is known as such.
    const now = performance.now()
    const spy = vi.spyOn(performance, 'now').mockImplementation(() => now + 61_000)
    clock.advance(61_000)
    const error = await sessionOf(req, sessions)
      .set('username', 'late')
      .catch((thrown) => thrown)
    spy.mockRestore()
    res.send(`${error?.code} ${error?.reason}`)
  })
  const answer = await visitor.get('/upload')
  expect(answer.body).toBe('SESSION_GONE superseded')
  expect(answer.setCookies).toEqual([])
})

test('in Express 4 a rejection that the handler does not pass on is unhandled, and the visitor waits', async () => {
  const { sessions, store } = newSessions()
  const app = express4()
  app.use(expressSession(sessions))
  app.get('/', async (req, res) => void res.send(String(await sessionOf(req, sessions).increment('visits'))))
  const visitor = await visit(app)
  await visitor.get('/')
  store.fail()
  const unhandled = nextUnhandledRejection()
  let hangUp = () => {}
  const waiting = visitor.get('/', { onRequest: (sent) => (hangUp = () => sent.destroy()) }).catch((error) => error)
  expect(await unhandled).toMatchObject({ code: 'STORE_UNAVAILABLE', status: 503 })
  hangUp()
  expect(await waiting).toMatchObject({ code: 'ECONNRESET' })
})

test('an error handler of the app sees the status and the code', async () => {
  const { app, sessions, store, visitor } = await newApp()
  app.get('/', async (req, res) => void res.send(String(await sessionOf(req, sessions).increment('visits'))))
  app.use(((error, _, res, __) => {
    res.status(error.statusCode).json({ ...error })
  }) as express.ErrorRequestHandler)
  await visitor.get('/')
  store.fail()
  const answer = await visitor.get('/')
  expect(answer.status).toBe(503)
  expect(JSON.parse(answer.body)).toMatchObject({ code: 'STORE_UNAVAILABLE', status: 503, headers: { 'Retry-After': '1' } })
})

async function newApp() {
  const made = newSessions()
  const app = express()
  app.use(expressSession(made.sessions))
  return { ...made, app, visitor: await visit(app) }
}

async function visit(app: RequestListener | Express): Promise<Visitor> {
  const server = await listen(app)
  running.push(server)
  return new Visitor(server.port)
}

const tellCode: express.ErrorRequestHandler = (error, _, res, __) => void res.send(error.code)

/** The test runner listens for these, and so fails; this one is expected. */
function nextUnhandledRejection(): Promise<unknown> {
  const others = process.listeners('unhandledRejection')
  process.removeAllListeners('unhandledRejection')
  return new Promise((resolve) => {
    process.once('unhandledRejection', (reason) => {
      for (const other of others) process.on('unhandledRejection', other)
      resolve(reason)
    })
  })
}
