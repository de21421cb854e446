import { parseSetCookie } from 'cookie'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { appsOf, type SessionRequest, stores } from './testing/express-session-server.js'
import type { Answer } from './testing/visitor.js'

// What express-session promises of its cookie, to apps on its own store and on ours.

const minute = 60_000
const now = Date.UTC(2030, 0)

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now })
})

afterEach(() => {
  vi.useRealTimers()
})

const use = ({ session }: SessionRequest) => {
  session.uses = Number(session.uses ?? 0) + 1
  return session.uses
}

/** The session cookie of an answer. */
function cookieOf({ setCookies }: Answer, name = 'connect.sid') {
  const lines = setCookies.filter((line) => line.startsWith(`${name}=`))
  expect(lines.length).toBeLessThan(2)
  return lines[0] === undefined ? undefined : parseSetCookie(lines[0])
}

describe.each(stores)('the cookie of an app on $name', ({ newStore }) => {
  const serve = appsOf(newStore)

  /** The cookie that one visit gives to somebody without any. */
  async function given(cookie: unknown, path = '/', headers = {}, options = {}, before?: (req: SessionRequest) => void) {
    const { visitor } = await serve(use, { options: { cookie, ...options }, ...(before && { before }) })
    return cookieOf(await visitor().get(path, { headers }))
  }

  describe('of an option', () => {
    test.each([
      ['nothing', {}, { path: '/', httpOnly: true }],
      ['httpOnly', { httpOnly: false }, { path: '/' }],
      ['domain', { domain: 'shop.localhost' }, { path: '/', httpOnly: true, domain: 'shop.localhost' }],
      ['sameSite', { sameSite: 'strict' }, { path: '/', httpOnly: true, sameSite: 'strict' }],
      ['partitioned', { partitioned: true }, { path: '/', httpOnly: true, partitioned: true }],
      ['partitioned: false', { partitioned: false }, { path: '/', httpOnly: true }],
      ['priority', { priority: 'high' }, { path: '/', httpOnly: true, priority: 'high' }],
      ['maxAge', { maxAge: minute }, { path: '/', httpOnly: true, expires: new Date(now + minute) }],
      ['expires', { expires: new Date(now + minute) }, { path: '/', httpOnly: true, expires: new Date(now + minute) }],
    ])('%s has its attributes, at the first visit and when it is set again', async (_, cookie, attributes) => {
      const { visitor } = await serve(use, { options: { cookie, rolling: true } })
      const guest = visitor()
      for (const uses of ['1', '2', '3']) {
        const answer = await guest.get('/')
        expect(answer.body).toBe(uses)
        expect(cookieOf(answer)).toEqual({ name: 'connect.sid', value: expect.anything(), ...attributes })
      }
    })

    test('that is a function is asked with each request', async () => {
      const cookie = (req: SessionRequest) => ({ path: '/', sameSite: req.headers['x-strict'] ? 'strict' : 'lax' })
      expect(await given(cookie)).toMatchObject({ sameSite: 'lax' })
      expect(await given(cookie, '/', { 'x-strict': '1' })).toMatchObject({ sameSite: 'strict' })
    })

    test('name, or key as it was called once, names it', async () => {
      for (const options of [{ name: 'shop' }, { key: 'shop' }]) {
        const { visitor } = await serve(use, { options })
        const guest = visitor()
        await guest.get('/')
        expect([...guest.cookies.keys()]).toEqual(['shop'])
        expect((await guest.get('/')).body).toBe('2')
      }
    })
  })

  describe('of a path', () => {
    const seen = ({ session }: SessionRequest) => {
      if (session === undefined) return 'none'
      session.user = 'ada'
      return session.user
    }

    test.each([
      ['/', 'none'],
      ['/foo', 'none'],
      ['//foo/bar', 'none'],
      ['/foo/bar', 'ada'],
      ['/foo/bar/baz?q', 'ada'],
    ])('/foo/bar: a request to %s has a session: %s', async (path, session) => {
      const { visitor } = await serve(seen, { options: { cookie: { path: '/foo/bar' } } })
      const answer = await visitor().get(path)
      expect(answer.body).toBe(session)
      expect(cookieOf(answer) === undefined).toBe(session === 'none')
    })

    test.each([
      ['/foo/bar', 'ada'],
      ['/foo/foo/bar', 'none'],
    ])('goes by the whole path where the app is mounted below one: %s has a session: %s', async (path, session) => {
      const before = (req: SessionRequest) => {
        req.originalUrl = String(req.url)
        req.url = String(req.url).replace(/^\/foo/, '') || '/'
      }
      const { visitor } = await serve(seen, { options: { cookie: { path: '/foo/bar' } }, before })
      expect((await visitor().get(path)).body).toBe(session)
    })

    test('/ has one for an empty URL too', async () => {
      const before = (req: SessionRequest) => {
        req.url = ''
      }
      const { visitor } = await serve(seen, { before })
      expect((await visitor().get('/')).body).toBe('ada')
    })
  })

  describe('for HTTPS alone', () => {
    const forwarded = { 'x-forwarded-proto': 'https' }
    const asExpress = (secure: boolean) => (req: SessionRequest) => {
      req.secure = secure
    }
    const encrypted = (req: SessionRequest) => void Object.assign(req.socket, { encrypted: true })

    test.each([
      ['over plain HTTP', {}, {}, undefined, false],
      ['over TLS', {}, {}, encrypted, true],
      ['behind a trusted proxy that says https', { proxy: true }, forwarded, undefined, true],
      ['behind several that say https first', { proxy: true }, { 'x-forwarded-proto': 'https,http' }, undefined, true],
      ['behind a trusted proxy that says http', { proxy: true }, { 'x-forwarded-proto': 'http' }, undefined, false],
      ['behind a trusted proxy that says nothing', { proxy: true }, {}, undefined, false],
      ['behind a proxy that is not trusted', { proxy: false }, forwarded, undefined, false],
      ['behind one that nobody spoke of', {}, forwarded, undefined, false],
      ['where Express says so', {}, {}, asExpress(true), true],
      ['where Express says no', {}, forwarded, asExpress(false), false],
      ['where Express says so and is not to be asked', { proxy: false }, {}, asExpress(true), false],
    ] as const)('%s: set or not, and secure: auto and sameSite: auto say so', async (_, options, headers, before, isSecure) => {
      const secure = await given({ secure: true }, '/', headers, options, before)
      expect(secure !== undefined).toBe(isSecure)
      const auto = await given({ secure: 'auto', sameSite: 'auto' }, '/', headers, options, before)
      expect(auto).toMatchObject({ sameSite: isSecure ? 'none' : 'lax' })
      expect(auto?.secure ?? false).toBe(isSecure)
      const site = await given({ secure: false, sameSite: 'auto' }, '/', headers, options, before)
      expect(site).toMatchObject({ sameSite: isSecure ? 'none' : 'lax' })
      expect(site?.secure ?? false).toBe(false)
    })

    test('is not sent over plain HTTP if the app changes its mind for one visitor', async () => {
      const { visitor } = await serve((req) => {
        req.session.cookie.secure = true
        return use(req)
      })
      expect((await visitor().get('/')).setCookies).toEqual([])
    })
  })

  describe('that the app changes', () => {
    test('has other attributes than the options say', async () => {
      const cookie = { httpOnly: false, maxAge: 5_000, path: '/admin', priority: 'high', secure: true }
      const { visitor } = await serve(
        (req) => {
          req.session.cookie.secure = false
          return use(req)
        },
        { options: { cookie } },
      )
      const set = cookieOf(await visitor().get('/admin'))
      expect(set).toMatchObject({ path: '/admin', priority: 'high', expires: new Date(now + 5_000) })
      expect(set).not.toHaveProperty('secure')
      expect(set).not.toHaveProperty('httpOnly')
    })

    test('by maxAge has that maxAge from then on, for this visitor', async () => {
      const month = 30 * 24 * 60 * minute
      const { visitor } = await serve(
        (req) => {
          if (req.url === '/remember') req.session.cookie.maxAge = month
          use(req)
          return req.session.cookie.originalMaxAge
        },
        { options: { cookie: { maxAge: minute } } },
      )
      const [guest, other] = [visitor(), visitor()]
      await guest.get('/')
      await guest.get('/remember')
      vi.advanceTimersByTime(10 * minute)
      const later = await guest.get('/')
      expect([later.body, cookieOf(later)?.expires]).toEqual([String(month), new Date(now + 10 * minute + month)])
      expect((await other.get('/')).body).toBe(String(minute))
    })

    test('by expires ends at that time', async () => {
      const { visitor } = await serve((req) => {
        req.session.cookie.expires = new Date(0)
        return use(req)
      })
      expect(cookieOf(await visitor().get('/'))?.expires).toEqual(new Date(0))
    })

    test("to none at all ends with the browser's run, and is set once, however often the session changes", async () => {
      const { visitor } = await serve(
        (req) => {
          req.session.cookie.expires = null
          return use(req)
        },
        { options: { cookie: { maxAge: minute } } },
      )
      const guest = visitor()
      expect(cookieOf(await guest.get('/'))).not.toHaveProperty('expires')
      for (const uses of ['2', '3']) expect(await guest.get('/')).toMatchObject({ body: uses, setCookies: [] })
    })

    test('is a change of the session: without resave it is saved', async () => {
      const { visitor } = await serve((req) => {
        if (req.url === '/shop') req.session.cookie.path = '/shop'
        if (req.url === '/') return use(req)
        return req.session.cookie.path
      })
      const guest = visitor()
      await guest.get('/')
      await guest.get('/shop')
      expect((await guest.get('/look')).body).toBe('/shop')
    })
  })

  describe('with a maxAge', () => {
    const options = { cookie: { maxAge: 2 * minute } }

    test('has an originalMaxAge that stays, and a maxAge that counts down', async () => {
      const { visitor } = await serve(
        async (req) => {
          use(req)
          vi.advanceTimersByTime(minute / 2)
          const { originalMaxAge, maxAge } = req.session.cookie
          return JSON.stringify({ originalMaxAge, maxAge })
        },
        { options },
      )
      const guest = visitor()
      for (let visit = 0; visit < 3; visit++)
        expect(JSON.parse((await guest.get('/')).body)).toEqual({ originalMaxAge: 2 * minute, maxAge: 1.5 * minute })
    })

    test('is counted from the moment of the answer, and the store keeps the session for as long', async () => {
      const { visitor, store } = await serve(
        (req) => {
          req.session.user = 'ada'
          if (req.url === '/slow') vi.advanceTimersByTime(minute)
          return req.session.id
        },
        { options: { ...options, rolling: true } },
      )
      const guest = visitor()
      const { body: id } = await guest.get('/')
      for (const [path, time] of [
        ['/', 2],
        ['/slow', 3],
        ['/', 3],
      ] as const) {
        const set = cookieOf(await guest.get(path))
        expect(set?.expires).toEqual(new Date(now + time * minute))
        const data = await new Promise<{ cookie: { expires: string } } | null | undefined>((resolve) =>
          store.get<{ cookie: { expires: string } }>(id, (_error, session) => resolve(session)),
        )
        expect(new Date(data?.cookie.expires ?? 0)).toEqual(set?.expires)
      }
    })

    test('is moved by touch, in the session and in the store', async () => {
      const { visitor } = await serve(
        (req) => {
          use(req)
          vi.advanceTimersByTime(minute)
          req.session.touch()
          return req.session.cookie.maxAge
        },
        { options },
      )
      const guest = visitor()
      for (let visit = 0; visit < 4; visit++) expect((await guest.get('/')).body).toBe(String(2 * minute))
    })
  })

  describe('that cannot be set', () => {
    test('is an error for the app, and the visitor gets the answer without it', async () => {
      const { visitor, errors } = await serve(use, { options: { cookie: { expires: new Date(Number.NaN) } } })
      const answer = await visitor().get('/')
      expect([answer.status, answer.setCookies]).toEqual([200, []])
      await vi.waitFor(() => expect(errors).toHaveLength(1), 60_000)
    })
  })

  describe('leaves cookies of the app alone', () => {
    test.each(['setHeader', 'writeHead'] as const)('that were given to %s', async (way) => {
      const { visitor } = await serve((req, res) => {
        const uses = use(req)
        if (way === 'setHeader') res.setHeader('Set-Cookie', 'theme=dark')
        else res.writeHead(200, { 'Set-Cookie': 'theme=dark' })
        return uses
      })
      const guest = visitor()
      await guest.get('/')
      expect([...guest.cookies.keys()].sort()).toEqual(['connect.sid', 'theme'])
    })
  })
})
