import { stringifySetCookie } from 'cookie'
import { type FieldwiseError, HeadersSentError, type Session, type Sessions } from 'fieldwise'
import { resumeFor, type TokenChange, type TokenSink } from 'fieldwise/adapter'
import { cookieValues, hasTooManyValues } from '../cookie/cookie-header.js'
import type { CookiePolicy, SessionCookie, SetCookie } from '../cookie/cookie-policy.js'
import { twinRemovals } from '../cookie/cookie-twins.js'
import type { Alerts } from './alerts.js'
import { keepOutOfSharedCaches } from './cache-control.js'
import type { FrameworkPort, Outgoing, ResponseHeaders } from './framework-port.js'
import type { Outages } from './outages.js'
import { retryAfter } from './store-failure.js'
import { type Watcher, watchSession, writes } from './watched-session.js'

/** One request with its session, and the cookie on its way back. */
export class Exchange<F extends object, D extends keyof F = never> implements TokenSink, Outgoing, Watcher {
  readonly #sessions: Sessions<F, D>
  readonly #policy: CookiePolicy
  readonly #alerts: Alerts
  readonly #outages: Outages
  readonly #port: FrameworkPort
  readonly #began = performance.now()
  #session: Session<F, D> | undefined
  #cookie: SessionCookie | undefined
  #tokens: readonly string[] = []
  #hasTwins = false
  #change: TokenChange | undefined
  #hasFailed = false
  #lastWrite: string | undefined
  #lines: readonly string[] = []

  constructor(sessions: Sessions<F, D>, policy: CookiePolicy, alerts: Alerts, outages: Outages, port: FrameworkPort) {
    this.#sessions = sessions
    this.#policy = policy
    this.#alerts = alerts
    this.#outages = outages
    this.#port = port
  }

  /** Made when it is first asked for, without I/O. */
  get session(): Session<F, D> {
    this.#session ??= this.#resume()
    return this.#session
  }

  /** What the visitor's browser has to be told of the cookie, if that changed. */
  get cookie(): SetCookie | undefined {
    return this.#change && setCookie(this.#ownCookie(), this.#change)
  }

  get hasNews(): boolean {
    return this.#change !== undefined || this.#hasFailed
  }

  waited(): number {
    return performance.now() - this.#began
  }

  headersSent(): boolean {
    return this.#port.headersSent()
  }

  beforeChange(): void {
    if (this.#port.headersSent()) throw new HeadersSentError()
  }

  ambiguous(): void {
    this.#hasTwins = true
  }

  called(method: string): void {
    // A session that this request has begun is known to nobody else yet.
    const isOthers = this.#change === undefined && this.#session?.state !== 'new'
    if (method === 'regenerate' && isOthers && this.#lastWrite) this.#alerts.writtenBeforeRotation(this.#lastWrite)
    if (isOthers && writes.has(method)) this.#lastWrite = method
  }

  writeNotAwaited(method: string): void {
    this.#alerts.writeNotAwaited(method)
  }

  /** The cookie changed, and the response that was to carry it does not exist. */
  cookieLost(): void {
    this.#alerts.cookieLost()
  }

  changed(change: TokenChange): void {
    const hadNews = this.hasNews
    this.#change = change
    this.#alertOf(this.#ownCookie(), change)
    if (!hadNews) this.#port.announce(this)
  }

  failed(error: FieldwiseError): void {
    const hadNews = this.hasNews
    this.#hasFailed = true
    this.#outages.failed(error)
    if (!hadNews) this.#port.announce(this)
  }

  /** Says when to come again, where the response is one about a failure; sets or clears the cookie, where the token changed. */
  writeTo(headers: ResponseHeaders): void {
    if (this.#hasFailed && headers.status() === 503 && headers.get('Retry-After') === undefined) {
      headers.set('Retry-After', retryAfter)
    }
    if (this.cookie === undefined) return
    const lines = [...this.#twinRemovals(), stringifySetCookie(this.cookie)]
    headers.setCookies([...headers.cookies().filter((line) => !this.#lines.includes(line)), ...lines])
    this.#lines = lines
    keepOutOfSharedCaches(headers)
  }

  #resume(): Session<F, D> {
    const cookie = this.#ownCookie()
    const header = this.#port.cookieHeader()
    this.#tokens = cookieValues(header, cookie.name)
    this.#hasTwins = hasTooManyValues(header, cookie.name)
    if (this.#tokens.length > 0) this.#alerts.cookieReceived(cookie, this.#tokens)
    return watchSession(resumeFor(this.#sessions, this.#tokens, this), this)
  }

  /** The lines that remove the cookie's twins. Our own comes behind them: a client whose jar holds one cookie of each name keeps the last. */
  #twinRemovals(): string[] {
    if (!this.#hasTwins) return []
    return twinRemovals(this.#ownCookie(), { hostname: this.#port.hostname(), path: this.#port.path() })
  }

  #alertOf(cookie: SessionCookie, change: TokenChange): void {
    const hostname = this.#port.hostname()
    if (cookie !== this.#policy.secure) this.#alerts.plainHttp(cookie, hostname)
    this.#alerts.cookieSet(cookie, hostname)
    if (change.type === 'issued') this.#alerts.tokenIssued(cookie, change.token, this.#tokens)
  }

  #ownCookie(): SessionCookie {
    this.#cookie ??= this.#port.secure() ? this.#policy.secure : this.#policy.plain
    return this.#cookie
  }
}

function setCookie(cookie: SessionCookie, change: TokenChange): SetCookie {
  if (change.type === 'ended') return cookie.clear()
  return cookie.set(change.token, change.persist ? change.maxAge : undefined)
}
