import { sessionOf } from '@fieldwise/http'
import { honoSession } from '@fieldwise/http/hono'
import { Hono } from 'hono'
import { HTTPException } from 'hono/http-exception'
import { expect, test } from 'vitest'
import { collectWarnings, newSessions } from './testing/app.js'

test('a response that the handler made itself carries the cookie, immutable headers or not', async () => {
  const { sessions } = newSessions()
  const app = new Hono().use(honoSession(sessions))
  app.get('/redirect', async (c) => {
    await sessionOf(c, sessions).set('username', 'ada')
    return Response.redirect('https://shop.example/')
  })
  app.get('/own', async (c) => {
    await sessionOf(c, sessions).set('username', 'ada')
    return new Response('own', { headers: { 'Set-Cookie': 'theme=dark' } })
  })
  const redirect = await app.request('https://shop.example/redirect')
  expect(redirect.status).toBe(302)
  expect(redirect.headers.get('location')).toBe('https://shop.example/')
  expect(redirect.headers.getSetCookie()).toEqual([expect.stringMatching(/^__Host-session=/)])
  const own = await app.request('https://shop.example/own')
  expect(await own.text()).toBe('own')
  expect(own.headers.getSetCookie()).toEqual(['theme=dark', expect.stringMatching(/^__Host-session=/)])
})

test('a response that the module keeps for all visitors hands none the cookie of another', async () => {
  const { sessions } = newSessions()
  const kept = new Response(null, { status: 204 })
  const app = new Hono().use(honoSession(sessions))
  app.get('/login', async (c) => {
    await sessionOf(c, sessions).regenerate()
    return kept
  })
  app.get('/look', () => kept)
  const lines = new Set<string>()
  for (let visitor = 0; visitor < 6; visitor++) {
    const [line = '', ...others] = (await app.request('https://shop.example/login')).headers.getSetCookie()
    lines.add(line)
    expect(others).toEqual([])
  }
  expect(lines.size).toBe(6)
  expect((await app.request('https://shop.example/look')).headers.getSetCookie()).toEqual([])
  expect([...kept.headers]).toEqual([])
})

test('an exception after a login still carries the cookie', async () => {
  const { sessions } = newSessions()
  const app = new Hono().use(honoSession(sessions))
  app.get('/', async (c) => {
    await sessionOf(c, sessions).regenerate()
    throw new HTTPException(402)
  })
  const answer = await app.request('https://shop.example/')
  expect(answer.status).toBe(402)
  expect(answer.headers.getSetCookie()).toHaveLength(1)
})

test('used twice, it is one session', async () => {
  const { sessions } = newSessions()
  const inner = new Hono()
    .use(honoSession(sessions))
    .get('/', async (c) => c.text(String(await c.var.session.increment('visits'))))
  const app = new Hono().use(honoSession(sessions)).route('/inner', inner)
  const answer = await app.request('https://shop.example/inner')
  expect(await answer.text()).toBe('1')
  expect(answer.headers.getSetCookie()).toHaveLength(1)
})

test('c.var.session is that of the first one used', async () => {
  const { sessions, admins } = newSessions()
  const app = new Hono().use(honoSession(sessions)).use(honoSession(admins, { cookie: { name: 'admin' } }))
  app.get('/', (c) => c.text(String(c.get('session' as never) === sessionOf(c, sessions))))
  expect(await (await app.request('https://shop.example/')).text()).toBe('true')
})

test('an error handler of the app sees the status and the code', async () => {
  const { sessions, store } = newSessions()
  const app = new Hono().use(honoSession(sessions))
  app.get('/', async (c) => c.text(String(await sessionOf(c, sessions).increment('visits'))))
  app.onError((error, c) => c.json({ ...error }))
  store.fail()
  const answer = await app.request('https://shop.example/')
  expect(await answer.json()).toMatchObject({ code: 'STORE_UNAVAILABLE', status: 503 })
})

test('over HTTPS nothing is warned of', async () => {
  const warnings = collectWarnings()
  const { sessions } = newSessions()
  const app = new Hono().use(honoSession(sessions)).get('/', async (c) => c.text(String(await c.var.session.increment('visits'))))
  await app.request('https://shop.example/')
  expect(await warnings.of('FIELDWISE_PLAIN_HTTP')).toEqual([])
  warnings.stop()
})
