/**
 * Fieldwise sessions for web frameworks. Each framework has its own entry: `@fieldwise/http/express`, `/fastify`, `/hono`, `/fetch`.
 *
 * @module @fieldwise/http
 */
export { type SessionOptions, sessionOf } from './lib/carrier.js'
export { type CookieHostProblem, checkCookieHosts } from './lib/cookie-hosts.js'
export type { CookieOptions } from './lib/cookie-policy.js'
export type { DeclaredSession, Register, RegisteredSession, RequestSession, SessionsAreNotRegistered } from './lib/register.js'
export { tokenFromCookie } from './lib/token-from-cookie.js'
