import { once } from 'node:events'
import { createServer, get, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { createSessions } from 'fieldwise'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import * as z from 'zod'
import { type Inspector, inspector } from './inspector.js'
import { assets } from './lib/inspector/assets.js'
import type { Frame } from './lib/inspector/frame.js'
import { tell, writeEvent } from './testing/events.js'

let shown: Inspector
const ends: (() => void)[] = []

beforeEach(() => {
  shown = inspector()
})
afterEach(() => {
  shown.close()
  for (const end of ends.splice(0)) end()
  vi.unstubAllEnvs()
})

describe('what it shows of real sessions', () => {
  test('is what they did', async () => {
    await using sessions = createSessions({ schema })
    const session = await sessions.create()
    await Promise.all([1, 2, 3, 4].map(() => session.increment('visits')))
    await session.set('cart', ['bread'])
    await session.delete('cart')
    await sessions.open(`${session.id}.${'A'.repeat(43)}`)
    const { totals, sessions: seen, fleet, latest } = await firstFrame(shown)
    expect(totals).toMatchObject({
      operations: 8,
      writes: 3,
      combined: 3,
      forged: 1,
      lost: 0,
      conflicts: 0,
      unavailable: 0,
      sessions: 1,
    })
    expect(seen).toMatchObject([{ sid: session.id, store: 'memory', state: 'live', operations: 7, forged: 1 }])
    const visits = seen[0]?.fields.find(({ field }) => field === 'visits')
    expect(visits).toMatchObject({ writes: 1, conflicts: 0 })
    expect(visits?.bytes).toBeGreaterThan(0)
    expect(latest.map(({ field, deleted, combined }) => [field, deleted, combined])).toEqual([
      ['cart', true, 1],
      ['cart', false, 1],
      ['visits', false, 4],
    ])
    expect(fleet.servers).toMatchObject([{ label: 'memory', health: 'answers', share: 1, sessions: 1 }])
  })

  test('is that a session ended', async () => {
    await using sessions = createSessions({ schema })
    const session = await sessions.create()
    await session.destroy()
    expect((await firstFrame(shown)).sessions).toMatchObject([{ sid: session.id, state: 'ended' }])
  })

  test('is how many calls were about users, and how many sessions ended by them', async () => {
    await using sessions = createSessions({ schema })
    const kept = await sessions.create({}, { user: 'ada' })
    for (let device = 0; device < 3; device++) await sessions.create({}, { user: 'ada' })
    await sessions.user('ada').list()
    await sessions.user('ada').end({ except: kept })
    const { totals, sessions: seen } = await firstFrame(shown)
    expect(totals).toMatchObject({ userCalls: 2, ended: 3 })
    expect(seen.map(({ sid, state }) => [sid === kept.id, state]).sort()).toEqual([
      [false, 'ended'],
      [false, 'ended'],
      [false, 'ended'],
      [true, 'live'],
    ])
  })

  test('holds no token, no secret and no value', async () => {
    const canary = 'canary-7f3a'
    await using sessions = createSessions({ schema, prefix: 'shop:' })
    const session = await sessions.create({ username: canary, cart: [canary] })
    await session.set('username', `${canary}!`)
    await session.update('cart', (cart) => [...cart, canary])
    await session.take('username')
    const before = session.token as string
    await session.regenerate()
    await session.set('visits', canary as unknown as number).catch(() => {})
    await session
      .update('cart', () => {
        throw new Error(canary)
      })
      .catch(() => {})
    await sessions.open(before)
    const everything = JSON.stringify(await firstFrame(shown))
    expect(everything).toContain(session.id)
    for (const token of [before, session.token as string]) expect(everything).not.toContain(token.split('.')[1])
    expect(everything).not.toContain(canary)
  })

  test('is remembered from when it was made until it is closed', async () => {
    await using sessions = createSessions({ schema })
    const late = inspector()
    ends.push(late.close)
    await sessions.create()
    shown.close()
    await sessions.create()
    expect((await firstFrame(late)).totals.operations).toBe(2)
    expect((await firstFrame(shown)).totals.operations).toBe(1)
  })
})

test('a long run takes no more memory than a short one: what is shown is bounded', async () => {
  for (let n = 0; n < 20_000; n++) tell('fieldwise:write', writeEvent({ sid: `s${n}`, field: `f${n % 100}`, server: `x${n}` }))
  const frame = await firstFrame(shown)
  expect(frame.totals).toMatchObject({ writes: 20_000, sessions: 20_000 })
  expect(frame.sessions).toHaveLength(50)
  expect(frame.latest).toHaveLength(30)
  expect(JSON.stringify(frame).length).toBeLessThan(50_000)
})

describe('in production', () => {
  test('it is refused', () => {
    vi.stubEnv('NODE_ENV', 'production')
    expect(() => inspector()).toThrow(
      expect.objectContaining({ code: 'BAD_CONFIG', message: expect.stringContaining('production: true') }),
    )
  })

  test('it is there if that is asked for', () => {
    vi.stubEnv('NODE_ENV', 'production')
    ends.push(inspector(undefined, { production: true }).close)
  })
})

describe('as a fetch handler', () => {
  test('it serves the page and everything that the page needs, all of it from here', async () => {
    const page = await shown.fetch(new Request('http://localhost/fieldwise/'))
    const html = await page.text()
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    const linked = [...html.matchAll(/(?:src|href)="([^"#]+)"/g)].map((match) => match[1] as string)
    expect(linked.filter((link) => !assets.has(link))).toEqual([])
    for (const name of assets.keys()) {
      const response = await shown.fetch(new Request(`http://localhost/fieldwise/${name}`))
      expect([name, response.status]).toEqual([name, 200])
      for (const imported of (await response.text()).matchAll(/^import .* from '\.\/(.+)'$/gm))
        expect(assets.has(imported[1] as string)).toBe(true)
    }
  })

  test('it allows nothing from elsewhere, no frame around it, and no copy of it', async () => {
    const { headers } = await shown.fetch(new Request('http://localhost/fieldwise/'))
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
    expect(headers.get('cross-origin-resource-policy')).toBe('same-origin')
    expect(headers.get('x-content-type-options')).toBe('nosniff')
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('access-control-allow-origin')).toBeNull()
  })

  test('what is not under its path is not its own', async () => {
    for (const path of [
      '/',
      '/fieldwisely/',
      '/other/fieldwise/',
      '/fieldwise/../package.json',
      '/fieldwise/main.ts',
      '/fieldwise/%2e%2e/main.js',
    ]) {
      expect((await shown.fetch(new Request(`http://localhost${path}`))).status).toBe(404)
    }
  })

  test('the path without its slash leads to the page', async () => {
    const response = await shown.fetch(new Request('http://localhost/fieldwise'))
    expect([response.status, response.headers.get('location')]).toEqual([308, '/fieldwise/'])
  })

  test('it refuses other names, and methods that could change something', async () => {
    expect((await shown.fetch(new Request('http://evil.test/fieldwise/events'))).status).toBe(403)
    const response = await shown.fetch(new Request('http://localhost/fieldwise/', { method: 'POST' }))
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
  })

  test('HEAD says what GET would, without a body', async () => {
    for (const name of ['', 'events']) {
      const response = await shown.fetch(new Request(`http://localhost/fieldwise/${name}`, { method: 'HEAD' }))
      expect([response.status, await response.text()]).toEqual([200, ''])
    }
  })

  test('twelve pages may watch, and one more when one has gone', async () => {
    const watch = () => shown.fetch(new Request('http://localhost/fieldwise/events'))
    const watching = await Promise.all(Array.from({ length: 12 }, watch))
    expect((await watch()).status).toBe(503)
    await watching[0]?.body?.cancel()
    expect((await watch()).status).toBe(200)
  })
})

describe('as a middleware', () => {
  test('it leaves other paths to the app', async () => {
    const address = await serve((req, res) => shown.middleware(req, res, () => res.end('the app')))
    expect((await ask(`${address}/cart`)).body).toBe('the app')
    expect((await ask(`${address}/fieldwise/`)).body).toContain('<title>Fieldwise inspector</title>')
  })

  test('it finds its path where a framework has taken a part of it off', async () => {
    const address = await serve((req, res) => {
      const mounted = Object.assign(req, { originalUrl: req.url, url: '/' })
      shown.middleware(mounted, res)
    })
    expect((await ask(`${address}/fieldwise/style.css`)).headers['content-type']).toBe('text/css; charset=utf-8')
  })

  test('it lets nobody in who comes through a proxy from elsewhere, or by another name', async () => {
    const address = await serve(shown.middleware)
    expect((await ask(`${address}/fieldwise/`, { 'X-Forwarded-For': '10.0.0.9' })).status).toBe(403)
    expect((await ask(`${address}/fieldwise/`, { Host: 'evil.test' })).status).toBe(403)
    expect((await ask(`${address}/fieldwise/`, { Host: 'evil.test', 'X-Forwarded-For': '10.0.0.9' })).body).not.toContain('evil')
  })

  test('a page that goes away is forgotten', async () => {
    const address = await serve(shown.middleware)
    for (let visit = 0; visit < 20; visit++) {
      const request = get(`${address}/fieldwise/events`)
      const [response] = (await once(request, 'response')) as [IncomingMessage]
      expect(response.statusCode).toBe(200)
      await once(response, 'data')
      request.destroy()
      await expect.poll(async () => (await ask(`${address}/fieldwise/events`, {}, 'HEAD')).status).toBe(200)
    }
  })

  test('closing it ends the pages that watch', async () => {
    const address = await serve(shown.middleware)
    const [response] = (await once(get(`${address}/fieldwise/events`), 'response')) as [IncomingMessage]
    response.resume()
    shown.close()
    await once(response, 'end')
  })
})

test.each(['fieldwise', '', '/field wise', '/a?b'])('the path %o is refused', (path) => {
  expect(() => inspector(undefined, { path })).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' }))
})

const schema = z.object({
  username: z.string(),
  visits: z.int().default(0),
  cart: z.array(z.string()).default([]),
})

/** What a page is sent first: all that is remembered. */
async function firstFrame(of: Inspector): Promise<Frame> {
  const { body } = await of.fetch(new Request('http://localhost/fieldwise/events'))
  const reader = (body as ReadableStream<Uint8Array>).getReader()
  const { value } = await reader.read()
  await reader.cancel()
  return JSON.parse(new TextDecoder().decode(value).replace(/^data: /, ''))
}

async function serve(handler: Parameters<typeof createServer>[1] & {}): Promise<string> {
  const server: Server = createServer(handler).listen(0, '127.0.0.1')
  ends.push(() => {
    server.close()
    server.closeAllConnections()
  })
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** With `node:http`, since `fetch` writes the Host header itself. */
async function ask(address: string, headers: Record<string, string> = {}, method = 'GET') {
  const [response] = (await once(get(address, { headers, method }), 'response')) as [IncomingMessage]
  return { status: response.statusCode, headers: response.headers, body: await text(response) }
}
