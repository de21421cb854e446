/**
 * Fieldwise sessions for handlers that take a `Request` and give a `Response`: Next.js route handlers, React Router, SvelteKit,
 * Deno, Bun, and whatever else speaks the Fetch API.
 *
 * @module @fieldwise/http/fetch
 */
import type { Session, Sessions } from 'fieldwise'
import { Carrier, type SessionOptions } from './lib/carrier.js'
import type { Wire } from './lib/exchange.js'
import { isStoreFailure, serviceUnavailable } from './lib/store-failure.js'
import { isResponse, withSessionHeaders } from './lib/web-response.js'

/**
 * A handler that is given the session of its request. The cookie goes out with whatever response it returns or throws, so it cannot
 * be forgotten. A failure of the store that the handler does not catch is answered with 503 and a `Retry-After`; any other error is
 * thrown on to whoever called, who then answers without the cookie.
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
  options: SessionOptions = {},
): (request: R, ...rest: Rest) => Promise<Response> {
  const open = fetchSession(sessions, options)
  return async (request, ...rest) => {
    const { session, commit } = open(request)
    try {
      return commit(await handler(request, session, ...rest))
    } catch (thrown) {
      // React Router and others throw responses, to redirect from deep inside.
      if (isResponse(thrown)) throw commit(thrown)
      if (isStoreFailure(thrown)) return commit(serviceUnavailable())
      throw thrown
    }
  }
}

/** A request's session, and the way for its cookie into the response. */
export interface FetchSession<F extends object, D extends keyof F> {
  readonly session: Session<F, D>
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
  const carrier = new Carrier(sessions, options)
  return (request) => {
    let committed = false
    const exchange = carrier.begin(
      request,
      fetchWire(request, () => committed),
    )
    function commit(response: Response): Response {
      const answer = withSessionHeaders(exchange, response)
      committed = true
      return answer
    }
    return { session: exchange.session, commit }
  }
}

function fetchWire(request: Request, headersSent: () => boolean): Wire {
  return {
    cookieHeader: () => request.headers.get('cookie') ?? undefined,
    secure: () => new URL(request.url).protocol === 'https:',
    hostname: () => new URL(request.url).hostname,
    headersSent,
    cookieChanged: () => {},
  }
}
