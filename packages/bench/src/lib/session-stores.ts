import { createRequire } from 'node:module'
import type { RequestHandler } from 'express'
import { createClient } from 'redis'
import type { Addresses } from './addresses.js'

// Their types give `req.session` to every request of a program, and so do ours.
const require = createRequire(import.meta.url)

/** The library express-session, as far as the benchmarks use it. */
export const expressSession = require('express-session') as ExpressSession

interface ExpressSession {
  (options: { secret: string; store: SessionStore; resave: boolean; saveUninitialized: boolean }): RequestHandler
  readonly MemoryStore: StoreClass
}

/** A store of express-session: whole sessions, read and written at once. */
export interface SessionStore {
  get(sid: string, done: (error: unknown, session?: KeptSession | null) => void): void
  set(sid: string, session: KeptSession, done: (error?: unknown) => void): void
  /** The connections of a store that has some. */
  readonly client?: { destroy?(): void; end?(): void }
}

export type KeptSession = Record<string, unknown> & { readonly cookie: object }

type StoreClass = new (options?: object) => SessionStore

export function memoryStore(): SessionStore {
  return new expressSession.MemoryStore()
}

export function connectMemcached({ memcached }: Addresses): SessionStore {
  const MemcachedStore = (require('connect-memcached') as (library: ExpressSession) => StoreClass)(expressSession)
  return new MemcachedStore({ hosts: memcached, timeout: 5_000 })
}

export async function connectRedis({ redisPort }: Addresses): Promise<SessionStore> {
  const { RedisStore } = require('connect-redis') as { RedisStore: StoreClass }
  const client = await createClient({ socket: { host: '127.0.0.1', port: redisPort } }).connect()
  return new RedisStore({ client })
}

export function load(store: SessionStore, sid: string): Promise<KeptSession> {
  return new Promise((resolve, reject) => {
    store.get(sid, (error, session) => {
      if (error) reject(error)
      else if (session) resolve(session)
      else reject(new Error('the session is not there'))
    })
  })
}

export function save(store: SessionStore, sid: string, session: KeptSession): Promise<void> {
  return new Promise((resolve, reject) => {
    store.set(sid, session, (error) => (error ? reject(error) : resolve()))
  })
}

/** Ends the connections of a store. The clients of memcached and of Redis have different words for it. */
export function disconnect({ client }: SessionStore): void {
  if (client?.destroy) client.destroy()
  else client?.end?.()
}
