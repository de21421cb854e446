/**
 * Rate limits that all web servers share, on a counter of `fieldwise/shared`, for Express 5 and 4, Fastify 5 and Hono 4, and a store for
 * express-rate-limit.
 *
 * @module @fieldwise/http/rate-limit
 */
import type { IncomingMessage, ServerResponse } from 'node:http'
import { BadConfigError } from 'fieldwise'
import { fromCaller } from 'fieldwise/adapter'
import type { Counter } from 'fieldwise/shared'
import { clientOf } from './lib/rate-limit/address.js'
import { Limiter, type RateLimitOptions, textOf } from './lib/rate-limit/limiter.js'

export type { RateLimitOptions }

/** What the middleware needs of Express's `req`. */
export interface LimitedRequest extends IncomingMessage {
  /** The client's address: Express heeds its setting `trust proxy`. */
  readonly ip?: string | undefined
}

/**
 * A middleware for `app.use` that lets a client make so many requests in a window. Beyond them it answers 429 with `Retry-After`. Every
 * response says in `RateLimit` and `RateLimit-Policy` how many are left.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for options that are wrong.
 *
 * @example
 * const shared = createShared({ store, kinds: { logins: counter({ window: '1m' }) } })
 * app.post('/login', expressRateLimit(shared.logins, { limit: 5, fails: 'closed' }))
 */
export function expressRateLimit(
  counter: Counter,
  options: RateLimitOptions<LimitedRequest>,
): (req: LimitedRequest, res: ServerResponse, next: (error?: unknown) => void) => void {
  const limiter = fromCaller(expressRateLimit, () => new Limiter('expressRateLimit', counter, options, addressOfNode))
  return function fieldwiseRateLimit(req, res, next) {
    limiter.judge(req).then(({ status, headers }) => {
      for (const [name, value] of Object.entries(headers)) res.setHeader(name, value)
      if (status === undefined) return next()
      res.statusCode = status
      res.setHeader('Content-Type', 'text/plain; charset=utf-8')
      res.end(textOf(status))
    }, next)
  }
}

/** What the hook needs of Fastify's request. */
export interface LimitedFastifyRequest {
  /** The client's address: Fastify heeds its option `trustProxy`. */
  readonly ip: string | undefined
  readonly headers: IncomingMessage['headers']
}

/** What the hook needs of Fastify's reply. */
export interface LimitedFastifyReply {
  /** Sets a header field. */
  header(name: string, value: string): unknown
  /** Sets the status. */
  code(status: number): unknown
  /** Ends the response. */
  send(payload: string): unknown
}

/**
 * The same as a hook of Fastify, for all routes (`app.addHook('onRequest', …)`) or one of them (`{ onRequest: … }`).
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for options that are wrong.
 *
 * @example
 * import { fastifyRateLimit } from '@fieldwise/http/rate-limit'
 * import Fastify from 'fastify'
 * import { counter, createShared } from 'fieldwise/shared'
 *
 * const shared = createShared({ kinds: { requests: counter({ window: '1m' }) } })
 * const app = Fastify()
 * app.addHook('onRequest', fastifyRateLimit(shared.requests, { limit: 100, fails: 'open' }))
 */
export function fastifyRateLimit(
  counter: Counter,
  options: RateLimitOptions<LimitedFastifyRequest>,
): (request: LimitedFastifyRequest, reply: LimitedFastifyReply) => Promise<unknown> {
  const addressOf = ({ ip }: LimitedFastifyRequest) => clientOf(ip)
  const limiter = fromCaller(fastifyRateLimit, () => new Limiter('fastifyRateLimit', counter, options, addressOf))
  return async function fieldwiseRateLimit(request, reply) {
    const { status, headers } = await limiter.judge(request)
    for (const [name, value] of Object.entries(headers)) reply.header(name, value)
    if (status === undefined) return undefined
    reply.code(status)
    reply.send(textOf(status))
    return reply
  }
}

/** What the middleware needs of Hono's context. */
export interface LimitedContext {
  /** The request. */
  readonly req: {
    /** A header field of the request. */
    header(name: string): string | undefined
  }
  /** Sets a header field. */
  header(name: string, value: string): void
  /** Makes the response. */
  text(text: string, status: 429 | 503): Response
}

/**
 * The same as a middleware of Hono. Where the client's address is depends on what Hono runs on, so `by` has to say who a request is counted for.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for options that are wrong.
 *
 * @example
 * const shared = createShared({ store, kinds: { requests: counter({ window: '1m' }) } })
 * const app = new Hono()
 * app.use(honoRateLimit(shared.requests, { limit: 100, fails: 'open', by: (c) => c.req.header('x-api-key') }))
 */
export function honoRateLimit<C extends LimitedContext>(
  counter: Counter,
  options: RateLimitOptions<C> & Required<Pick<RateLimitOptions<C>, 'by'>>,
): (c: C, next: () => Promise<void>) => Promise<Response | undefined> {
  const limiter = fromCaller(honoRateLimit, () => new Limiter('honoRateLimit', counter, options, undefined))
  return async function fieldwiseRateLimit(c, next) {
    const { status, headers } = await limiter.judge(c)
    for (const [name, value] of Object.entries(headers)) c.header(name, value)
    if (status !== undefined) return c.text(textOf(status), status)
    await next()
    return undefined
  }
}

/** What express-rate-limit asks of a store. */
export interface RateLimitStore {
  /** Whether another store of its own would count apart. */
  readonly localKeys: false
  /** @throws {BadConfigError} (`BAD_CONFIG`) where its window is another than the counter's. */
  init(options: { readonly windowMs: number }): void
  /** How often a client was counted; undefined where no window is open. */
  get(key: string): Promise<RateLimitHits | undefined>
  /** Counts a request. */
  increment(key: string): Promise<RateLimitHits>
  /** Takes a request back. */
  decrement(key: string): Promise<void>
  /** Ends a client's window. */
  resetKey(key: string): Promise<void>
}

/** How often a client was counted in its present window, as express-rate-limit has it. */
export interface RateLimitHits {
  readonly totalHits: number
  readonly resetTime: Date
}

/**
 * A store for express-rate-limit, whose `windowMs` has to be the counter's window. What happens while the store is away is for its option
 * `passOnStoreError` to say.
 *
 * @example
 * import { rateLimitStore } from '@fieldwise/http/rate-limit'
 * import { rateLimit } from 'express-rate-limit'
 * import { counter, createShared } from 'fieldwise/shared'
 *
 * const shared = createShared({ kinds: { requests: counter({ window: '15m' }) } })
 * const limiter = rateLimit({ windowMs: 15 * 60_000, limit: 100, store: rateLimitStore(shared.requests) })
 */
export function rateLimitStore(counter: Counter): RateLimitStore {
  return {
    localKeys: false,
    init({ windowMs }) {
      if (windowMs === counter.window) return
      throw new BadConfigError(`express-rate-limit has windowMs: ${windowMs}, and the counter a window of ${counter.window} ms`)
    },
    async get(key) {
      const found = await counter.peek(key)
      return found && { totalHits: found.count, resetTime: found.resetsAt }
    },
    async increment(key) {
      const { count, resetsAt } = await counter.increment(key)
      return { totalHits: count, resetTime: resetsAt }
    },
    async decrement(key) {
      await counter.increment(key, { by: -1 })
    },
    async resetKey(key) {
      await counter.reset(key)
    },
  }
}

function addressOfNode(req: LimitedRequest): string {
  return clientOf(req.ip ?? req.socket.remoteAddress)
}
