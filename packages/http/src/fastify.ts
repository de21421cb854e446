/**
 * Fieldwise sessions for Fastify 5.
 *
 * @module @fieldwise/http/fastify
 */
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import type { Sessions } from 'fieldwise'
import type { RegisteredSession } from './index.js'
import { Carrier, type SessionOptions, sessionOf } from './lib/carrier.js'
import type { ResponseHeaders, Wire } from './lib/exchange.js'

declare module 'fastify' {
  interface FastifyRequest {
    /** The visitor's session. No I/O before it is used; typed by the `Register` interface of `@fieldwise/http`. */
    readonly session: RegisteredSession
  }
}

/**
 * A plugin that gives each request its session as `request.session`. The first one registered has that name; others are found by
 * `sessionOf(request, theirs)`, and need a `cookie.name` of their own.
 *
 * A reply that was hijacked (`reply.hijack()`) sends none of Fastify's headers, and so no cookie: writes that need one are
 * `HEADERS_SENT` there.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for options that contradict each other.
 *
 * @example
 * await app.register(fastifySession(sessions))
 * app.get('/', async (request) => `Visit ${await request.session.increment('visits')}`)
 */
export function fastifySession<F extends object, D extends keyof F>(
  sessions: Sessions<F, D>,
  options: SessionOptions = {},
): FastifyPluginCallback {
  const carrier = new Carrier(sessions, options)
  return asSharedPlugin((app, _, done) => {
    if (!app.hasRequestDecorator('session')) decorate(app, sessions)
    app.addHook('onRequest', (request, reply, next) => {
      carrier.begin(request, fastifyWire(request, reply))
      next()
    })
    app.addHook('onSend', (request, reply, payload, next) => {
      carrier.find(request)?.writeTo(replyHeaders(reply))
      next(null, payload)
    })
    done()
  })
}

function decorate<F extends object, D extends keyof F>(app: FastifyInstance, sessions: Sessions<F, D>): void {
  app.decorateRequest('session', {
    getter(this: FastifyRequest) {
      // What is registered is what the program says that these sessions are.
      return sessionOf(this, sessions) as unknown as RegisteredSession
    },
  })
}

/** What `fastify-plugin` does: the hooks reach the app that registers the plugin, not the plugin alone. */
function asSharedPlugin(plugin: FastifyPluginCallback): FastifyPluginCallback {
  return Object.assign(plugin, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: '@fieldwise/http',
    [Symbol.for('plugin-meta')]: { name: '@fieldwise/http', fastify: '5.x' },
  })
}

function fastifyWire(request: FastifyRequest, reply: FastifyReply): Wire {
  return {
    cookieHeader: () => request.headers.cookie,
    secure: () => request.protocol === 'https',
    hostname: () => request.hostname,
    headersSent: () => reply.sent || reply.raw.headersSent,
    // At once, for the sake of hooks that run after ours; once more in onSend, when the app's own headers are known.
    cookieChanged: (exchange) => exchange.writeTo(replyHeaders(reply)),
  }
}

function replyHeaders(reply: FastifyReply): ResponseHeaders {
  return {
    get: (name) => reply.getHeader(name)?.toString(),
    set: (name, value) => reply.header(name, value),
    cookies: () => [reply.getHeader('set-cookie') ?? []].flat().map(String),
    // Fastify adds to the cookies that are there.
    setCookies: (lines) => reply.removeHeader('set-cookie').header('set-cookie', [...lines]),
  }
}
