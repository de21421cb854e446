/**
 * Fieldwise sessions for Express 5 and 4.
 *
 * @module @fieldwise/http/express
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Sessions } from 'fieldwise'
import onHeaders from 'on-headers'
import type { SessionProperty } from './index.js'
import type { FrameworkPort } from './lib/adapter/framework-port.js'
import { nodeHeaders, pathOf } from './lib/adapter/node-response.js'
import { SessionAdapter, type SessionOptions } from './lib/adapter/session-adapter.js'

declare global {
  namespace Express {
    interface Request extends SessionProperty {}
  }
}

/** A middleware for `app.use`. */
export type SessionMiddleware = (req: SessionRequest, res: ServerResponse, next: (error?: unknown) => void) => void

/** What the middleware needs of Express's `req`. */
export interface SessionRequest extends IncomingMessage {
  /** Whether the visitor came over HTTPS: Express obeys its setting `trust proxy`. */
  readonly secure?: boolean | undefined
  readonly hostname?: string | undefined
  /** The URL before routers have taken their parts off. */
  readonly originalUrl?: string | undefined
}

/**
 * Gives each request its session as `req.session`. The first one mounted has that name; others are found by `sessionOf(req, theirs)`,
 * and need a `cookie.name` of their own. A `req.session` of another library is left alone.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for options that contradict each other.
 *
 * @example
 * app.use(expressSession(sessions))
 * app.get('/', async (req, res) => {
 *   res.send(`Visit ${await req.session.increment('visits')}`)
 * })
 */
export function expressSession<F extends object, D extends keyof F>(
  sessions: Sessions<F, D>,
  options: SessionOptions = {},
): SessionMiddleware {
  const adapter = new SessionAdapter(sessions, options, expressSession)
  return function fieldwiseSession(req, res, next) {
    const exchange = adapter.begin(req, expressPort(req, res))
    if (!('session' in req)) {
      Object.defineProperty(req, 'session', { get: () => exchange.session, set: refuse, enumerable: true, configurable: true })
    }
    next()
  }
}

/** `req.session = null` ends a session elsewhere; here it would end nothing. */
function refuse(): never {
  throw new TypeError('req.session cannot be replaced; to end the session, await req.session.destroy()')
}

function expressPort(req: SessionRequest, res: ServerResponse): FrameworkPort {
  return {
    cookieHeader: () => req.headers.cookie,
    secure: () => req.secure ?? 'encrypted' in req.socket,
    hostname: () => req.hostname,
    path: () => pathOf(req.originalUrl ?? req.url),
    headersSent: () => res.headersSent,
    // Not before the headers leave: Express's error handler removes every header that is set by then, an app may still replace
    // Set-Cookie as a whole, and its Cache-Control may be yet to come. Only responses that have something to say are hooked.
    announce: (outgoing) => onHeaders(res, () => outgoing.writeTo(nodeHeaders(res))),
  }
}
