/**
 * Fieldwise sessions for Hono 4.
 *
 * @module @fieldwise/http/hono
 */
import type { Session, Sessions } from 'fieldwise'
import type { Context, MiddlewareHandler } from 'hono'
import type { FrameworkPort } from './lib/adapter/framework-port.js'
import { SessionAdapter, type SessionOptions } from './lib/adapter/session-adapter.js'
import { answerThrown } from './lib/adapter/thrown.js'
import { withSessionHeaders } from './lib/adapter/web-response.js'

/** What {@link honoSession} adds to an app's `Env`. */
export interface SessionEnv<F extends object, D extends keyof F> {
  Variables: { readonly session: Session<F, D> }
}

/**
 * A middleware that gives each request its session as `c.var.session`, typed along the chain. The first one used has that name; others
 * are found by `sessionOf(c, theirs)`, and need a `cookie.name` of their own.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for options that contradict each other.
 *
 * @example
 * const app = new Hono()
 *   .use(honoSession(sessions))
 *   .get('/', async (c) => c.text(`Visit ${await c.var.session.increment('visits')}`))
 */
export function honoSession<F extends object, D extends keyof F>(
  sessions: Sessions<F, D>,
  options: SessionOptions = {},
): MiddlewareHandler<SessionEnv<F, D>> {
  const adapter = new SessionAdapter(sessions, options, honoSession)
  return async function fieldwiseSession(c, next) {
    let answered = false
    const exchange = adapter.begin(
      c,
      honoPort(c, () => answered),
    )
    if (c.get('session') === undefined) c.set('session', exchange.session)
    try {
      await next()
    } catch (thrown) {
      // Hono makes a response of each error, and of nothing else.
      return answerThrown(exchange, thrown)
    } finally {
      answered = true
    }
    if (exchange.hasNews) replaceResponse(c, withSessionHeaders(exchange, c.res))
    return undefined
  }
}

function honoPort(c: Context, headersSent: () => boolean): FrameworkPort {
  return {
    cookieHeader: () => c.req.header('cookie'),
    secure: () => new URL(c.req.url).protocol === 'https:',
    hostname: () => new URL(c.req.url).hostname,
    path: () => new URL(c.req.url).pathname,
    headersSent,
    announce: () => {},
  }
}

/** Hono adds the headers of a response that is replaced to the new one, over its own, unless there was none. */
function replaceResponse(c: Context, response: Response): void {
  c.res = undefined
  c.res = response
}
