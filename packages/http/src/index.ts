/**
 * Fieldwise sessions for web frameworks. Each framework has its own entry: `@fieldwise/http/express`, `/fastify`, `/hono`, `/fetch`.
 *
 * @module @fieldwise/http
 */

export type {
  DeclaredSession,
  Register,
  RegisteredSession,
  SessionProperty,
  SessionsAreNotRegistered,
} from './lib/adapter/register.js'
export { type SessionOptions, sessionOf } from './lib/adapter/session-adapter.js'
export { tokenFromCookie } from './lib/adapter/token-from-cookie.js'
export { type CookieHostProblem, checkCookieHosts } from './lib/cookie/cookie-hosts.js'
export type { CookieOptions } from './lib/cookie/cookie-policy.js'
