import { stringifySetCookie } from 'cookie'
import { HeadersSentError, type Session, type Sessions } from 'fieldwise'
import { resumeFor, type SessionHost, type TokenChange } from 'fieldwise/adapter'
import type { Alerts } from './alerts.js'
import { keepPrivate } from './cache-control.js'
import { cookieValues } from './cookie-header.js'
import type { CookiePolicy, SessionCookie, SetCookie } from './cookie-policy.js'
import { watchSession } from './watched-session.js'

/** A request and its response as a framework shows them. Nothing is asked before the session is used. */
export interface Wire {
  cookieHeader(): string | undefined
  /** Whether the visitor came over HTTPS, as far as the framework and the proxies that it trusts can tell. */
  secure(): boolean
  /** The host that the visitor came to. */
  hostname(): string | undefined
  /** Whether it is too late to change the response's headers. */
  headersSent(): boolean
  /** The session's cookie changed: see to it that {@link Outgoing.writeTo} is called before the headers leave. */
  cookieChanged(outgoing: Outgoing): void
}

/** What a session has to say to its visitor. */
export interface Outgoing {
  /** Whether there is anything, so that the response cannot go as the app made it. */
  readonly hasNews: boolean
  writeTo(headers: ResponseHeaders): void
}

/** A response's headers, whatever the case of their names. */
export interface ResponseHeaders {
  get(name: string): string | undefined
  set(name: string, value: string): void
  cookies(): readonly string[]
  setCookies(lines: readonly string[]): void
}

/** One request with its session, and the cookie on its way back. */
export class Exchange<F extends object, D extends keyof F = never> implements SessionHost, Outgoing {
  readonly #sessions: Sessions<F, D>
  readonly #policy: CookiePolicy
  readonly #alerts: Alerts
  readonly #wire: Wire
  readonly #began = performance.now()
  #session: Session<F, D> | undefined
  #cookie: SessionCookie | undefined
  #change: TokenChange | undefined
  #line: string | undefined

  constructor(sessions: Sessions<F, D>, policy: CookiePolicy, alerts: Alerts, wire: Wire) {
    this.#sessions = sessions
    this.#policy = policy
    this.#alerts = alerts
    this.#wire = wire
  }

  /** Made when it is first asked for, without I/O. */
  get session(): Session<F, D> {
    this.#session ??= this.#resume()
    return this.#session
  }

  waited(): number {
    return performance.now() - this.#began
  }

  beforeChange(): void {
    if (this.#wire.headersSent()) throw new HeadersSentError()
  }

  changed(change: TokenChange): void {
    this.#change = change
    this.#alertOf(this.#ownCookie())
    this.#wire.cookieChanged(this)
  }

  get hasNews(): boolean {
    return this.#change !== undefined
  }

  /**
   * Sets or clears the cookie if the token changed, and leaves the headers alone if it did not. Other cookies stay as they are.
   * Called again, it replaces what it set before.
   */
  writeTo(headers: ResponseHeaders): void {
    if (this.#change === undefined) return
    const line = stringifySetCookie(setCookie(this.#ownCookie(), this.#change))
    headers.setCookies([...headers.cookies().filter((other) => other !== this.#line), line])
    headers.set('Cache-Control', keepPrivate(headers.get('Cache-Control')))
    // RFC 9213: where it is there, a CDN goes by this one and not by Cache-Control.
    const forCdn = headers.get('CDN-Cache-Control')
    if (forCdn !== undefined) headers.set('CDN-Cache-Control', keepPrivate(forCdn))
    this.#line = line
  }

  #resume(): Session<F, D> {
    const tokens = cookieValues(this.#wire.cookieHeader(), this.#ownCookie().name)
    return watchSession(resumeFor(this.#sessions, tokens, this), {
      headersSent: () => this.#wire.headersSent(),
      writeNotAwaited: (method) => this.#alerts.writeNotAwaited(method),
    })
  }

  #alertOf(cookie: SessionCookie): void {
    if (cookie !== this.#policy.secure) this.#alerts.plainHttp(cookie)
    this.#alerts.cookieSet(cookie, this.#wire.hostname())
  }

  #ownCookie(): SessionCookie {
    this.#cookie ??= this.#wire.secure() ? this.#policy.secure : this.#policy.plain
    return this.#cookie
  }
}

function setCookie(cookie: SessionCookie, change: TokenChange): SetCookie {
  if (change.type === 'ended') return cookie.clear()
  return cookie.set(change.token, change.persist ? change.maxAge : undefined)
}
