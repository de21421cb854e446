import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tokenFromCookie } from '@fieldwise/http'
import { expressSession } from '@fieldwise/http/express'
import { fastifySession } from '@fieldwise/http/fastify'
import { fetchSession, withSession } from '@fieldwise/http/fetch'
import { honoSession } from '@fieldwise/http/hono'
import express from 'express'
import fastify from 'fastify'
import type { Session } from 'fieldwise'
import { Hono } from 'hono'
import { describe, expect, test } from 'vitest'
import { newSessions } from './testing/app.js'

type Visited = Session<{ username: string }>

/** What the app does in each framework. */
async function appsFunction(session: Visited): Promise<void> {
  await session.get('username')
}

/** The first frame of the stack of what `work` throws. */
async function firstFrame(work: () => unknown): Promise<string | undefined> {
  try {
    await work()
  } catch (error) {
    return (error as Error).stack?.split('\n').find((line) => line.startsWith('    at '))
  }
  throw new Error('it did not fail')
}

describe('when the store fails, the stack begins in the app', () => {
  const frameworks: [name: string, run: (use: (session: Visited) => Promise<void>) => Promise<unknown>][] = [
    ['Express', runExpress],
    ['Fastify', runFastify],
    ['Hono', runHono],
    ['fetch handlers', runFetch],
  ]
  test.each(frameworks)('with %s', async (_name, run) => {
    const frames: unknown[] = []
    await run(async (session) => void frames.push(await firstFrame(() => appsFunction(session))))
    expect(frames).toEqual([expect.stringMatching(/^ {4}at (async )?appsFunction \(.*stack\.test/)])
  })
})

describe('options that cannot be are refused on the line that gives them', () => {
  const { sessions } = newSessions()
  const wrong = { cookie: { name: 'not a name' } }
  test.each([
    ['expressSession', () => expressSession(sessions, wrong)],
    ['fastifySession', () => fastifySession(sessions, wrong)],
    ['honoSession', () => honoSession(sessions, wrong)],
    ['fetchSession', () => fetchSession(sessions, wrong)],
    ['withSession', () => withSession(sessions, () => new Response(), wrong)],
    ['tokenFromCookie', () => tokenFromCookie('', wrong)],
  ])('by %s', async (_name, appsCall) => {
    expect(await firstFrame(appsCall)).toMatch(/^ {4}at .*stack\.test/)
  })
})

/** Sessions whose store fails, and the cookie of one of them. */
async function failing() {
  const { sessions, store } = newSessions()
  const { token } = await sessions.create()
  store.fail()
  return { sessions, headers: { cookie: `session=${token}` } }
}

async function runExpress(use: (session: Visited) => Promise<void>): Promise<void> {
  const { sessions, headers } = await failing()
  const app = express().use(expressSession(sessions))
  app.get('/', async (req, res) => {
    await use(req.session as unknown as Visited)
    res.end()
  })
  const server = createServer(app).listen(0)
  await fetch(`http://localhost:${(server.address() as AddressInfo).port}`, { headers })
  server.closeAllConnections()
  server.close()
}

async function runFastify(use: (session: Visited) => Promise<void>): Promise<void> {
  const { sessions, headers } = await failing()
  const app = fastify().register(fastifySession(sessions))
  app.get('/', async (request) => {
    await use(request.session as unknown as Visited)
    return ''
  })
  await app.inject({ url: '/', headers })
}

async function runHono(use: (session: Visited) => Promise<void>): Promise<void> {
  const { sessions, headers } = await failing()
  const app = new Hono().use(honoSession(sessions)).get('/', async (c) => {
    await use(c.var.session as unknown as Visited)
    return c.text('')
  })
  await app.request('http://localhost/', { headers })
}

async function runFetch(use: (session: Visited) => Promise<void>): Promise<void> {
  const { sessions, headers } = await failing()
  const handle = withSession(sessions, async (_request, session) => {
    await use(session as unknown as Visited)
    return new Response()
  })
  await handle(new Request('http://localhost/', { headers }))
}
