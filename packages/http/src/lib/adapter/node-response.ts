import type { ServerResponse } from 'node:http'
import type { ResponseHeaders } from './framework-port.js'

export function nodeHeaders(res: ServerResponse): ResponseHeaders {
  return {
    status: () => res.statusCode,
    names: () => res.getHeaderNames(),
    get: (name) => res.getHeader(name)?.toString(),
    set: (name, value) => res.setHeader(name, value),
    cookies: () => [res.getHeader('set-cookie') ?? []].flat().map(String),
    setCookies: (lines) => res.setHeader('Set-Cookie', lines),
  }
}

/** The path of a request's target, without its query. */
export function pathOf(target = '/'): string {
  return target.split('?', 1)[0] as string
}
