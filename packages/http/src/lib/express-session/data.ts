import { createHash } from 'node:crypto'
import { isFieldName } from 'fieldwise/adapter'

/** What express-session gives a store to keep, and gets back: the app's properties, and the cookie. */
export interface SessionData {
  readonly cookie: CookieData
  readonly [name: string]: unknown
}

/** The session's cookie, as JSON has it. */
interface CookieData {
  /** The `maxAge` that was asked for, in milliseconds; null for a cookie that ends with the browser's run. */
  readonly originalMaxAge?: number | null
  readonly expires?: unknown
  readonly [name: string]: unknown
}

/** Fields of a session by their names, each as JSON text. */
export type JsonFields = ReadonlyMap<string, string>

const cookieName = 'cookie'

/** A cookie as every app could have one. */
export const plainCookie = '{"originalMaxAge":null,"path":"/","httpOnly":true}'

/** The fields that keep what the app has put into a session. What JSON cannot hold is left out, as in every store of express-session. */
export function fieldsOf(session: object): Map<string, string> {
  const fields = new Map<string, string>()
  for (const [name, value] of Object.entries(session)) {
    const json = name === cookieName ? cookieJson(value) : (JSON.stringify(value) as string | undefined)
    if (json !== undefined) fields.set(fieldName(name), isPlain(name) ? json : `[${JSON.stringify(name)},${json}]`)
  }
  return fields
}

/** The opposite of {@link fieldsOf}, as express-session takes it. */
export function dataOf(fields: JsonFields, now: number): SessionData {
  const properties = Array.from(fields, ([field, json]) => propertyOf(field, JSON.parse(json)))
  const { cookie, ...data } = Object.fromEntries(properties)
  return { cookie: withExpires(cookie as CookieData | undefined, now), ...data }
}

/** How long a session with these fields is to live without being used; undefined where its cookie has no `maxAge`. */
export function idleOf(fields: JsonFields): `${number}ms` | undefined {
  const { originalMaxAge } = JSON.parse(fields.get(cookieName) ?? '{}') as CookieData
  return typeof originalMaxAge === 'number' ? `${Math.max(1, Math.ceil(originalMaxAge))}ms` : undefined
}

/** The name of the field for a property of the app: its own where that can name a field, and otherwise a hash of it. */
export function fieldName(name: string): string {
  return isPlain(name) ? name : hashedPrefix + createHash('sha256').update(name).digest('base64url')
}

/** `oauth2:accounts.example.com`, for one, cannot name a field. Its field holds the name beside the value. */
const hashedPrefix = '_-'

function isPlain(name: string): boolean {
  return isFieldName(name) && !name.startsWith(hashedPrefix)
}

function propertyOf(field: string, value: unknown): [string, unknown] {
  return field.startsWith(hashedPrefix) ? (value as [string, unknown]) : [field, value]
}

/**
 * express-session moves `expires` with every request that has a `maxAge`. Kept is the `maxAge` alone, so that a request that changes
 * nothing writes nothing.
 */
export function cookieJson(cookie: unknown): string {
  const { expires, ...kept } = JSON.parse(JSON.stringify(cookie ?? {})) as CookieData
  return JSON.stringify(typeof kept.originalMaxAge === 'number' ? kept : { ...kept, expires })
}

function withExpires(cookie: CookieData = { originalMaxAge: null }, now: number): CookieData {
  const { originalMaxAge } = cookie
  return typeof originalMaxAge === 'number' ? { ...cookie, expires: new Date(now + originalMaxAge).toISOString() } : cookie
}
