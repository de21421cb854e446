import { fromCaller } from 'fieldwise/adapter'
import { cookieValues } from '../cookie/cookie-header.js'
import { isProduction, parsePolicy, type SessionOptions } from './session-adapter.js'

/**
 * The session token in a `Cookie` header, for where no adapter runs, such as a WebSocket upgrade: `sessions.resume(token)`
 * goes on from there. Give the same options as to the adapter.
 *
 * Undefined if there is no such cookie, or if there are several that differ: which one is the visitor's cannot be told here.
 *
 * A WebSocket upgrade carries cookies from any site: check the `Origin` header before you trust it.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for options that cannot work.
 *
 * @example
 * server.on('upgrade', (request, socket, head) => {
 *   const session = sessions.resume(tokenFromCookie(request.headers.cookie))
 * })
 */
export function tokenFromCookie(header: string | undefined, options: SessionOptions = {}): string | undefined {
  const { secure, plain } = fromCaller(tokenFromCookie, () => parsePolicy(options, isProduction()))
  const names = new Set([secure.name, plain.name])
  const values = new Set([...names].flatMap((name) => cookieValues(header, name)))
  return values.size === 1 ? [...values][0] : undefined
}
