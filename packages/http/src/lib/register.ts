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
