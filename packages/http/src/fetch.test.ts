import { randomUUID } from 'node:crypto'
import { runInNewContext } from 'node:vm'
import { sessionOf } from '@fieldwise/http'
import { fetchSession, withSession } from '@fieldwise/http/fetch'
import { describe, expect, test } from 'vitest'
import { newSessions } from './testing/app.js'

const address = 'https://shop.example/'

test('a response goes through as it is when the cookie did not change', async () => {
  const { sessions } = newSessions()
  const response = new Response('x')
  expect(await withSession(sessions, () => response)(new Request(address))).toBe(response)
})

describe('a response that the module keeps for all visitors', () => {
  const kept = new Response(null, { status: 204, headers: { 'x-shop': 'ours' } })

  test('hands no visitor the cookie of another', async () => {
    const { sessions } = newSessions()
    const login = withSession(sessions, async (_, session) => {
      await session.regenerate()
      return kept
    })
    const look = withSession(sessions, () => kept)
    const tokens = new Set<string>()
    for (let visitor = 0; visitor < 6; visitor++) {
      const [line = '', ...others] = (await login(new Request(address))).headers.getSetCookie()
      tokens.add(line)
      expect(others).toEqual([])
    }
    expect(tokens.size).toBe(6)
    expect((await look(new Request(address))).headers.getSetCookie()).toEqual([])
  })

  test('is copied with all that it says', async () => {
    const { sessions } = newSessions()
    const answer = await withSession(sessions, async (_, session) => {
      await session.regenerate()
      return kept
    })(new Request(address))
    expect(answer).not.toBe(kept)
    expect([answer.status, answer.headers.get('x-shop')]).toEqual([204, 'ours'])
    expect([...kept.headers]).toEqual([['x-shop', 'ours']])
  })

  test('is left as it was when it is thrown', async () => {
    const { sessions } = newSessions()
    const handler = withSession(sessions, async (_, session) => {
      await session.regenerate()
      throw kept
    })
    const thrown = await handler(new Request(address)).catch((error) => error)
    expect(thrown.headers.getSetCookie()).toHaveLength(1)
    expect([...kept.headers]).toEqual([['x-shop', 'ours']])
  })

  test('keeps the headers that it shares with other responses', async () => {
    const { sessions } = newSessions()
    const headers = new Headers({ 'cache-control': 'public' })
    await withSession(sessions, async (_, session) => {
      await session.regenerate()
      return new Response('x', { headers })
    })(new Request(address))
    expect([...headers]).toEqual([['cache-control', 'public']])
  })
})

describe('a response of another realm or another copy of the Fetch API', () => {
  // Neither of them is an `instanceof` the Response of this program.
  const foreign = [
    ['another realm', runInNewContext(`(${classes})()`)],
    ['another copy', classes()],
  ] as const

  test.each(foreign)('is a response when it is thrown: %s', async (_, other) => {
    const { sessions } = newSessions()
    const handler = withSession(sessions, async (_, session) => {
      await session.regenerate()
      throw new other.Response('moved', 303, [
        ['location', '/next'],
        ['set-cookie', 'theme=dark'],
        ['set-cookie', 'size=small'],
      ])
    })
    const thrown = await handler(new Request(address)).catch((error) => error)
    expect([thrown.status, thrown.headers.get('location'), await thrown.text()]).toEqual([303, '/next', 'moved'])
    expect(thrown.headers.getSetCookie()).toEqual(['theme=dark', 'size=small', expect.stringMatching(/^__Host-session=/)])
  })

  test.each(foreign)('is a response when it is returned: %s', async (_, other) => {
    const { sessions } = newSessions()
    const response = new other.Response('x', 200, []) as unknown as Response
    const answer = await withSession(sessions, async (_, session) => {
      await session.regenerate()
      return response
    })(new Request(address))
    expect(answer.headers.getSetCookie()).toHaveLength(1)
    expect(response.headers.get('set-cookie')).toBeNull()
    expect(await answer.text()).toBe('x')
  })

  /** The least that is a response, of whoever runs this. */
  function classes() {
    class Headers {
      readonly pairs: [string, string][]
      constructor(pairs: [string, string][]) {
        this.pairs = pairs
      }
      get(name: string): string | null {
        return this.pairs.find(([each]) => each === name)?.[1] ?? null
      }
      set(): never {
        throw new Error('These headers are not yours')
      }
      [Symbol.iterator]() {
        return this.pairs[Symbol.iterator]()
      }
    }
    class Response {
      readonly body: AsyncIterable<Uint8Array>
      readonly status: number
      readonly statusText = ''
      readonly headers: Headers
      constructor(text: string, status: number, headers: [string, string][]) {
        this.status = status
        this.headers = new Headers(headers)
        this.body = (async function* () {
          yield Uint8Array.from(text, (character) => character.charCodeAt(0))
        })()
      }
      async arrayBuffer(): Promise<ArrayBuffer> {
        throw new Error('Read the body')
      }
    }
    return { Response }
  }
})

test('what a framework passes besides the request reaches the handler behind the session', async () => {
  const { sessions } = newSessions()
  const handler = withSession(sessions, async (_request, session, context: { params: { id: string } }) => {
    return new Response(`${context.params.id} ${await session.get('visits')}`)
  })
  expect(await (await handler(new Request(address), { params: { id: '7' } })).text()).toBe('7 0')
})

test('a response that is thrown carries the cookie too, and is still thrown', async () => {
  const { sessions } = newSessions()
  const handler = withSession(sessions, async (_, session) => {
    await session.regenerate()
    throw Response.redirect(address)
  })
  const thrown = await handler(new Request(address)).catch((error) => error)
  expect(thrown).toBeInstanceOf(Response)
  expect(thrown.status).toBe(302)
  expect(thrown.headers.getSetCookie()).toHaveLength(1)
})

test('another error is thrown on as it is', async () => {
  const { sessions } = newSessions()
  const error = new Error('mine')
  const handler = withSession(sessions, () => {
    throw error
  })
  await expect(handler(new Request(address))).rejects.toBe(error)
})

test('a store that fails after a login is 503, and the new cookie goes out with it', async () => {
  const { sessions, store } = newSessions()
  const handler = withSession(sessions, async (_, session) => {
    await session.regenerate()
    store.fail()
    await session.get('visits')
    return new Response()
  })
  const answer = await handler(new Request(address))
  expect(answer.status).toBe(503)
  expect(answer.headers.get('retry-after')).toBe('1')
  expect(answer.headers.getSetCookie()).toHaveLength(1)
})

test('an outage that the handler deals with is its own affair', async () => {
  const { sessions, store } = newSessions()
  store.fail()
  const handler = withSession(sessions, async (_, session) => {
    const error = await session.set('username', 'ada').catch((thrown) => thrown)
    return Response.json({ code: error.code, status: error.status })
  })
  expect(await (await handler(new Request(address))).json()).toEqual({ code: 'STORE_UNAVAILABLE', status: 503 })
})

test('after commit a first write is HEADERS_SENT', async () => {
  const { sessions, store } = newSessions()
  const { session, commit } = fetchSession(sessions)(new Request(address))
  commit(new Response())
  await expect(session.set('username', 'ada')).rejects.toMatchObject({ code: 'HEADERS_SENT' })
  expect(store.writes).toBe(0)
})

test('sessionOf finds the session of the request', async () => {
  const { sessions } = newSessions()
  const handler = withSession(sessions, (request, session) => Response.json(sessionOf(request, sessions) === session))
  expect(await (await handler(new Request(address))).json()).toBe(true)
})

test('of 10,000 planted tokens none is adopted and none costs more than one flight; what is not a token costs none', async () => {
  const { sessions, store } = newSessions()
  const open = fetchSession(sessions)
  const living = (await sessions.create({ username: 'ada' })).id ?? ''
  for (let round = 0; round < 10_000; round++) {
    const { token, flights } = planted(round, living)
    const before = store.flights.length
    const { session, commit } = open(new Request(address, { headers: { cookie: `__Host-session=${token}` } }))
    expect(await session.get('username')).toBeUndefined()
    expect(store.flights.length - before).toBe(flights)
    expect(session.token).toBeUndefined()
    expect(commit(new Response()).headers.getSetCookie()).toEqual([])
  }
  expect(store.writes).toBe(2)
})

/** A token that somebody made up, and how many flights it may cost. */
function planted(round: number, living: string): { token: string; flights: number } {
  const secret = `${Buffer.from(`planted ${round}`.padEnd(32)).toString('base64url')}`
  switch (round % 4) {
    case 0:
      return { token: `${randomUUID()}.${secret}`, flights: 1 }
    case 1:
      return { token: `${living}.${secret}`, flights: 1 }
    case 2:
      return { token: `${living}.${secret.slice(0, round % 43)}`, flights: 0 }
    default:
      return { token: `${living.replaceAll('-', round % 3 ? '' : '_')}.${secret}`, flights: 0 }
  }
}
