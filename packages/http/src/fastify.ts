/**
 * Fieldwise sessions for Fastify 5.
 *
 * @module @fieldwise/http/fastify
 */
import type { FastifyInstance, FastifyPluginCallback, FastifyReply, FastifyRequest } from 'fastify'
import type { Sessions } from 'fieldwise'
import onHeaders from 'on-headers'
import type { RegisteredSession } from './index.js'
import type { FrameworkPort } from './lib/adapter/framework-port.js'
import { nodeHeaders, pathOf } from './lib/adapter/node-response.js'
import { SessionAdapter, type SessionOptions, sessionOf } from './lib/adapter/session-adapter.js'

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
 * A reply that was hijacked (`reply.hijack()`) may never send headers, so writes that need a cookie are `HEADERS_SENT` from then on. The
 * cookie of an earlier one leaves with `reply.raw`'s headers.
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
  const adapter = new SessionAdapter(sessions, options, fastifySession)
  return asSharedPlugin((app, _, done) => {
    if (!app.hasRequestDecorator('session')) decorate(app, sessions)
    app.addHook('onRequest', (request, reply, next) => {
      adapter.begin(request, fastifyPort(request, reply))
      next()
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
    setter: refuse,
  })
}

/** `request.session = null` ends a session elsewhere; here it would end nothing. */
function refuse(): never {
  throw new TypeError('request.session cannot be replaced; to end the session, await request.session.destroy()')
}

/** What `fastify-plugin` does: the hooks reach the app that registers the plugin, not the plugin alone. */
function asSharedPlugin(plugin: FastifyPluginCallback): FastifyPluginCallback {
  return Object.assign(plugin, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('fastify.display-name')]: '@fieldwise/http',
    [Symbol.for('plugin-meta')]: { name: '@fieldwise/http', fastify: '5.x' },
  })
}

function fastifyPort(request: FastifyRequest, reply: FastifyReply): FrameworkPort {
  return {
    cookieHeader: () => request.headers.cookie,
    secure: () => request.protocol === 'https',
    hostname: () => request.hostname,
    path: () => pathOf(request.originalUrl),
    headersSent: () => reply.sent || reply.raw.headersSent,
    // At the raw response, when its headers leave: all of the app's are known then, and a reply that was hijacked since sends it too.
    announce: (outgoing) => onHeaders(reply.raw, () => outgoing.writeTo(nodeHeaders(reply.raw))),
  }
}
