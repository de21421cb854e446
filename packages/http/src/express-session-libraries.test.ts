import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { memcachedStore } from '@fieldwise/memcached'
import { createSessions } from 'fieldwise'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Memcached } from '../../../test/support/memcached.js'
import { Store } from './express-session.js'
import { Visitor } from './testing/visitor.js'

// Their own types declare a `request.session`, as ours do.
const require = createRequire(import.meta.url)

/** What all of these libraries make of a session. */
type Session = Record<string, unknown>

/** Answers with what the session counts; `/login` begins another one, `/logout` ends it. */
interface Library {
  readonly name: string
  start(store: ReturnType<typeof newStore>): Promise<Server>
}

const libraries: readonly Library[] = [
  { name: '@fastify/session', start: startFastify },
  { name: 'koa-session', start: startKoa },
  { name: 'next-session', start: startNext },
]

let memcached: Memcached
const ends: (() => unknown)[] = []

beforeAll(async () => {
  memcached = await Memcached.start()
})

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

afterAll(() => memcached[Symbol.asyncDispose]())

describe.each(libraries)('$name on a store that creates any', ({ start }) => {
  test('finds the session of a visitor again, in every process, and each visitor has one of their own', async () => {
    const [here, there] = [await open(start), await open(start)]
    const visitor = new Visitor(here)
    expect((await visitor.get('/')).body).toBe('1')
    expect((await visitor.get('/')).body).toBe('2')
    const elsewhere = new Visitor(there)
    for (const [name, value] of visitor.cookies) elsewhere.cookies.set(name, value)
    expect((await elsewhere.get('/')).body).toBe('3')
    expect((await new Visitor(here).get('/')).body).toBe('1')
  })

  test('ends a session at logout, for whoever has its cookie', async () => {
    const visitor = new Visitor(await open(start))
    await visitor.get('/')
    const thief = visitor.clone()
    await visitor.get('/logout')
    expect((await visitor.get('/')).body).toBe('1')
    expect((await thief.get('/')).body).toBe('1')
  })

  test('begins anew for an id that nobody was given', async () => {
    const visitor = new Visitor(await open(start))
    await visitor.get('/')
    for (const name of visitor.cookies.keys()) visitor.cookies.set(name, 'an-id-of-the-visitor')
    expect((await visitor.get('/')).body).toBe('1')
    expect([...visitor.cookies.values()]).not.toContain('an-id-of-the-visitor')
  })

  test('tells of an outage instead of beginning anew', async () => {
    const own = await Memcached.start()
    ends.push(() => own[Symbol.asyncDispose]())
    const visitor = new Visitor(await open(start, own))
    await visitor.get('/')
    const before = [...visitor.cookies]
    await own.stop()
    const answer = await visitor.get('/')
    expect(answer.status).toBeGreaterThanOrEqual(500)
    expect(answer.setCookies).toEqual([])
    expect([...visitor.cookies]).toEqual(before)
  })
})

test.each(libraries)('$name cannot begin a session on a store that creates its own', async ({ start }) => {
  const visitor = new Visitor(await open(start, memcached, 'own'))
  const answers = [await visitor.get('/').catch(() => undefined), await visitor.get('/').catch(() => undefined)]
  expect(answers.map((answer) => answer?.body)).not.toContain('2')
})

async function open(start: Library['start'], at = memcached, creates: 'own' | 'any' = 'any'): Promise<number> {
  const server = await start(newStore(at, creates))
  ends.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

function newStore({ address }: Memcached, creates: 'own' | 'any') {
  const sessions = createSessions({ schema: z.object({ cookie: z.json() }).catchall(z.json()), store: memcachedStore(address) })
  ends.push(() => sessions.close())
  return new Store(sessions, { creates })
}

function count(session: Session): string {
  session.count = Number(session.count ?? 0) + 1
  return String(session.count)
}

async function startFastify(store: object): Promise<Server> {
  const app = require('fastify')()
  app.register(require('@fastify/cookie'))
  app.register(require('@fastify/session'), { store, secret: 'k'.repeat(32), cookie: { secure: false } })
  app.get('/', async (request: { session: Session }) => count(request.session))
  app.get('/logout', async (request: { session: { destroy(): Promise<void> } }) => {
    await request.session.destroy()
    return 'bye'
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app.server
}

async function startKoa(store: object): Promise<Server> {
  const Koa = require('koa')
  const { createSession } = require('koa-session')
  const app = new Koa()
  app.keys = ['keyboard cat']
  app.silent = true
  app.use(createSession({ store }, app))
  app.use((ctx: { path: string; session: Session | null; body: string }) => {
    if (ctx.path === '/logout') ctx.session = null
    ctx.body = ctx.session === null ? 'bye' : count(ctx.session)
  })
  return listening(app.callback())
}

async function startNext(store: object): Promise<Server> {
  const { default: nextSession } = require('next-session')
  // By itself it lets a save that fails go unhandled, which ends the process.
  const getSession = nextSession({ store, autoCommit: false })
  return listening(async (req, res) => {
    try {
      await answer(req, res)
    } catch {
      res.writeHead(500).end()
    }
  })

  async function answer(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const session = await getSession(req, res)
    const body = req.url === '/logout' ? 'bye' : count(session)
    await (req.url === '/logout' ? session.destroy() : session.commit())
    res.end(body)
  }
}

async function listening(listener: RequestListener): Promise<Server> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}
