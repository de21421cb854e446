import { checkCookieHosts } from './cookie-hosts.js'
import type { SessionCookie } from './cookie-policy.js'

/** What a developer is told once, through `process.emitWarning`, and an operator in production never. */
export interface Alerts {
  /** A cookie is about to be set without Secure, although nobody asked for that. */
  plainHttp(cookie: SessionCookie): void
  /** A cookie is about to be set on a response to this host. */
  cookieSet(cookie: SessionCookie, hostname: string | undefined): void
  /** A write was still under way when the response left. */
  writeNotAwaited(method: string): void
}

/** The alerts of one `createSessions`, however many adapters and handlers use it: each kind is given once. */
export function alertsOf(sessions: object, production: boolean): Alerts {
  if (production) return silence
  const known = alerts.get(sessions)
  if (known !== undefined) return known
  const made = createAlerts()
  alerts.set(sessions, made)
  return made
}

const alerts = new WeakMap<object, Alerts>()

const silence: Alerts = { plainHttp: () => {}, cookieSet: () => {}, writeNotAwaited: () => {} }

function createAlerts(): Alerts {
  const given = new Set<AlertCode>()
  const hosts = new Set<string>()

  function warn(code: AlertCode, message: string): void {
    if (given.has(code)) return
    given.add(code)
    process.emitWarning(message, { type: 'FieldwiseWarning', code })
  }

  return {
    plainHttp: (cookie) => warn('FIELDWISE_PLAIN_HTTP', plainHttp(cookie.name)),
    cookieSet(cookie, hostname) {
      if (hostname === undefined || hosts.size === mostHosts) return
      hosts.add(hostname)
      void explainHosts(cookie, hostname, [...hosts]).then((message) => message && warn('FIELDWISE_COOKIE_HOST', message), ignore)
    },
    writeNotAwaited: (method) => warn('FIELDWISE_NOT_AWAITED', notAwaited(method)),
  }
}

type AlertCode = 'FIELDWISE_PLAIN_HTTP' | 'FIELDWISE_COOKIE_HOST' | 'FIELDWISE_NOT_AWAITED'

/** Whoever sends requests chooses the Host header; a few are enough to see the mistake. */
const mostHosts = 8

/** With a Domain each host is judged by itself; without one, hosts that this app set cookies for before are. */
async function explainHosts(cookie: SessionCookie, hostname: string, hosts: readonly string[]): Promise<string | undefined> {
  const [problem] = await checkCookieHosts(cookie.domain === undefined ? hosts : [hostname], cookie)
  if (problem === undefined) return undefined
  return cookie.domain === undefined ? `This app gave sessions to several hosts. ${problem.message}` : problem.message
}

function plainHttp(name: string): string {
  return (
    `The session cookie is sent over plain HTTP, as '${name}' and without Secure, because NODE_ENV is not 'production'. ` +
    'In production it is sent over HTTPS only. If TLS ends at a proxy, tell the framework to trust it'
  )
}

function notAwaited(method: string): string {
  return (
    `session.${method}() was still under way when the response was sent. Await it first: the visitor was told of a write ` +
    'that may fail, and the cookie of a new session is lost'
  )
}

function ignore(): void {}
