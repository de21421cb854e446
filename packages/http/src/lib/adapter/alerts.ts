import { parseToken } from 'fieldwise/adapter'
import { checkCookieHosts } from '../cookie/cookie-hosts.js'
import type { SessionCookie } from '../cookie/cookie-policy.js'

/** Warnings for developers: each is given once, through `process.emitWarning`, and never in production. */
export interface Alerts {
  /** A cookie is about to be set without Secure, although nobody asked for that. */
  plainHttp(cookie: SessionCookie, hostname: string | undefined): void
  /** A cookie is about to be set on a response to this host. */
  cookieSet(cookie: SessionCookie, hostname: string | undefined): void
  /** A request came with these values of the cookie. */
  cookieReceived(cookie: SessionCookie, values: readonly string[]): void
  /** A request that came with some tokens gets this one. */
  tokenIssued(cookie: SessionCookie, token: string, before: readonly string[]): void
  /** A write was still under way when the response left. */
  writeNotAwaited(method: string): void
  /** A session that somebody else may know the token of was written to, and then its token was changed. */
  writtenBeforeRotation(method: string): void
  /** The cookie changed, and the handler ended without a response that could carry it. */
  cookieLost(): void
}

/** The alerts of one `createSessions`, however many adapters and handlers use it: each kind is given once. */
export function alertsOf(sessions: object, production: boolean): Alerts {
  if (production) return silence
  const known = alerts.get(sessions)
  if (known !== undefined) return known
  const made = createAlerts(isUnderTest())
  alerts.set(sessions, made)
  return made
}

const alerts = new WeakMap<object, Alerts>()

const silence: Alerts = {
  plainHttp: () => {},
  cookieSet: () => {},
  cookieReceived: () => {},
  tokenIssued: () => {},
  writeNotAwaited: () => {},
  writtenBeforeRotation: () => {},
  cookieLost: () => {},
}

function createAlerts(underTest: boolean): Alerts {
  const given = new Set<AlertCode>()
  const hosts = new Set<string>()
  const strangers = new Strangers()

  function warn(code: AlertCode, message: string): void {
    if (given.has(code)) return
    given.add(code)
    process.emitWarning(message, { type: 'FieldwiseWarning', code })
  }

  return {
    plainHttp(cookie, hostname) {
      if (!underTest && !isLoopback(hostname)) warn('FIELDWISE_PLAIN_HTTP', plainHttp(cookie.name))
    },
    cookieSet(cookie, hostname) {
      if (hostname === undefined || hosts.size === mostHosts) return
      hosts.add(hostname)
      void explainHosts(cookie, hostname, [...hosts]).then((message) => message && warn('FIELDWISE_COOKIE_HOST', message), ignore)
    },
    cookieReceived(cookie, values) {
      if (!values.some(parseToken)) warn('FIELDWISE_FOREIGN_COOKIE', foreignCookie(cookie.name))
    },
    tokenIssued(cookie, token, before) {
      if (strangers.areMany(token, before)) warn('FIELDWISE_FOREIGN_COOKIE', foreignCookie(cookie.name))
    },
    writeNotAwaited: (method) => warn('FIELDWISE_NOT_AWAITED', notAwaited(method)),
    writtenBeforeRotation: (method) => warn('FIELDWISE_ROTATE_FIRST', rotateFirst(method)),
    cookieLost: () => warn('FIELDWISE_COOKIE_LOST', cookieLost),
  }
}

type AlertCode =
  | 'FIELDWISE_PLAIN_HTTP'
  | 'FIELDWISE_COOKIE_HOST'
  | 'FIELDWISE_NOT_AWAITED'
  | 'FIELDWISE_FOREIGN_COOKIE'
  | 'FIELDWISE_ROTATE_FIRST'
  | 'FIELDWISE_COOKIE_LOST'

/** Whoever sends requests chooses the Host header; a few are enough to see the mistake. */
const mostHosts = 8

/** Notices sessions that this process did not make and whose cookies it replaces, over and over: somebody else sets the same cookie. */
class Strangers {
  readonly #issued = new Set<string>()
  readonly #strange = new Set<string>()

  /** Whether there were too many of them to be left over from before this process was started. */
  areMany(token: string, before: readonly string[]): boolean {
    const sids = before.flatMap((text) => parseToken(text)?.sid ?? [])
    const sid = parseToken(token)?.sid
    for (const stranger of sids) if (stranger !== sid && !this.#issued.has(stranger)) this.#strange.add(stranger)
    if (sid !== undefined && this.#issued.size < mostRemembered) this.#issued.add(sid)
    return this.#issued.size < mostRemembered && this.#strange.size >= tooMany
  }
}

const mostRemembered = 1_000
const tooMany = 3

/** With a Domain each host is judged by itself; without one, hosts that this app set cookies for before are. */
async function explainHosts(cookie: SessionCookie, hostname: string, hosts: readonly string[]): Promise<string | undefined> {
  const [problem] = await checkCookieHosts(cookie.domain === undefined ? hosts : [hostname], cookie)
  if (problem === undefined) return undefined
  return cookie.domain === undefined ? `This app gave sessions to several hosts. ${problem.message}` : problem.message
}

/** On one's own machine there is nothing to do about plain HTTP. */
function isLoopback(hostname: string | undefined): boolean {
  return hostname !== undefined && /^(([^.]+\.)*localhost\.?|127\.[\d.]+|\[?::1\]?)$/i.test(hostname)
}

function isUnderTest(): boolean {
  const { NODE_ENV, VITEST, JEST_WORKER_ID, NODE_TEST_CONTEXT } = process.env
  return NODE_ENV === 'test' || [VITEST, JEST_WORKER_ID, NODE_TEST_CONTEXT].some(Boolean)
}

function plainHttp(name: string): string {
  return (
    `The session cookie is sent over plain HTTP, as '${name}' and without Secure, because NODE_ENV is not 'production'. ` +
    'In production it is sent over HTTPS only. If TLS ends at a proxy, tell the framework to trust it'
  )
}

function foreignCookie(name: string): string {
  return (
    `Requests carry cookies named '${name}' that these sessions did not make. Another app on this host sets the same cookie, maybe on ` +
    'another port: ports do not separate cookies, so each app logs out the visitors of the other. Give each app its own cookie.name'
  )
}

function notAwaited(method: string): string {
  return (
    `session.${method}() was still under way when the response was sent. Await it first: the write may fail after the ` +
    'visitor got the answer, and the cookie of a new session is lost'
  )
}

function rotateFirst(method: string): string {
  return (
    `session.${method}() came before session.regenerate() in one request. Whoever knows the old token, and may have planted it, can see ` +
    'what is written before the rotation. At a login, rotate first, then write'
  )
}

const cookieLost =
  "A handler of withSession threw something other than a Response after the session's cookie had changed, so the new cookie cannot be sent " +
  "and the visitor's old one is no longer valid. Return a response, or give withSession { setCookie } to pass the cookie to your framework"

function ignore(): void {}
