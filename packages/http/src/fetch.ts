/**
 * Fieldwise sessions for handlers that take a `Request` and give a `Response`: Next.js route handlers, React Router, SvelteKit,
 * Deno, Bun, and whatever else speaks the Fetch API.
 *
 * @module @fieldwise/http/fetch
 */
import type { Session, Sessions } from 'fieldwise'
import type { Exchange } from './lib/adapter/exchange.js'
import type { FrameworkPort } from './lib/adapter/framework-port.js'
import { SessionAdapter, type SessionOptions } from './lib/adapter/session-adapter.js'
import { isShown, isStoreFailure, serviceUnavailable } from './lib/adapter/store-failure.js'
import { answerThrown } from './lib/adapter/thrown.js'
import { isResponse, withSessionHeaders } from './lib/adapter/web-response.js'
import type { SetCookie } from './lib/cookie/cookie-policy.js'

export type { SetCookie }

/** What {@link withSession} takes besides what all adapters take. */
export interface WithSessionOptions<R extends Request, Rest extends unknown[]> extends SessionOptions {
  /**
   * Hands the session's cookie to the framework's own cookies, when a handler threw what is no `Response` and the cookie changed. Gets what
   * the handler gets, but for the session. What was thrown is thrown on when this is done.
   */
  readonly setCookie?: ((cookie: SetCookie, request: R, ...rest: Rest) => void | Promise<void>) | undefined
}

/**
 * A handler that is given the session of its request. The cookie goes out with whatever response it returns or throws, so it cannot
 * be forgotten; and with the redirects that Next.js and SvelteKit throw, which are answered here if the cookie changed. For
 * whatever else a framework throws there is `setCookie`. A failure of the store that the handler does not catch is answered with 503 and a
 * `Retry-After`; any other error is thrown on to whoever called.
 *
 * What a framework passes besides the request, such as the route's parameters, comes after the session.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for options that contradict each other.
 *
 * @example
 * export const GET = withSession(sessions, async (_request, session) => {
 *   return new Response(`Visit ${await session.increment('visits')}`)
 * })
 */
export function withSession<F extends object, D extends keyof F, R extends Request, Rest extends unknown[]>(
  sessions: Sessions<F, D>,
  handler: (request: R, session: Session<F, D>, ...rest: Rest) => Response | Promise<Response>,
  { setCookie, ...options }: WithSessionOptions<R, Rest> = {},
): (request: R, ...rest: Rest) => Promise<Response> {
  const adapter = new SessionAdapter(sessions, options, withSession)
  return async (request, ...rest) => {
    const { exchange, commit } = begin(adapter, request)
    try {
      return commit(await handler(request, exchange.session, ...rest))
    } catch (thrown) {
      // React Router and others throw responses, to redirect from deep inside.
      if (isResponse(thrown)) throw commit(thrown)
      if (isStoreFailure(thrown)) {
        if (!isShown(thrown)) exchange.failed(thrown)
        return commit(serviceUnavailable())
      }
      if (setCookie === undefined) return answerThrown(exchange, thrown)
      if (exchange.cookie !== undefined) await setCookie(exchange.cookie, request, ...rest)
      throw thrown
    }
  }
}

/** A request's session, and the way for its cookie into the response. */
export interface FetchSession<F extends object, D extends keyof F> {
  readonly session: Session<F, D>
  /** What the browser has to be told of the cookie by now, for where there is no response to commit; undefined if it did not change. */
  readonly cookie: SetCookie | undefined
  /**
   * The response to return: a copy with the session's cookie if that changed, else the very one given. Later writes that need a cookie are
   * `HEADERS_SENT`.
   */
  readonly commit: (response: Response) => Response
}

/**
 * For where {@link withSession} does not fit: a function that opens the session of a request. Every response must go through `commit`.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for options that contradict each other.
 *
 * @example
 * const open = fetchSession(sessions)
 * async function handle(request: Request): Promise<Response> {
 *   const { session, commit } = open(request)
 *   return commit(new Response(`Visit ${await session.increment('visits')}`))
 * }
 */
export function fetchSession<F extends object, D extends keyof F>(
  sessions: Sessions<F, D>,
  options: SessionOptions = {},
): (request: Request) => FetchSession<F, D> {
  const adapter = new SessionAdapter(sessions, options, fetchSession)
  return (request) => {
    const { exchange, commit } = begin(adapter, request)
    return {
      session: exchange.session,
      get cookie() {
        return exchange.cookie
      },
      commit,
    }
  }
}

interface Begun<F extends object, D extends keyof F> {
  readonly exchange: Exchange<F, D>
  readonly commit: (response: Response) => Response
}

function begin<F extends object, D extends keyof F>(adapter: SessionAdapter<F, D>, request: Request): Begun<F, D> {
  let committed = false
  const exchange = adapter.begin(
    request,
    fetchPort(request, () => committed),
  )
  function commit(response: Response): Response {
    const answer = withSessionHeaders(exchange, response)
    committed = true
    return answer
  }
  return { exchange, commit }
}

function fetchPort(request: Request, headersSent: () => boolean): FrameworkPort {
  return {
    cookieHeader: () => request.headers.get('cookie') ?? undefined,
    secure: () => new URL(request.url).protocol === 'https:',
    hostname: () => new URL(request.url).hostname,
    path: () => new URL(request.url).pathname,
    headersSent,
    announce: () => {},
  }
}
