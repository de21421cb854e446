import { isIP } from 'node:net'
import { stringifySetCookie } from 'cookie'
import { canonicalDomain, isCookiePath, isHostName, type SessionCookie } from './cookie-policy.js'

/** Where a request went, as its browser saw it. */
export interface CookiePlace {
  readonly hostname: string | undefined
  readonly path: string
}

/**
 * The `Set-Cookie` lines that remove the twins of the session's cookie: those with its name that a browser sends to the same place and that
 * were set for another domain or path (RFC 6265, section 5.3, step 11), by earlier settings of this app or by a sister host. While a
 * twin names a living session too, nobody can tell which one is the visitor's, and neither counts; so whoever sets the cookie removes them.
 */
export function twinRemovals(cookie: SessionCookie, place: CookiePlace): string[] {
  // No other domain or path can have this name.
  if (/^__host-/i.test(cookie.name)) return []
  const scopes = [...pathsOf(cookie, place)].flatMap((path) => domainsOf(place).map((domain) => ({ domain, path })))
  const twins = scopes.filter(({ domain, path }) => domain !== cookie.domain || path !== cookie.path)
  return withinRoom(twins.map((twin) => stringifySetCookie(cookie.clear(twin))))
}

/** Proxies keep little room for an answer's headers, nginx 4,096 bytes. What comes first is likeliest. */
function withinRoom(lines: readonly string[]): string[] {
  let left = 2_048
  return lines.filter((line) => {
    left -= line.length
    return left >= 0
  })
}

/** The host alone, then the host and the domains above it. Browsers ignore the one that is a public suffix. */
function domainsOf({ hostname }: CookiePlace): (string | undefined)[] {
  const host = canonicalDomain(hostname ?? '')
  if (isIP(host) !== 0 || !isHostName(host)) return [undefined]
  const labels = host.split('.')
  return [undefined, ...labels.slice(0, -1).map((_, at) => labels.slice(at).join('.'))]
}

/** The cookie's own path, then each that the request's path matches (RFC 6265, section 5.1.4), from the shortest on. */
function pathsOf(cookie: SessionCookie, { path }: CookiePlace): Set<string> {
  const ends = Array.from(path, (_, at) => at).filter((at) => path[at] === '/')
  const above = ends.flatMap((at) => [path.slice(0, at), path.slice(0, at + 1)])
  return new Set([cookie.path, ...[...above, path].filter(isCookiePath)])
}
