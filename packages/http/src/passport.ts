/**
 * The login sessions of passport 0.7 on Fieldwise's own `req.session`, in Express.
 *
 * @module @fieldwise/http/passport
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { callbackify, promisify } from 'node:util'
import type { Session, Sessions } from 'fieldwise'
import { sessionOf } from './lib/adapter/session-adapter.js'

/** What {@link passportSession} uses of passport: what `serializeUser` and `deserializeUser` were given. */
export interface Authenticator {
  /** Tells how a user is remembered. */
  serializeUser(user: never, req: never, done: (error: unknown, id?: never) => void): void
  /** Finds the user that is remembered so. */
  deserializeUser(id: never, req: never, done: (error: unknown, user?: never) => void): void
}

/** Which field remembers who is logged in. */
export interface PassportOptions<Field extends string> {
  /** Its type is what passport's `serializeUser` gives. */
  readonly field: Field
}

/** A middleware for `app.use`. */
export type PassportMiddleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void

/**
 * Takes the place of `passport.session()`: finds the user of each request, and lets `req.login`, `req.logout` and `passport.authenticate()`
 * remember and forget one. A login rotates the session before it writes, and keeps its fields; a logout ends it, or, with passport's
 * `keepSessionInfo`, only forgets who it was. Mount it behind `expressSession`, which it reads one field of.
 *
 * passport writes to `req.session` for three things more, and is refused: leave out `failureMessage` and `successMessage`, and give a
 * strategy of OAuth a `store` for its state.
 *
 * @example
 * import { expressSession } from '@fieldwise/http/express'
 * import { passportSession } from '@fieldwise/http/passport'
 * import express from 'express'
 * import { createSessions } from 'fieldwise'
 * import passport from 'passport'
 * import { z } from 'zod'
 *
 * const sessions = createSessions({ schema: z.object({ userId: z.string() }) })
 * const app = express()
 * app.use(expressSession(sessions))
 * app.use(passportSession(sessions, passport, { field: 'userId' }))
 * app.post('/login', passport.authenticate('local', { successRedirect: '/' }))
 */
export function passportSession<F extends object, D extends keyof F, Field extends keyof F & string>(
  sessions: Sessions<F, D>,
  passport: Authenticator,
  { field }: PassportOptions<Field>,
): PassportMiddleware {
  const users = usersOf(passport)

  /** The user whom the session remembers; one who is no longer there is forgotten. */
  async function find(req: VisitedRequest): Promise<unknown> {
    const session = sessionOf(req, sessions)
    const id: unknown = await session.get(field)
    if (id === undefined || id === null) return undefined
    const user = await users.find(id, req)
    if (user === false || user === null) await session.delete(field)
    return user || undefined
  }

  async function remember(req: VisitedRequest, user: unknown): Promise<void> {
    const id = await users.idOf(user, req)
    const session = sessionOf(req, sessions)
    // A new secret before a new right: who knew the old one has nothing.
    await session.regenerate()
    // What passport's serializer gives is of any type; the schema validates it.
    await (session as unknown as Session<Record<string, unknown>>).set<string>(field, id)
  }

  async function forget(session: Session<F, D>, keepsInfo: boolean): Promise<void> {
    if (!keepsInfo) return session.destroy()
    await session.regenerate()
    await session.delete(field)
  }

  return function fieldwisePassport(request, _res, next) {
    const req: VisitedRequest = request
    req.login = req.logIn = (user, ...given) => {
      const { options, done } = parse('login', given)
      req.user = user
      if (options.session === false) return done()
      callbackify(remember)(req, user, (error) => {
        if (error) req.user = null
        done(error)
      })
    }
    req.logout = req.logOut = (...given) => {
      const { options, done } = parse('logout', given)
      req.user = null
      callbackify(forget)(sessionOf(req, sessions), options.keepSessionInfo === true, done)
    }
    req.isAuthenticated = () => Boolean(req.user)
    req.isUnauthenticated = () => !req.user
    callbackify(find)(req, (error, user) => {
      if (error) return next(error)
      if (user !== undefined) req.user = user
      next()
    })
  }
}

/** What passport adds to a request. */
interface VisitedRequest extends IncomingMessage {
  user?: unknown
  login?: (user: unknown, ...given: Given) => void
  logIn?: (user: unknown, ...given: Given) => void
  logout?: (...given: Given) => void
  logOut?: (...given: Given) => void
  isAuthenticated?: () => boolean
  isUnauthenticated?: () => boolean
}

type LoginCallback = (error?: unknown) => void
type Given = [options: LoginOptions, done: LoginCallback] | [done: LoginCallback]

interface LoginOptions {
  readonly session?: boolean
  readonly keepSessionInfo?: boolean
}

function parse(caller: string, given: Given): { options: LoginOptions; done: LoginCallback } {
  const [options, done] = given.length === 1 ? [{}, given[0]] : given
  if (typeof done !== 'function') throw new TypeError(`req.${caller}() needs a callback`)
  return { options, done }
}

/** What the app told passport of its users, as promises. */
function usersOf(passport: Authenticator) {
  return {
    idOf: promisify((user: unknown, req: object, done: (error: unknown, id?: unknown) => void) =>
      passport.serializeUser(user as never, req as never, done),
    ),
    find: promisify((id: unknown, req: object, done: (error: unknown, user?: unknown) => void) =>
      passport.deserializeUser(id as never, req as never, done),
    ),
  }
}
