import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createSessions } from 'fieldwise'
import { afterEach } from 'vitest'
import { z } from 'zod'
import { Store } from '../express-session.js'
import { type AppSession, expressSession, middleware, type TestStore } from './express-session.js'
import { ScriptedStore } from './scripted-store.js'
import { Visitor } from './visitor.js'

/** What a handler behind express-session sees. */
export interface SessionRequest extends IncomingMessage {
  session: AppSession
  sessionID: string
  originalUrl?: string
  /** Whether it came over HTTPS, as Express says. */
  secure?: boolean
  /** A secret that another middleware has left. */
  secret?: string
}

/** Answers with what it returns, or has answered itself. */
export type Handler = (req: SessionRequest, res: ServerResponse) => unknown

export interface Serving {
  /** The middleware's. */
  readonly options?: object
  /** What came before express-session in the app. */
  readonly before?: (req: SessionRequest, res: ServerResponse) => unknown
  readonly store?: StoreUnderTest
}

/** A store, and what makes it fail. */
export interface StoreUnderTest {
  readonly store: TestStore
  fail(): void
}

/** One app on `node:http`: Express patches responses too, which is not to be seen here. */
export interface Served {
  readonly port: number
  readonly store: TestStore
  /** What went to the app's error handler after the answer had begun. */
  readonly errors: unknown[]
  visitor(): Visitor
}

/** express-session's own store and ours: what an app is promised holds on both. */
export const stores: readonly { readonly name: string; readonly newStore: () => StoreUnderTest }[] = [
  { name: "express-session's MemoryStore", newStore: memory },
  { name: 'Fieldwise', newStore: fieldwise },
]

/** Starts apps that end with the test. */
export function appsOf(newStore: () => StoreUnderTest): (handler: Handler, serving?: Serving) => Promise<Served> {
  const ends: (() => void)[] = []
  afterEach(() => {
    for (const end of ends.splice(0)) end()
  })
  return async (handler, { options = {}, before = () => {}, store: { store } = newStore() } = {}) => {
    const sessions = middleware(store, options) as unknown as Middleware
    const errors: unknown[] = []
    const server = createServer((incoming, res) => {
      const req = incoming as SessionRequest
      before(req, res)
      sessions(req, res, (error) => {
        if (error !== undefined) return answerError(error, res, errors)
        run(handler, req, res).catch((thrown) => answerError(thrown, res, errors))
      })
    }).listen(0, '127.0.0.1')
    ends.push(() => {
      server.closeAllConnections()
      server.close()
    })
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    return { port, store, errors, visitor: () => new Visitor(port) }
  }
}

type Middleware = (req: SessionRequest, res: ServerResponse, next: (error?: unknown) => void) => void

/** What `work` calls back with, thrown if it is an error. */
export function called(work: (callback: (error?: unknown) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => work((error) => (error ? reject(error) : resolve())))
}

async function run(handler: Handler, req: SessionRequest, res: ServerResponse): Promise<void> {
  const body = await handler(req, res)
  if (body !== undefined) res.end(String(body))
}

function answerError(error: unknown, res: ServerResponse, errors: unknown[]): void {
  if (res.headersSent) return void errors.push(error)
  const { status = 500, message } = error as { status?: number; message: string }
  res.writeHead(status).end(message)
}

function memory(): StoreUnderTest {
  const store = new expressSession.MemoryStore()
  const failing = (...given: unknown[]) => (given.at(-1) as (error: unknown) => void)(new Error('down'))
  return { store, fail: () => void Object.assign(store, { get: failing, set: failing, touch: failing, destroy: failing }) }
}

function fieldwise(): StoreUnderTest {
  const scripted = new ScriptedStore()
  const sessions = createSessions({
    schema: z.object({ cookie: z.json() }).catchall(z.json()),
    store: scripted,
    lifetime: { absolute: '400d' },
  })
  return { store: new Store(sessions), fail: () => scripted.fail() }
}
