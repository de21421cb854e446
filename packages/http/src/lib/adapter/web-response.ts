import type { Outgoing, ResponseHeaders } from './framework-port.js'

/**
 * Whether this is a response of the Fetch API, from whatever realm or copy of it: frameworks bring their own, and `instanceof` knows one.
 */
export function isResponse(value: unknown): value is Response {
  if (typeof value !== 'object' || value === null) return false
  const { status, headers, arrayBuffer } = value as { [name: string]: unknown }
  return typeof status === 'number' && typeof arrayBuffer === 'function' && isHeaders(headers)
}

function isHeaders(value: unknown): boolean {
  return typeof value === 'object' && value !== null && typeof (value as { get?: unknown }).get === 'function'
}

/**
 * The response to send: with what the session has to say, or the very one given if that is nothing. A response is the app's, who may
 * keep it and return it to the next visitor, so it is never changed: what leaves with a cookie is a copy.
 */
export function withSessionHeaders(outgoing: Outgoing, response: Response): Response {
  // The response of a failed fetch has no status that a copy could be made with, and is never sent.
  if (!outgoing.hasNews || response.type === 'error') return response
  const { body, status, statusText } = response
  // Headers of our own too: some servers' Response keeps the very object that it is given.
  const copy = new Response(body, { status, statusText, headers: new Headers(response.headers) })
  outgoing.writeTo(webHeaders(copy))
  return copy
}

function webHeaders({ status, headers }: Response): ResponseHeaders {
  return {
    status: () => status,
    names: () => headers.keys(),
    get: (name) => headers.get(name) ?? undefined,
    set: (name, value) => headers.set(name, value),
    cookies: () => headers.getSetCookie(),
    setCookies(lines) {
      headers.delete('Set-Cookie')
      for (const line of lines) headers.append('Set-Cookie', line)
    },
  }
}
