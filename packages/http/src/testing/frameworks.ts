import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { type RegisteredSession, sessionOf } from '@fieldwise/http'
import { expressSession } from '@fieldwise/http/express'
import { fastifySession } from '@fieldwise/http/fastify'
import { withSession } from '@fieldwise/http/fetch'
import { honoSession } from '@fieldwise/http/hono'
import { serve } from '@hono/node-server'
import { serveStatic } from '@hono/node-server/serve-static'
import express, { type Request as ExpressRequest, type Response as ExpressResponse, type NextFunction } from 'express'
import express4 from 'express4'
import fastify from 'fastify'
import { Hono } from 'hono'
import { adminCookie, type Framework, type Handler, type Reply, type Shop, type ShopSession } from './shop.js'

/** Every framework that has an adapter, with the same app built as its documentation tells. */
export const frameworks: readonly Framework[] = [
  { name: 'Express 5', start: (shop) => listen(expressApp(express, shop, (handler) => handler)) },
  // What the app uses of Express is the same in both, though their types differ elsewhere.
  { name: 'Express 4', start: (shop) => listen(expressApp(express4 as unknown as typeof express, shop, passRejections)) },
  { name: 'Fastify 5', start: startFastify },
  { name: 'Hono 4', start: startHono },
  { name: 'fetch', start: (shop) => listen(bridge(fetchHandler(shop))) },
]

/** A file that each app serves at `/static/shop.css`, behind the adapter and without a session. */
const staticFolder = fileURLToPath(new URL('./static/', import.meta.url))

type ExpressHandler = (req: ExpressRequest, res: ExpressResponse, next: NextFunction) => Promise<void>

function expressApp(framework: typeof express, shop: Shop, wrap: (handler: ExpressHandler) => ExpressHandler): RequestListener {
  const app = framework()
  app.set('trust proxy', 'loopback')
  app.use(expressSession(shop.sessions, shop.options))
  app.use(expressSession(shop.admins, { cookie: { name: adminCookie } }))
  app.use('/static', framework.static(staticFolder))
  for (const [path, handler] of Object.entries(shop.routes)) app.all(path, wrap(expressHandler(shop, handler)))
  return app
}

/** Express 4 does not look at what a handler returns. */
function passRejections(handler: ExpressHandler): ExpressHandler {
  return async (req, res, next) => handler(req, res, next).catch(next)
}

function expressHandler(shop: Shop, handler: Handler): ExpressHandler {
  return async (req, res) => {
    const {
      status = 200,
      headers = {},
      body = '',
    } = await handler({ session: asRegistered(req.session), admin: () => sessionOf(req, shop.admins) })
    res.status(status).set(headers)
    if (typeof body === 'string') {
      res.send(body)
      return
    }
    for await (const chunk of body) res.write(chunk)
    res.end()
  }
}

/** What an app's `Register` does. There can be one in a program, and this one is many apps. */
function asRegistered(session: RegisteredSession): ShopSession {
  return session as unknown as ShopSession
}

async function startFastify(shop: Shop) {
  const app = fastify({ trustProxy: 'loopback', forceCloseConnections: true })
  await app.register(fastifySession(shop.sessions, shop.options))
  await app.register(fastifySession(shop.admins, { cookie: { name: adminCookie } }))
  app.get('/static/shop.css', (_, reply) => reply.type('text/css').send(createReadStream(`${staticFolder}/shop.css`)))
  for (const [path, handler] of Object.entries(shop.routes)) {
    app.all(path, async (request, reply) => {
      const answer = await handler({ session: asRegistered(request.session), admin: () => sessionOf(request, shop.admins) })
      const { status = 200, headers = {}, body = '' } = answer
      return reply
        .code(status)
        .headers(headers)
        .send(typeof body === 'string' ? body : Readable.from(body))
    })
  }
  await app.listen({ host: '127.0.0.1', port: 0 })
  return { port: (app.server.address() as AddressInfo).port, close: () => app.close() }
}

async function startHono(shop: Shop) {
  const app = new Hono()
    .use(honoSession(shop.sessions, shop.options))
    .use(honoSession(shop.admins, { cookie: { name: adminCookie } }))
    .use('/static/*', serveStatic({ root: staticFolder, rewriteRequestPath: (path) => path.replace('/static', '') }))
  for (const [path, handler] of Object.entries(shop.routes)) {
    app.all(path, async (c) => {
      const {
        status = 200,
        headers = {},
        body,
      } = await handler({
        session: sessionOf(c, shop.sessions),
        admin: () => sessionOf(c, shop.admins),
      })
      return c.body(toBody(body), status as 200, headers)
    })
  }
  const server = serve({ fetch: app.fetch, hostname: '127.0.0.1', port: 0 }) as Server
  await once(server, 'listening')
  return { port: portOf(server), close: () => closeServer(server) }
}

function fetchHandler(shop: Shop): (request: Request) => Promise<Response> {
  const respond = withSession(
    shop.sessions,
    (request, session) =>
      withSession(
        shop.admins,
        async (_, adminSession) => {
          const { pathname } = new URL(request.url)
          if (pathname === '/static/shop.css') return new Response(await readFile(`${staticFolder}/shop.css`))
          const handler = shop.routes[pathname]
          if (handler === undefined) return new Response('Not Found', { status: 404 })
          return toResponse(await handler({ session, admin: () => adminSession }), request.url)
        },
        { cookie: { name: adminCookie } },
      )(request),
    shop.options,
  )
  // React Router answers with a response that is thrown.
  return (request) =>
    respond(request).catch((thrown) => {
      if (thrown instanceof Response) return thrown
      throw thrown
    })
}

function toResponse({ status = 200, headers = {}, body }: Reply, url: string): Response {
  // What a handler often returns, and whose headers are immutable.
  if (headers.location !== undefined) return Response.redirect(new URL(headers.location, url), status)
  return new Response(toBody(body), { status, headers })
}

function toBody(body: Reply['body']): string | ReadableStream {
  if (body === undefined || typeof body === 'string') return body ?? ''
  return Readable.toWeb(Readable.from(encode(body))) as ReadableStream
}

async function* encode(texts: AsyncIterable<string>): AsyncIterable<Uint8Array> {
  for await (const text of texts) yield new TextEncoder().encode(text)
}

/** A fetch handler as a listener of `node:http`. */
function bridge(handler: (request: Request) => Promise<Response>): RequestListener {
  return (req, res) => {
    respond(handler, req, res).catch(() => {
      if (!res.headersSent) res.statusCode = 500
      res.end()
    })
  }
}

async function respond(
  handler: (request: Request) => Promise<Response>,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  const headers = Object.entries(req.headers).flatMap(([name, value]) =>
    [value ?? []].flat().map((one): [string, string] => [name, one]),
  )
  const response = await handler(new Request(`http://${req.headers.host}${req.url}`, { method: req.method ?? 'GET', headers }))
  res.statusCode = response.status
  res.setHeaders(new Map([...response.headers].filter(([name]) => name !== 'set-cookie')))
  const cookies = response.headers.getSetCookie()
  if (cookies.length > 0) res.setHeader('Set-Cookie', cookies)
  for await (const chunk of response.body ?? []) res.write(chunk)
  res.end()
}

export async function listen(listener: RequestListener): Promise<{ port: number; close(): Promise<void> }> {
  const server = createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { port: portOf(server), close: () => closeServer(server) }
}

function portOf(server: Server): number {
  return (server.address() as AddressInfo).port
}

async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}
