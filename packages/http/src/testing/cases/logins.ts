import { expect } from 'vitest'
import { type Case, minute, sidOf } from '../case.js'
import { thrownRedirects } from '../routes.js'

/** Logins, logouts and the tokens that they give. */
export const logins: readonly Case[] = [
  {
    title: 'login gives a new token and keeps the fields',
    async run({ visitor }) {
      await visitor.get('/visit')
      const before = visitor.clone()
      const login = await visitor.get('/login')
      expect(login.setCookies).toHaveLength(1)
      expect(visitor.cookies.get('session')).not.toBe(before.cookies.get('session'))
      expect((await visitor.get('/whoami')).body).toBe('ada')
      expect((await visitor.get('/visits')).body).toBe('1')
    },
  },
  {
    title: 'login without a session before it makes one',
    async run({ visitor }) {
      const login = await visitor.get('/login')
      expect(login.setCookies).toHaveLength(1)
      expect((await visitor.get('/whoami')).body).toBe('ada')
    },
  },
  {
    title: 'a late request with the cookie from before the login reads nothing, changes nothing and sets no cookie',
    async run({ visitor }) {
      await visitor.get('/visit')
      const late = visitor.clone()
      await visitor.get('/login')
      const read = await late.get('/whoami')
      expect(read.body).toBe('undefined')
      const write = await late.get('/write-quietly')
      expect(write.body).toBe('SESSION_GONE')
      expect([...read.setCookies, ...write.setCookies]).toEqual([])
      expect((await visitor.get('/whoami')).body).toBe('ada')
    },
  },
  {
    title: 'logout clears the cookie, and the token is dead everywhere',
    async run({ visitor }) {
      await visitor.get('/login')
      const thief = visitor.clone()
      const logout = await visitor.get('/logout')
      expect(logout.setCookies).toEqual(['session=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax'])
      expect(visitor.cookies.size).toBe(0)
      expect((await thief.get('/whoami')).body).toBe('undefined')
    },
  },
  {
    title: 'a message after a logout is in a new session, and the old one is dead everywhere',
    async run({ visitor, warnings }) {
      await visitor.get('/login')
      const thief = visitor.clone()
      const logout = await visitor.get('/logout-and-say-so')
      expect(logout.setCookies).toEqual([expect.stringMatching(/^session=[^;]+; Path=\/; HttpOnly; SameSite=Lax$/)])
      expect(sidOf(visitor.cookies.get('session'))).not.toBe(sidOf(thief.cookies.get('session')))
      expect((await visitor.get('/whoami')).body).toBe('Goodbye')
      expect((await thief.get('/whoami')).body).toBe('undefined')
      expect(await warnings('FIELDWISE_ROTATE_FIRST')).toEqual([])
    },
  },
  ...Object.keys(thrownRedirects).map(
    (path): Case => ({
      title: `a login that ends by throwing what a framework redirects by is a login: ${path}`,
      async run({ visitor }) {
        const answer = await visitor.get(path)
        expect(answer.setCookies).toHaveLength(1)
        expect((await visitor.get('/whoami')).body).toBe('ada')
      },
    }),
  ),
  {
    title: 'a write before the rotation of a login is warned of, unless nobody can know the session yet',
    async run({ visitor, newVisitor, warnings }) {
      await newVisitor().get('/write-then-rotate')
      await visitor.get('/login')
      await visitor.get('/login')
      expect(await warnings('FIELDWISE_ROTATE_FIRST')).toEqual([])
      await visitor.get('/write-then-rotate')
      expect(await warnings('FIELDWISE_ROTATE_FIRST')).toEqual([expect.stringContaining('session.increment()')])
    },
  },
  {
    title: 'a redirect leaves when the write is acknowledged, not before',
    async run({ visitor, store }) {
      await visitor.get('/visit')
      const release = store.hold()
      let redirected = false
      const login = visitor.get('/login').then((answer) => {
        redirected = true
        return answer
      })
      await expect.poll(() => store.flights.length).toBeGreaterThan(1)
      expect(redirected).toBe(false)
      release()
      const answer = await login
      expect(answer.status).toBe(303)
      expect(answer.setCookies).toHaveLength(1)
      expect((await visitor.get(new URL(answer.headers.location ?? '', 'http://shop').pathname)).body).toBe('ada')
    },
  },
  {
    title: 'a rotated token reaches the visitor although the handler failed afterwards',
    without: { fetch: 'there is no error path to send it with: whoever called the handler answers' },
    async run({ visitor }) {
      await visitor.get('/login')
      const answer = await visitor.get('/login-then-fail')
      expect(answer.status).toBe(500)
      expect(answer.setCookies).toHaveLength(1)
      expect((await visitor.get('/whoami')).body).toBe('ada')
    },
  },
  {
    title: '`persist` gives the cookie a Max-Age until the absolute end, and a renewed life sends nothing',
    async run({ visitor, clock }) {
      const login = await visitor.get('/login-persist')
      expect(login.setCookies).toEqual([expect.stringMatching(/^session=[^;]+; Max-Age=43200; Path=\//)])
      expect((await visitor.get('/whoami')).setCookies).toEqual([])
      clock.advance(25 * minute)
      const renewed = await visitor.get('/whoami')
      expect(renewed.body).toBe('ada')
      expect(renewed.setCookies).toEqual([])
      clock.advance(25 * minute)
      expect((await visitor.get('/whoami')).body).toBe('ada')
    },
  },
]
