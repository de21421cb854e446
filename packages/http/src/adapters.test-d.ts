import { type CookieHostProblem, checkCookieHosts, sessionOf, tokenFromCookie } from '@fieldwise/http'
import { expressSession } from '@fieldwise/http/express'
import { fastifySession } from '@fieldwise/http/fastify'
import { fetchSession, withSession } from '@fieldwise/http/fetch'
import { honoSession } from '@fieldwise/http/hono'
import express from 'express'
import express4 from 'express4'
import fastify from 'fastify'
import { createSessions, type SessionOf } from 'fieldwise'
import { Hono } from 'hono'
import { describe, expectTypeOf, test } from 'vitest'
import { z } from 'zod'

const sessions = createSessions({ schema: z.object({ username: z.string(), visits: z.int().default(0) }) })

describe('every adapter', () => {
  test('is what its framework takes', () => {
    express().use(expressSession(sessions))
    express4().use(expressSession(sessions))
    fastify().register(fastifySession(sessions))
    new Hono().use(honoSession(sessions))
    new Hono().use('/shop/*', honoSession(sessions))
  })

  test('takes the same options, and no others', () => {
    const options = {
      cookie: { name: 'sid', domain: 'example.com', path: '/', secure: true, sameSite: 'strict', partitioned: false },
    } as const
    expressSession(sessions, options)
    fastifySession(sessions, options)
    honoSession(sessions, options)
    fetchSession(sessions, options)
    withSession(sessions, () => new Response(), options)
    tokenFromCookie('', options)
    // @ts-expect-error not an option
    expressSession(sessions, { name: 'sid' })
    // @ts-expect-error not an option
    expressSession(sessions, { cookie: { maxAge: 60_000 } })
    // @ts-expect-error a lower-case word
    expressSession(sessions, { cookie: { sameSite: 'Lax' } })
  })
})

describe('the session', () => {
  test('is typed along a chain of Hono', () => {
    new Hono().use(honoSession(sessions)).get('/', async (c) => {
      expectTypeOf(c.var.session).toEqualTypeOf<SessionOf<typeof sessions>>()
      expectTypeOf(await c.var.session.get('visits')).toEqualTypeOf<number>()
      expectTypeOf(await c.get('session').get('username')).toEqualTypeOf<string | undefined>()
      // @ts-expect-error no such field
      await c.var.session.get('nobody')
      return c.text('')
    })
  })

  test('is typed in fetch handlers, with what comes besides', () => {
    const handler = withSession(sessions, async (request, session, context: { params: { id: string } }) => {
      expectTypeOf(request).toEqualTypeOf<Request>()
      expectTypeOf(session).toEqualTypeOf<SessionOf<typeof sessions>>()
      return new Response(context.params.id)
    })
    expectTypeOf(handler).toEqualTypeOf<(request: Request, context: { params: { id: string } }) => Promise<Response>>()
    const { session, commit } = fetchSession(sessions)(new Request('https://example.com'))
    expectTypeOf(session).toEqualTypeOf<SessionOf<typeof sessions>>()
    expectTypeOf(commit(new Response())).toEqualTypeOf<Response>()
  })

  test('is typed by sessionOf, whatever the program registered', () => {
    expectTypeOf(sessionOf({}, sessions)).toEqualTypeOf<SessionOf<typeof sessions>>()
  })
})

test('hosts are checked asynchronously', () => {
  expectTypeOf(checkCookieHosts(['a.example.com'])).resolves.toEqualTypeOf<readonly CookieHostProblem[]>()
})
