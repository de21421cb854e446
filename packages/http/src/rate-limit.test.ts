import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  expressRateLimit,
  fastifyRateLimit,
  honoRateLimit,
  type RateLimitOptions,
  rateLimitStore,
} from '@fieldwise/http/rate-limit'
import { serve } from '@hono/node-server'
import express from 'express'
import { rateLimit } from 'express-rate-limit'
import express4 from 'express4'
import Fastify from 'fastify'
import { memoryStore } from 'fieldwise'
import { type Counter, counter, createShared } from 'fieldwise/shared'
import { Hono } from 'hono'
import { afterEach, describe, expect, test } from 'vitest'
import { World } from '../../../test/support/world.js'
import { clientOf } from './lib/rate-limit/address.js'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

const kinds = { requests: counter({ window: '1m' }) }
const byKey = (header: string | string[] | undefined) => (typeof header === 'string' ? header : undefined)

type Options = Pick<RateLimitOptions<never>, 'limit' | 'fails' | 'name'>

/** A web server of each framework, whose only route says `hello` to the client named by `x-client`. */
const frameworks: Record<string, (requests: Counter, options: Options) => Promise<string>> = {
  'Express 5': async (requests, options) => {
    const app = express()
    app.use(expressRateLimit(requests, { ...options, by: (req) => byKey(req.headers['x-client']) }))
    app.get('/', (_req, res) => void res.send('hello'))
    return listening(createServer(app))
  },
  'Express 4': async (requests, options) => {
    const app = express4()
    app.use(expressRateLimit(requests, { ...options, by: (req) => byKey(req.headers['x-client']) }))
    app.get('/', (_req, res) => void res.send('hello'))
    return listening(createServer(app))
  },
  'Fastify 5': async (requests, options) => {
    const app = Fastify()
    app.addHook('onRequest', fastifyRateLimit(requests, { ...options, by: ({ headers }) => byKey(headers['x-client']) }))
    app.get('/', async () => 'hello')
    ends.push(() => app.close())
    return app.listen({ port: 0, host: '127.0.0.1' })
  },
  'Hono 4': async (requests, options) => {
    const app = new Hono()
    app.use(honoRateLimit(requests, { ...options, by: (c) => c.req.header('x-client') }))
    app.get('/', (c) => c.text('hello'))
    app.onError((_error, c) => c.text('failed', 500))
    return new Promise((resolve) => {
      const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
        resolve(`http://127.0.0.1:${port}`),
      )
      ends.push(() => server.close())
    })
  },
}

describe.each(Object.entries(frameworks))('%s', (_, start) => {
  test('lets a client make so many requests in a window, and says with each how many are left', async () => {
    const world = new World()
    const [one, other] = [world.sharing(kinds), world.sharing(kinds)]
    const options = { limit: 3, fails: 'closed', name: 'hello' } as const
    const servers = [await start(one.shared.requests, options), await start(other.shared.requests, options)]
    const ask = (server: number, client: string) => fetch(servers[server] as string, { headers: { 'x-client': client } })
    for (const left of [2, 1, 0]) {
      const answer = await ask(left % 2, 'ada')
      expect([answer.status, await answer.text()]).toEqual([200, 'hello'])
      expect(answer.headers.get('ratelimit-policy')).toBe('"hello";q=3;w=60')
      expect(answer.headers.get('ratelimit')).toBe(`"hello";r=${left};t=60`)
    }
    await world.time.advance(20_500)
    const refused = await ask(1, 'ada')
    expect([refused.status, await refused.text()]).toEqual([429, 'Too Many Requests'])
    expect(refused.headers.get('retry-after')).toBe('40')
    expect(refused.headers.get('ratelimit')).toBe('"hello";r=0;t=40')
    expect((await ask(0, 'grace')).status).toBe(200)
    await world.time.advance(39_500)
    expect((await ask(0, 'ada')).status).toBe(200)
  })

  test('does not limit a request that is counted for nobody', async () => {
    const { shared } = new World().sharing(kinds)
    const server = await start(shared.requests, { limit: 1, fails: 'closed' })
    for (let request = 0; request < 3; request++) {
      const answer = await fetch(server)
      expect([answer.status, answer.headers.get('ratelimit')]).toEqual([200, null])
    }
  })

  test.each([
    ['open', 200, null],
    ['closed', 503, '1'],
  ] as const)('fails %s while the store is away', async (fails, status, retryAfter) => {
    const { store, shared } = new World().sharing(kinds)
    const server = await start(shared.requests, { limit: 1, fails })
    store.outage = 'refused'
    const answer = await fetch(server, { headers: { 'x-client': 'ada' } })
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([status, retryAfter])
    store.outage = undefined
    expect((await fetch(server, { headers: { 'x-client': 'ada' } })).status).toBe(200)
  })

  test('hands what `by` throws to the framework', async () => {
    const { shared } = new World().sharing(kinds)
    const server = await start(shared.requests, { limit: 1, fails: 'open' })
    expect((await fetch(server, { headers: { 'x-client': '' } })).status).toBe(500)
  })
})

test('by default a client is its address, as the framework tells it', async () => {
  const { shared } = new World().sharing(kinds)
  const app = express().set('trust proxy', 1)
  app.use(expressRateLimit(shared.requests, { limit: 1, fails: 'closed' }))
  app.get('/', (_req, res) => void res.send('hello'))
  const server = await listening(createServer(app))
  const from = async (address: string) => (await fetch(server, { headers: { 'x-forwarded-for': address } })).status
  expect([await from('203.0.113.7'), await from('203.0.113.7'), await from('203.0.113.8')]).toEqual([200, 429, 200])
  expect([await from('2001:db8::1'), await from('2001:db8::2'), await from('2001:db8:0:1::1')]).toEqual([200, 429, 200])

  const fastify = Fastify({ trustProxy: true })
  fastify.addHook('onRequest', fastifyRateLimit(shared.requests, { limit: 1, fails: 'closed' }))
  fastify.get('/', async () => 'hello')
  const ask = async (address: string) => (await fastify.inject({ url: '/', headers: { 'x-forwarded-for': address } })).statusCode
  expect([await ask('203.0.113.7'), await ask('203.0.113.9')]).toEqual([429, 200])
  await fastify.close()
})

test('who hangs up before they are counted is counted all the same', async () => {
  const { requests } = createShared({ kinds })
  const limit = expressRateLimit(requests, { limit: 2, fails: 'closed' })
  const ask = () => {
    const res = { statusCode: 200, setHeader: () => {}, end: () => {} }
    return new Promise<number>((resolve) => {
      res.end = () => resolve(res.statusCode)
      limit({ headers: {}, socket: {} } as never, res as never, () => resolve(200))
    })
  }
  expect([await ask(), await ask(), await ask()]).toEqual([200, 200, 429])
})

test.each([
  ['203.0.113.7', '203.0.113.7'],
  ['::ffff:203.0.113.7', '203.0.113.7'],
  ['::1', '0:0:0:0::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['2001:DB8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:db8:1:2::', '2001:db8:1:2::/64'],
  ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ['64:ff9b::203.0.113.7', '64:ff9b:0:0::/64'],
  ['unix', 'unix'],
])('%s is the client %s', (address, client) => {
  expect(clientOf(address)).toBe(client)
})

const bad: [what: string, options: object, says: RegExp][] = [
  ['no limit', { fails: 'open' }, /limit is a whole number/],
  ['half a request', { limit: 0.5, fails: 'open' }, /limit is a whole number/],
  ['no choice of what an outage means', { limit: 5 }, /fails is 'open' or 'closed'/],
  ['a name that is no header', { limit: 5, fails: 'open', name: 'a"b' }, /without quotes/],
  ['an option of another library', { max: 5, fails: 'open' }, /has no option 'max'/],
]

test.each(bad)('%s is refused', (_, options, says) => {
  const { requests } = createShared({ kinds })
  expect(() => expressRateLimit(requests, options as never)).toThrow(says)
  expect(() => fastifyRateLimit(requests, options as never)).toThrow(says)
})

test('what is no counter is refused, and Hono has to be told who is counted', () => {
  expect(() => expressRateLimit({} as never, { limit: 5, fails: 'open' })).toThrow(/takes a counter of createShared first/)
  const { requests } = createShared({ kinds })
  expect(() => honoRateLimit(requests, { limit: 5, fails: 'open' } as never)).toThrow(/needs by/)
})

describe('as a store of express-rate-limit', () => {
  test('it counts for all servers, takes back, and resets', async () => {
    const app = express()
    const store = memoryStore()
    const [one, other] = [createShared({ kinds, store }), createShared({ kinds, store })]
    const limiter = rateLimit({
      windowMs: 60_000,
      limit: 2,
      standardHeaders: 'draft-8',
      store: rateLimitStore(one.requests),
      keyGenerator: (req) => String(req.headers['x-client']),
      skipFailedRequests: true,
    })
    app.use(limiter)
    app.get('/', (_req, res) => void res.send('hello'))
    const server = await listening(createServer(app))
    const ask = async (path = '/') => (await fetch(server + path, { headers: { 'x-client': 'ada' } })).status
    expect(await ask('/failing')).toBe(404)
    await expect.poll(() => limiter.getKey('ada')).toMatchObject({ totalHits: 0 })
    expect([await ask(), await ask(), await ask()]).toEqual([200, 200, 429])
    // What was refused is taken back too.
    await expect.poll(async () => (await other.requests.peek('ada'))?.count).toBe(2)
    await rateLimitStore(other.requests).resetKey('ada')
    expect(await ask()).toBe(200)
  })

  test('a window of its own is refused', () => {
    const { requests } = createShared({ kinds })
    expect(() => rateLimitStore(requests).init({ windowMs: 1_000 })).toThrow(/a window of 60000 ms/)
    expect(() => rateLimitStore(requests).init({ windowMs: 60_000 })).not.toThrow()
  })
})

function listening(server: Server): Promise<string> {
  ends.push(() => server.close())
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
  })
}
