import type { RequestHandler } from 'express'
import type { Origins } from './addresses.js'

/** Browsers say which page a POST comes from. SameSite=Lax keeps the cookie from other sites; this keeps out the rest of this one. */
export function onlyFromPagesOf(origins: Origins): RequestHandler {
  const known = new Set<string | undefined>(Object.values(origins))
  return (request, response, next) => {
    if (request.method === 'GET' || request.method === 'HEAD' || known.has(request.headers.origin)) return next()
    response.status(403).type('text').send('This request did not come from a page of this site\n')
  }
}

/** Lets the pages of `origin` read the answers of this server, and send it the visitor's cookie (CORS). */
export function readableBy(origin: string): RequestHandler {
  return (_request, response, next) => {
    response.set({
      'Access-Control-Allow-Origin': origin,
      'Access-Control-Allow-Credentials': 'true',
      'Cache-Control': 'no-store',
    })
    next()
  }
}
