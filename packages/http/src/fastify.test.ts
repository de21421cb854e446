import { once } from 'node:events'
import { connect, type IncomingHttpHeaders } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { sessionOf } from '@fieldwise/http'
import { fastifySession } from '@fieldwise/http/fastify'
import fastify, { type FastifyInstance } from 'fastify'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { collectWarnings, newSessions } from './testing/app.js'
import { Visitor } from './testing/visitor.js'

const running: FastifyInstance[] = []

let warnings: ReturnType<typeof collectWarnings>

beforeEach(() => {
  warnings = collectWarnings()
})

afterEach(async () => {
  warnings.stop()
  for (const app of running.splice(0)) await app.close()
})

test('it reaches routes outside and inside of other plugins, and the 404 handler', async () => {
  const { app, sessions } = await newApp()
  app.setNotFoundHandler(async (request) => `nobody ${await sessionOf(request, sessions).get('visits')}`)
  await app.register((inner, _, done) => {
    inner.get('/inner', async (request) => `inner ${await sessionOf(request, sessions).get('visits')}`)
    done()
  })
  const visitor = await visit(app)
  expect((await visitor.get('/inner')).body).toBe('inner 0')
  expect((await visitor.get('/nowhere')).body).toBe('nobody 0')
})

test('Fastify knows it by its name', async () => {
  const { app } = await newApp()
  await app.ready()
  expect(app.hasPlugin('@fieldwise/http')).toBe(true)
  expect(app.printPlugins()).toContain('@fieldwise/http')
})

test('a hook that runs after ours may still begin a session', async () => {
  const { app, sessions } = await newApp()
  app.addHook('onSend', async (request) => {
    await sessionOf(request, sessions).increment('visits')
  })
  app.get('/', async (_, reply) => reply.header('set-cookie', 'theme=dark').send('x'))
  const answer = await (await visit(app)).get('/')
  expect(answer.setCookies).toEqual(['theme=dark', expect.stringMatching(/^session=/)])
  expect(answer.headers['cache-control']).toBe('private')
})

test('a cookie that was set before the reply was hijacked leaves with the raw headers', async () => {
  const { app, sessions } = await newApp()
  app.get('/', async (request, reply) => {
    await sessionOf(request, sessions).set('username', 'ada')
    reply.hijack()
    reply.raw.writeHead(200, { 'Set-Cookie': 'theme=dark', 'Cache-Control': 'public' }).end('raw')
  })
  const answer = await (await visit(app)).get('/')
  expect(answer.body).toBe('raw')
  expect(answer.setCookies).toEqual(['theme=dark', expect.stringMatching(/^session=/)])
  expect(answer.headers['cache-control']).toBe('private')
})

test('over HTTP/2 the cookie leaves too', async () => {
  const { sessions } = newSessions()
  const app = fastify({ http2: true })
  await app.register(fastifySession(sessions))
  app.get('/', async (request) => String(await sessionOf(request, sessions).increment('visits')))
  await app.listen({ host: '127.0.0.1', port: 0 })
  const client = connect(`http://127.0.0.1:${(app.server.address() as AddressInfo).port}`)
  const [headers] = (await once(client.request({ ':path': '/' }), 'response')) as [IncomingHttpHeaders]
  expect(headers['set-cookie']).toEqual([expect.stringMatching(/^session=/)])
  client.destroy()
  await app.close()
})

test('app.inject() sees the cookie', async () => {
  const { app, sessions } = await newApp()
  app.get('/', async (request) => String(await sessionOf(request, sessions).increment('visits')))
  expect((await app.inject('/')).headers['set-cookie']).toEqual([expect.stringMatching(/^session=/)])
  await app.close()
})

test('a session that is replaced is a TypeError that names destroy()', async () => {
  const { app } = await newApp()
  app.get('/', async (request) => {
    Object.assign(request, { session: null })
  })
  const answer = await (await visit(app)).get('/')
  expect([answer.status, answer.body]).toEqual([500, expect.stringContaining('await request.session.destroy()')])
})

test('a reply that was hijacked can set no cookie, so a first write is HEADERS_SENT and nothing is stored', async () => {
  const { app, sessions, store } = await newApp()
  app.get('/', async (request, reply) => {
    reply.hijack()
    const error = await sessionOf(request, sessions)
      .set('username', 'ada')
      .catch((thrown) => thrown)
    reply.raw.end(error.code)
  })
  expect((await (await visit(app)).get('/')).body).toBe('HEADERS_SENT')
  expect(store.writes).toBe(0)
})

test('a hook that runs before it has no session yet: BAD_ARGUMENT, not undefined', async () => {
  const { sessions } = newSessions()
  const app = fastify()
  app.addHook('onRequest', async (request, reply) => {
    try {
      request.session
    } catch (error) {
      return reply.send((error as { code: string }).code)
    }
  })
  await app.register(fastifySession(sessions))
  app.get('/', async () => 'reached')
  expect((await (await visit(app)).get('/')).body).toBe('BAD_ARGUMENT')
})

test('an error handler of the app sees the status and the code', async () => {
  const { app, sessions, store } = await newApp()
  app.get('/', async (request) => String(await sessionOf(request, sessions).increment('visits')))
  app.setErrorHandler<{ code: string; statusCode: number }>((error, _, reply) => reply.code(error.statusCode).send(error.code))
  const visitor = await visit(app)
  await visitor.get('/')
  store.fail()
  expect(await visitor.get('/')).toMatchObject({ status: 503, body: 'STORE_UNAVAILABLE' })
})

async function newApp() {
  const made = newSessions()
  const app = fastify({ forceCloseConnections: true })
  await app.register(fastifySession(made.sessions))
  return { ...made, app }
}

async function visit(app: FastifyInstance): Promise<Visitor> {
  running.push(app)
  await app.listen({ host: '127.0.0.1', port: 0 })
  return new Visitor((app.server.address() as AddressInfo).port)
}
