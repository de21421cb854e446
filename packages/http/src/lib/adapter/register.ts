import type { SessionOf } from 'fieldwise'

/**
 * Where a program says which sessions are behind `req.session` and `request.session`, once, for all frameworks:
 *
 * @example
 * declare module '@fieldwise/http' {
 *   interface Register {
 *     sessions: typeof sessions
 *   }
 * }
 */
// biome-ignore lint/suspicious/noEmptyInterface: it is filled by declaration merging
export interface Register {}

/** The type of `req.session`. Without a {@link Register}, one whose name says what is missing. */
export type RegisteredSession = Register extends { readonly sessions: infer S } ? SessionOf<S> : SessionsAreNotRegistered

/** Add `declare module '@fieldwise/http' { interface Register { sessions: typeof sessions } }` to your program. */
export interface SessionsAreNotRegistered {
  readonly "declare module '@fieldwise/http' { interface Register { sessions: typeof sessions } }": never
}

/**
 * What Express's `Request` is given. Where `@types/express-session` is in the same program, it has declared a `req.session` of its own, and
 * `requestSession: false` leaves the name to it: `sessionOf(req, sessions)` gives the session then.
 *
 * @example
 * import type {} from '@fieldwise/http'
 * import { createSessions } from 'fieldwise'
 * import { z } from 'zod'
 *
 * const sessions = createSessions({ schema: z.object({ visits: z.int().default(0) }) })
 *
 * declare module '@fieldwise/http' {
 *   interface Register {
 *     sessions: typeof sessions
 *     requestSession: false
 *   }
 * }
 */
export type SessionProperty = Register extends { readonly requestSession: false } ? object : DeclaredSession

/** `req.session`, as {@link SessionProperty} declares it. */
export interface DeclaredSession {
  /** The visitor's session. No I/O before it is used; typed by the `Register` interface of `@fieldwise/http`. */
  readonly session: RegisteredSession
}
