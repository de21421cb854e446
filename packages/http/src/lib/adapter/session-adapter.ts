import { BadArgumentError, BadConfigError, type Session, type Sessions } from 'fieldwise'
import { assertOptions, fromCaller, type PublicFunction } from 'fieldwise/adapter'
import { type CookieOptions, type CookiePolicy, createCookiePolicy } from '../cookie/cookie-policy.js'
import { type Alerts, alertsOf } from './alerts.js'
import { Exchange } from './exchange.js'
import type { FrameworkPort } from './framework-port.js'
import { type Outages, outagesOf } from './outages.js'

/** What every adapter takes besides the sessions. */
export interface SessionOptions {
  readonly cookie?: CookieOptions | undefined
}

/** What all adapters are made of: it carries the token in with a request, and its cookie out with the response. */
export class SessionAdapter<F extends object, D extends keyof F> {
  readonly #sessions: Sessions<F, D>
  readonly #policy: CookiePolicy
  readonly #alerts: Alerts
  readonly #outages: Outages

  /** @throws {BadConfigError} (`BAD_CONFIG`) for options that cannot work, on the line that called `adapter`. */
  constructor(sessions: Sessions<F, D>, options: SessionOptions, adapter: PublicFunction) {
    const production = isProduction()
    this.#sessions = sessions
    this.#policy = fromCaller(adapter, () => parsePolicy(options, production))
    this.#alerts = alertsOf(sessions, production)
    this.#outages = outagesOf(sessions)
  }

  /** The exchange of this request, if it has begun. */
  find(request: object): Exchange<F, D> | undefined {
    return findExchange(request, this.#sessions)
  }

  /** Begins the exchange of this request, which {@link sessionOf} finds again. An adapter that is mounted twice gets the first one back. */
  begin(request: object, port: FrameworkPort): Exchange<F, D> {
    const known = this.find(request)
    if (known !== undefined) return known
    const exchange = new Exchange(this.#sessions, this.#policy, this.#alerts, this.#outages, port)
    remember(request, { sessions: this.#sessions, cookieName: this.#policy.secure.name, exchange })
    return exchange
  }
}

/**
 * The session of a request from one particular `createSessions`: for a second schema beside the one in `req.session`, and for code
 * that does without the global type. `request` is what the framework hands to a handler: Express's `req`, Fastify's `request`,
 * Hono's `c`, or a `Request` inside of `withSession`.
 *
 * @throws {BadArgumentError} (`BAD_ARGUMENT`) if no adapter with these sessions has seen this request.
 *
 * @example
 * const session = sessionOf(req, adminSessions)
 */
export function sessionOf<F extends object, D extends keyof F>(request: object, sessions: Sessions<F, D>): Session<F, D> {
  const exchange = findExchange(request, sessions)
  if (exchange !== undefined) return exchange.session
  return fromCaller(sessionOf, noSession)
}

function noSession(): never {
  throw new BadArgumentError(
    'This request has no session of these sessions: mount their adapter before the code that calls sessionOf',
  )
}

/** Whether this process runs in production: what `NODE_ENV` says, as for Express. */
export function isProduction(): boolean {
  return process.env.NODE_ENV === 'production'
}

/** @throws {BadConfigError} (`BAD_CONFIG`) */
export function parsePolicy(options: SessionOptions, production: boolean): CookiePolicy {
  assertOptions('An adapter', options, ['cookie'])
  return createCookiePolicy(options.cookie ?? {}, production)
}

interface Mounted {
  readonly sessions: object
  readonly cookieName: string
  readonly exchange: object
}

const mountedOn = new WeakMap<object, Mounted[]>()

function findExchange<F extends object, D extends keyof F>(
  request: object,
  sessions: Sessions<F, D>,
): Exchange<F, D> | undefined {
  const mounted = mountedOn.get(request)?.find((each) => each.sessions === sessions)
  // An exchange is remembered beside the sessions that it was made from, so its fields are theirs.
  return mounted?.exchange as Exchange<F, D> | undefined
}

function remember(request: object, mounted: Mounted): void {
  const others = mountedOn.get(request)
  if (others === undefined) {
    mountedOn.set(request, [mounted])
    return
  }
  if (others.some((other) => other.cookieName === mounted.cookieName)) {
    throw new BadConfigError(
      `Two kinds of sessions cannot share the cookie name ${mounted.cookieName}; give one of them another cookie.name`,
    )
  }
  others.push(mounted)
}
