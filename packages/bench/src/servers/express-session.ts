import { createRequire } from 'node:module'
import type { Request, RequestHandler } from 'express'
import { createClient } from 'redis'
import type { Addresses } from '../lib/addresses.js'
import { type Profile, profile } from '../lib/values.js'
import type { Keeping } from './shop.js'

// Their types give `req.session` to every request of a program, and so do ours.
const require = createRequire(import.meta.url)
const session = require('express-session') as SessionLibrary

/** express-session on its own store in memory. */
export function onMemory(): Keeping {
  return keeping(new session.MemoryStore())
}

export function onConnectMemcached({ memcached }: Addresses): Keeping {
  const MemcachedStore = (require('connect-memcached') as (library: SessionLibrary) => StoreClass)(session)
  return keeping(new MemcachedStore({ hosts: memcached, timeout: 5_000 }))
}

export async function onConnectRedis({ redisPort }: Addresses): Promise<Keeping> {
  const { RedisStore } = require('connect-redis') as { RedisStore: StoreClass }
  const client = await createClient({ socket: { host: '127.0.0.1', port: redisPort } }).connect()
  return keeping(new RedisStore({ client }))
}

/** With the options that its documentation advises. */
function keeping(store: object): Keeping {
  return {
    middleware: session({ secret: 'not secret', store, resave: false, saveUninitialized: false }),
    logIn: (request) => {
      Object.assign(sessionOf(request), { profile, visits: 0 })
    },
    profile: (request) => sessionOf(request).profile,
    count: (request) => {
      const session = sessionOf(request)
      session.visits++
      return session.visits
    },
    visits: (request) => sessionOf(request).visits,
  }
}

interface SessionLibrary {
  (options: { secret: string; store: object; resave: boolean; saveUninitialized: boolean }): RequestHandler
  readonly MemoryStore: StoreClass
}

type StoreClass = new (options?: object) => object

function sessionOf(request: Request): { profile: Profile; visits: number } {
  return (request as unknown as { session: { profile: Profile; visits: number } }).session
}
