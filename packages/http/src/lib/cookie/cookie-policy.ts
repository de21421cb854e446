import { isIP } from 'node:net'
import { domainToASCII } from 'node:url'
import { stringifySetCookie } from 'cookie'
import { BadConfigError } from 'fieldwise'
import { assertOptions } from 'fieldwise/adapter'

/**
 * One `Set-Cookie` of the session, in the parts that frameworks' own cookie stores take: `cookies.set(cookie)` of Next.js,
 * `event.cookies.set(cookie.name, cookie.value, cookie)` of SvelteKit.
 */
export interface SetCookie {
  readonly name: string
  readonly value: string
  readonly domain?: string
  readonly path: string
  readonly httpOnly: true
  readonly secure: boolean
  readonly sameSite: 'strict' | 'lax' | 'none'
  readonly partitioned: boolean
  /** In seconds; 0 removes the cookie. Without it the cookie lasts until the browser ends its own session. */
  readonly maxAge?: number
}

/** The session's cookie. Every part has a default that is right for one host over HTTPS. It is always HttpOnly. */
export interface CookieOptions {
  /** Default: `__Host-session`; `__Secure-session` with a `domain` or a `path`; `session` without `secure`. */
  readonly name?: string | undefined
  /** The domain whose hosts share the session, such as `example.com`. Default: none, so that the one host that set the cookie gets it back. */
  readonly domain?: string | undefined
  /** Default: `/`. */
  readonly path?: string | undefined
  /**
   * Whether browsers send the cookie over HTTPS only. Default: true; while `NODE_ENV` is not `production`, a request over plain HTTP
   * gets a cookie without it.
   */
  readonly secure?: boolean | undefined
  /** Which requests from other sites carry the cookie. Default: `lax`; `none` with `partitioned`. */
  readonly sameSite?: 'strict' | 'lax' | 'none' | undefined
  /** One cookie jar for each top-level site that embeds this one in a frame. Default: false. */
  readonly partitioned?: boolean | undefined
}

/** Which cookie a request over HTTPS carries, and which one over plain HTTP. They are one and the same outside development. */
export interface CookiePolicy {
  readonly secure: SessionCookie
  readonly plain: SessionCookie
}

/** The cookie of one kind of connection, all decided. */
export interface SessionCookie {
  readonly name: string
  readonly domain: string | undefined
  readonly path: string
  readonly secure: boolean
  /** What carries `token`; for `maxAge` milliseconds, or until the browser ends its own session. */
  set(token: string, maxAge?: number): SetCookie
  /** What removes the cookie, or a twin of it: one with its name that was set for another domain or path. */
  clear(twin?: { readonly domain: string | undefined; readonly path: string }): SetCookie
}

/**
 * Decides the cookie from the options, once, when the adapter is made.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for options that contradict each other or that no browser would keep.
 */
export function createCookiePolicy(options: CookieOptions, production: boolean): CookiePolicy {
  assertCookieOptions(options)
  const secure = createCookie(options, true)
  const plain = createCookie(options, false)
  if (options.secure === false) return { secure: plain, plain }
  const always = options.secure === true || production || options.sameSite === 'none' || options.partitioned === true
  return always ? { secure, plain: secure } : { secure, plain }
}

/** RFC 6265bis, section 5.7: a longer cookie is ignored by browsers. */
const largestCookie = 4_096
const longestToken = 113
/** The prefixes that bind a browser to rules (RFC 6265bis, section 4.1.3); browsers compare them without regard to case. */
const prefixPattern = /^__(host|secure|http|host-http)-/i
/** `token` of RFC 9110, section 5.6.2. */
const namePattern = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
/** `path-value` of RFC 6265, section 4.1.1. */
const pathPattern = /^\/[\x20-\x3a\x3c-\x7e]*$/
const optionNames = ['name', 'domain', 'path', 'secure', 'sameSite', 'partitioned']

function assertCookieOptions(options: CookieOptions): void {
  assertOptionNames(options)
  assertName(options)
  assertDomain(options.domain)
  assertPath(options.path)
  assertBoolean('secure', options.secure)
  assertBoolean('partitioned', options.partitioned)
  assertSameSite(options)
  assertPartitioned(options)
  assertSize(options)
}

function assertOptionNames(options: CookieOptions): void {
  for (const [name, hint] of Object.entries(optionHints)) {
    if (Object.hasOwn(options, name)) throw new BadConfigError(`cookie.${name} is not an option${hint}`)
  }
  assertOptions('cookie', options, optionNames)
}

const optionHints: Readonly<Record<string, string>> = {
  httpOnly: ': the cookie is always HttpOnly',
  maxAge: ": give `persist: true` to sessions.create() or session.regenerate(); how long follows from the session's lifetime",
  expires: ": give `persist: true` to sessions.create() or session.regenerate(); how long follows from the session's lifetime",
  samesite: ': write sameSite',
}

function assertName({ name, domain, path, secure }: CookieOptions): void {
  if (name === undefined) return
  if (typeof name !== 'string' || !namePattern.test(name))
    throw new BadConfigError('cookie.name has a character that is not allowed in a cookie name')
  const prefix = prefixPattern.exec(name)?.[0]
  if (prefix === undefined) return
  if (prefix.length === name.length) throw new BadConfigError(`cookie.name is only the prefix ${prefix}; add a name to it`)
  if (secure === false)
    throw new BadConfigError(`Browsers refuse a cookie named ${prefix}… without Secure; leave out \`secure: false\``)
  if (!/^__host-/i.test(prefix)) return
  if (domain !== undefined)
    throw new BadConfigError(`Browsers refuse a cookie named ${prefix}… with a Domain; name it __Secure-…`)
  if (path !== undefined && path !== '/')
    throw new BadConfigError(`Browsers refuse a cookie named ${prefix}… with a Path other than /; leave out cookie.path`)
}

function assertDomain(domain: string | undefined): void {
  if (domain === undefined) return
  if (typeof domain !== 'string') throw new BadConfigError('cookie.domain must be a host name such as example.com')
  const name = canonicalDomain(domain)
  if (isIP(name) !== 0) throw new BadConfigError('cookie.domain is an IP address, which covers no other host; leave it out')
  if (!isHostName(name))
    throw new BadConfigError('cookie.domain is not a host name; write it like example.com, without scheme, port or path')
}

/** RFC 6265bis, section 5.6.3: a leading dot means nothing; names compare in lower case, as punycode. */
export function canonicalDomain(domain: string): string {
  return domainToASCII(domain.replace(/^\./, ''))
}

export function isHostName(name: string): boolean {
  return name.length <= 253 && /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/.test(name)
}

function assertPath(path: string | undefined): void {
  if (path === undefined) return
  if (typeof path !== 'string' || !isCookiePath(path)) {
    throw new BadConfigError('cookie.path must begin with / and contain no semicolons or control characters')
  }
}

export function isCookiePath(path: string): boolean {
  return pathPattern.test(path)
}

function assertBoolean(name: string, value: boolean | undefined): void {
  if (value !== undefined && typeof value !== 'boolean') throw new BadConfigError(`cookie.${name} must be true or false`)
}

function assertSameSite({ sameSite, secure }: CookieOptions): void {
  if (sameSite === undefined) return
  if (!['strict', 'lax', 'none'].includes(sameSite)) throw new BadConfigError("cookie.sameSite must be 'strict', 'lax' or 'none'")
  if (sameSite === 'none' && secure === false) {
    throw new BadConfigError('Browsers refuse SameSite=None without Secure; leave out `secure: false`')
  }
}

function assertPartitioned({ partitioned, sameSite, secure }: CookieOptions): void {
  if (partitioned !== true) return
  if (secure === false) throw new BadConfigError('Browsers refuse Partitioned without Secure; leave out `secure: false`')
  if (sameSite === 'lax' || sameSite === 'strict') {
    throw new BadConfigError(
      `A partitioned cookie is for frames on other sites, which get no SameSite=${sameSite} cookie; leave out sameSite`,
    )
  }
}

function assertSize(options: CookieOptions): void {
  const longest = createCookie(options, true).set('x'.repeat(longestToken), Number.MAX_SAFE_INTEGER)
  const size = Buffer.byteLength(stringifySetCookie(longest))
  if (size > largestCookie)
    throw new BadConfigError(
      `The cookie would take ${size} bytes, and browsers accept at most ${largestCookie}; shorten cookie.name or cookie.path`,
    )
}

function createCookie(options: CookieOptions, secure: boolean): SessionCookie {
  const name = cookieName(options, secure)
  const domain = options.domain === undefined ? undefined : canonicalDomain(options.domain)
  const path = options.path ?? '/'
  const partitioned = options.partitioned ?? false
  const attributes = {
    httpOnly: true,
    secure,
    sameSite: options.sameSite ?? (partitioned ? 'none' : 'lax'),
    partitioned,
  } as const
  const scope = (of: { readonly domain: string | undefined; readonly path: string }) => ({
    ...(of.domain === undefined ? {} : { domain: of.domain }),
    path: of.path,
  })
  return {
    name,
    domain,
    path,
    secure,
    set: (token, maxAge) => ({
      name,
      value: token,
      ...scope({ domain, path }),
      ...attributes,
      ...(maxAge === undefined ? {} : { maxAge: seconds(maxAge) }),
    }),
    clear: (twin = { domain, path }) => ({ name, value: '', ...scope(twin), ...attributes, maxAge: 0 }),
  }
}

function cookieName({ name, domain, path = '/' }: CookieOptions, secure: boolean): string {
  // A prefix promises Secure, so a browser drops the cookie that has the one without the other.
  if (name !== undefined) return secure ? name : name.replace(prefixPattern, '')
  if (!secure) return 'session'
  return domain === undefined && path === '/' ? '__Host-session' : '__Secure-session'
}

function seconds(milliseconds: number): number {
  return Math.max(1, Math.ceil(milliseconds / 1_000))
}
