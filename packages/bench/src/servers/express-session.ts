import type { Request } from 'express'
import { expressSession, type SessionStore } from '../lib/session-stores.js'
import { type Profile, profile } from '../lib/values.js'
import type { Keeping } from './shop.js'

/** express-session with the options that its documentation advises. */
export function wholeSessions(store: SessionStore): Keeping {
  return {
    middleware: expressSession({ secret: 'not secret', store, resave: false, saveUninitialized: false }),
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

function sessionOf(request: Request): { profile: Profile; visits: number } {
  return (request as unknown as { session: { profile: Profile; visits: number } }).session
}
