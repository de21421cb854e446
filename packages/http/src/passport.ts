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
  const remembered = new RememberedUser(sessions, usersOf(passport), field)
  return function fieldwisePassport(request, _res, next) {
    const req: VisitedRequest = request
    addMethods(req, remembered)
    callbackify(() => remembered.find(req))((error, user) => {
      if (error) return next(error)
      if (user !== undefined) req.user = user
      next()
    })
  }
}

/** What the methods of a request do to its session. */
interface Remembering {
  remember(req: VisitedRequest, user: unknown): Promise<void>
  forget(req: VisitedRequest, keepsInfo: boolean): Promise<void>
}

/** Who is logged in, as the session of a request remembers it. */
class RememberedUser<F extends object, D extends keyof F, Field extends keyof F & string> implements Remembering {
  readonly #sessions: Sessions<F, D>
  readonly #users: Users
  readonly #field: Field

  constructor(sessions: Sessions<F, D>, users: Users, field: Field) {
    this.#sessions = sessions
    this.#users = users
    this.#field = field
  }

  /** The user whom the session remembers; one who is no longer there is forgotten. */
  async find(req: VisitedRequest): Promise<unknown> {
    const session = sessionOf(req, this.#sessions)
    const id: unknown = await session.get(this.#field)
    if (id === undefined || id === null) return undefined
    const user = await this.#users.find(id, req)
    if (user === false || user === null) await session.delete(this.#field)
    return user || undefined
  }

  async remember(req: VisitedRequest, user: unknown): Promise<void> {
    const id = await this.#users.idOf(user, req)
    const session = sessionOf(req, this.#sessions)
    // A new secret before a new right: who knew the old one has nothing.
    await session.regenerate()
    // What passport's serializer gives is of any type; the schema validates it.
    await (session as unknown as Session<Record<string, unknown>>).set<string>(this.#field, id)
  }

  async forget(req: VisitedRequest, keepsInfo: boolean): Promise<void> {
    const session = sessionOf(req, this.#sessions)
    if (!keepsInfo) return session.destroy()
    await session.regenerate()
    await session.delete(this.#field)
  }
}

/** What passport itself adds to a request that goes through its own session support. */
function addMethods(req: VisitedRequest, remembered: Remembering): void {
  req.login = req.logIn = (user, ...given) => {
    const { options, done } = parse('login', given)
    req.user = user
    if (options.session === false) return done()
    callbackify(() => remembered.remember(req, user))((error) => {
      if (error) req.user = null
      done(error)
    })
  }
  req.logout = req.logOut = (...given) => {
    const { options, done } = parse('logout', given)
    req.user = null
    callbackify(() => remembered.forget(req, options.keepSessionInfo === true))(done)
  }
  req.isAuthenticated = () => Boolean(req.user)
  req.isUnauthenticated = () => !req.user
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

type Users = ReturnType<typeof usersOf>

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
