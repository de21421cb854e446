import { fileURLToPath } from 'node:url'
import { expressSession } from '@fieldwise/http/express'
import express, { type ErrorRequestHandler, type Express, type RequestHandler, type Response, type Router } from 'express'
import { isFieldwiseError } from 'fieldwise'
import { account } from './account.js'
import { type Addresses, domain, type Site } from './addresses.js'
import { onlyFromPagesOf } from './cross-origin.js'
import { html } from './html.js'
import { page, type Town } from './page.js'
import { race } from './race.js'
import type { Sessions } from './sessions.js'

/** What both servers have in common, around the pages of one of them. */
export function webServer(site: Site, town: Town, sessions: Sessions, pages: Router): Express {
  const origins = town.addresses.fieldwise
  const app = express()
  app.disable('x-powered-by')
  app.use(safeHeaders(town.addresses))
  app.use(onlyUnderOwnName(origins[site]))
  app.use('/public', express.static(publicFolder))
  app.use(onlyForThisVisitor, onlyFromPagesOf(origins))
  app.use(expressSession(sessions, { cookie: { domain, secure: false } }))
  app.use(express.urlencoded({ extended: false, limit: '1kb' }))
  app.use(account(), race(origins), pages)
  app.use((_request, response) => {
    sorry(response, site, town, 404, 'There is nothing here')
  })
  app.use(failures(site, town))
  return app
}

const publicFolder = fileURLToPath(new URL('../public/', import.meta.url))

function safeHeaders({ fieldwise, expressSession }: Addresses): RequestHandler {
  const others = [...Object.values(fieldwise), ...Object.values(expressSession)].join(' ')
  const policy = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self'",
    `connect-src ${others}`,
    "form-action 'self'",
    "frame-ancestors 'none'",
    "base-uri 'none'",
  ].join('; ')
  return (_request, response, next) => {
    response.set({
      'Content-Security-Policy': policy,
      'X-Content-Type-Options': 'nosniff',
      'Referrer-Policy': 'same-origin',
      'Cross-Origin-Opener-Policy': 'same-origin',
    })
    next()
  }
}

/** A page of somebody else whose name was pointed at this machine (DNS rebinding) gets no answer. */
function onlyUnderOwnName(origin: string): RequestHandler {
  const { host } = new URL(origin)
  return (request, response, next) => {
    if (request.headers.host === host) return next()
    response.status(421).type('text').send(`This server answers at ${origin}/\n`)
  }
}

/** Every answer from here on depends on who asks. */
const onlyForThisVisitor: RequestHandler = (_request, response, next) => {
  response.set('Cache-Control', 'private, no-cache')
  next()
}

function failures(site: Site, town: Town): ErrorRequestHandler {
  return (error, _request, response, next) => {
    if (response.headersSent) return next(error)
    const status = statusOf(error)
    if (status === 500) console.error(error)
    // A store that does not answer brings its Retry-After along.
    if (error instanceof Error && 'headers' in error) response.set(error.headers)
    sorry(response, site, town, status, messages[status] ?? 'This request cannot be understood')
  }
}

/** Errors of the store and of Express's own parts know their status. */
function statusOf(error: unknown): number {
  if (isFieldwiseError(error, 'SESSION_GONE')) return 409
  if (isFieldwiseError(error, 'FIELD_INVALID')) return 400
  return error instanceof Error && 'status' in error ? Number(error.status) : 500
}

const messages: Readonly<Record<number, string>> = {
  400: 'That value does not fit',
  409: 'Your session ended meanwhile',
  500: 'Something went wrong',
  503: 'The session store does not answer',
}

function sorry(response: Response, site: Site, town: Town, status: number, what: string): void {
  const body = html`<section class="sorry"><h1>${what}</h1><p><a class="button" href="/">Back to the start</a></p></section>`
  response.status(status).send(page({ site, town, title: what, body }))
}
