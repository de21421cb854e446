import { isFieldwiseError } from 'fieldwise'
import { expect } from 'vitest'
import type { SessionOptions } from '../lib/adapter/session-adapter.js'
import { gate, type ScriptedStore, serverAddress } from './scripted-store.js'
import type { AdminSessions, Handler, ShopSessions } from './shop.js'
import type { Visitor } from './visitor.js'

/** One promise that every framework keeps. */
export interface Case {
  readonly title: string
  /** Why a framework is left out. */
  readonly without?: Readonly<Record<string, string>>
  readonly options?: SessionOptions
  readonly run: (scene: Scene) => Promise<void>
}

/** An app that runs, and somebody who visits it. */
export interface Scene {
  readonly visitor: Visitor
  /** Somebody else, at this host or another one. */
  newVisitor(host?: string): Visitor
  readonly store: ScriptedStore
  readonly sessions: ShopSessions
  readonly admins: AdminSessions
  readonly clock: { advance(milliseconds: number): void }
  readonly signal: Signal
  /** The warnings with this code that the process gave since the app started. */
  warnings(code: string): Promise<readonly string[]>
}

/** Between a case and a handler that waits for it. */
export interface Signal {
  /** The handler has come to where it waits. */
  readonly reached: Promise<void>
  reach(): void
  /** The case lets it go on. */
  readonly opened: Promise<void>
  open(): void
}

const minute = 60_000

/** The routes of the app that all cases visit. */
export function routesOf(signal: Signal): Record<string, Handler> {
  return {
    '/untouched': () => ({ body: 'no session' }),
    '/visits': async ({ session }) => ({ body: String(await session.get('visits')) }),
    '/visit': async ({ session }) => ({ body: String(await session.increment('visits')) }),
    '/whoami': async ({ session }) => ({ body: String(await session.get('username')) }),
    '/login': async ({ session }) => {
      await session.regenerate()
      await session.set('username', 'ada')
      return { status: 303, headers: { location: '/whoami' } }
    },
    '/login-persist': async ({ session }) => {
      await session.regenerate({ persist: true })
      await session.set('username', 'ada')
      return {}
    },
    '/logout': async ({ session }) => {
      await session.destroy()
      return {}
    },
    '/logout-and-say-so': async ({ session }) => {
      await session.destroy()
      await session.regenerate()
      await session.set('username', 'Goodbye')
      return { status: 303, headers: { location: '/whoami' } }
    },
    '/write-quietly': async ({ session }) => ({ body: await outcome(session.set('username', 'mallory')) }),
    '/busy': async ({ session }) => {
      const known = await outcome(session.get('username'))
      return { status: known === 'done' ? 200 : 503, body: 'Come again' }
    },
    '/slow-visit': async ({ session }) => {
      signal.reach()
      await signal.opened
      return { body: String(await session.increment('visits')) }
    },
    '/forgotten': ({ session }) => {
      session.increment('visits').catch(() => {})
      return { body: 'sent' }
    },
    '/forgotten-read': ({ session }) => {
      session.get('visits').catch(() => {})
      return { body: 'sent' }
    },
    '/stream-then-write': ({ session }) => streaming(signal, () => session.set('username', 'late')),
    '/stream-then-rotate': ({ session }) => streaming(signal, () => session.regenerate()),
    '/stream-then-end': ({ session }) => streaming(signal, () => session.destroy()),
    '/write-then-stream': async ({ session }) => {
      await session.set('username', 'early')
      return streaming(signal, () => session.increment('visits'))
    },
    '/cached': async ({ session }) => {
      await session.increment('visits')
      return { headers: { 'cache-control': 'public, max-age=60', 'set-cookie': 'theme=dark; Path=/' }, body: 'x' }
    },
    '/login-then-fail': async ({ session }) => {
      await session.regenerate()
      throw new Error('something else went wrong')
    },
    ...Object.fromEntries(
      Object.entries(thrownRedirects).map(([path, redirect]): [string, Handler] => [
        path,
        async ({ session }) => {
          await session.regenerate()
          await session.set('username', 'ada')
          throw redirect()
        },
      ]),
    ),
    '/write-then-rotate': async ({ session }) => {
      await session.increment('visits')
      await session.regenerate()
      return {}
    },
    '/for-caches': async ({ session }) => {
      await session.increment('visits')
      return { headers: Object.fromEntries(Object.entries(cacheHeaders).map(([name, [said]]) => [name, said])) }
    },
    ...Object.fromEntries(
      Object.entries(foreignIdioms).map(([path, { write }]): [string, Handler] => [
        path,
        async ({ session }) => ({ body: await refusal(() => write(session as unknown as Foreign)) }),
      ]),
    ),
    '/admin-login': async ({ admin }) => {
      await admin().set('role', 'owner')
      return {}
    },
    '/both': async ({ session, admin }) => ({ body: `${await session.get('username')} ${await admin().get('role')}` }),
  }
}

/** How frameworks end a handler by throwing, to redirect from deep inside. */
const thrownRedirects: Readonly<Record<string, () => unknown>> = {
  '/throw-as-next': () => Object.assign(new Error('NEXT_REDIRECT'), { digest: 'NEXT_REDIRECT;replace;/whoami;a;307;' }),
  '/throw-as-sveltekit': () => new Redirect(303, '/whoami'),
  '/throw-as-react-router': () => new Response(null, { status: 302, headers: { location: '/whoami' } }),
}

/** What SvelteKit throws is neither an Error nor a Response. */
class Redirect {
  readonly status: number
  readonly location: string

  constructor(status: number, location: string) {
    this.status = status
    this.location = location
  }
}

/** What an app says to caches, each by its own header, and what is left of it beside a cookie. */
const cacheHeaders: Readonly<Record<string, readonly [said: string, kept: string]>> = {
  'cache-control': ['public, max-age=60', 'private, max-age=60'],
  'cdn-cache-control': ['public, max-age=600', 'private, max-age=600'],
  'cloudflare-cdn-cache-control': ['max-age=600', 'private, max-age=600'],
  'vercel-cdn-cache-control': ['s-maxage=600', 'private'],
  'netlify-cdn-cache-control': ['public, durable', 'private, durable'],
  'surrogate-control': ['max-age=600', 'no-store'],
  'edge-control': ['cache-maxage=1d', 'no-store'],
  'x-accel-expires': ['600', '0'],
  'x-litespeed-cache-control': ['public', 'no-cache'],
}

/** A session as somebody who comes from express-session has it in mind. */
interface Foreign {
  user?: string
  cookie: { maxAge: number }
  regenerate(callback: (error: unknown) => void): Promise<void>
  save(callback?: (error: unknown) => void): void
}

/** What they write, and what the refusal names. */
const foreignIdioms: Readonly<Record<string, { readonly write: (session: Foreign) => unknown; readonly named: string }>> = {
  '/assign': { write: (session) => Object.assign(session, { user: 'ada' }), named: "await session.set('user', …)" },
  '/assign-over': { write: (session) => Object.assign(session, { cookie: 1 }), named: "await session.set('cookie', …)" },
  '/remove': { write: (session) => Reflect.deleteProperty(session, 'user'), named: "await session.delete('user')" },
  '/cookie': { write: (session) => session.cookie.maxAge, named: 'persist: true' },
  '/save': { write: (session) => session.save(), named: 'nothing to save' },
  '/save-back': { write: (session) => new Promise((_, fail) => session.save(fail)), named: 'nothing to save' },
  '/regenerate-back': { write: (session) => new Promise((_, fail) => void session.regenerate(fail)), named: 'passportSession()' },
  '/regenerate-and-await': { write: (session) => session.regenerate(() => {}), named: 'await it' },
}

async function refusal(work: () => unknown): Promise<string> {
  try {
    await work()
    return 'nothing said'
  } catch (error) {
    return (error as Error).message
  }
}

/** Begins to answer, waits until the client has seen it, then says how the rest went. */
function streaming(signal: Signal, work: () => Promise<unknown>) {
  async function* body() {
    yield 'begun '
    await signal.opened
    yield await outcome(work())
  }
  return { body: body() }
}

async function outcome(work: Promise<unknown>): Promise<string> {
  try {
    await work
    return 'done'
  } catch (error) {
    return isFieldwiseError(error) ? error.code : 'another error'
  }
}

export const cases: readonly Case[] = [
  {
    title: 'a request that never uses its session costs no I/O and sets no cookie',
    async run({ visitor, store }) {
      const answer = await visitor.get('/untouched')
      expect(answer.body).toBe('no session')
      expect(answer.setCookies).toEqual([])
      expect(answer.headers['cache-control']).toBeUndefined()
      await visitor.get('/visit')
      const before = store.flights.length
      await visitor.get('/untouched')
      expect(store.flights).toHaveLength(before)
    },
  },
  {
    title: 'static files and OPTIONS cost no I/O',
    async run({ visitor, store }) {
      await visitor.get('/visit')
      const before = store.flights.length
      expect((await visitor.get('/static/shop.css')).body).toContain('teal')
      const options = await visitor.send('/untouched', { method: 'OPTIONS' })
      expect(options.setCookies).toEqual([])
      expect(store.flights).toHaveLength(before)
    },
  },
  {
    title: 'reading what was never written gives the default, stores nothing and sets no cookie',
    async run({ visitor, store }) {
      const answer = await visitor.get('/visits')
      expect(answer.body).toBe('0')
      expect(answer.setCookies).toEqual([])
      expect(store.flights).toEqual([])
    },
  },
  {
    title: 'the first write sets the cookie, and the next request finds what was written',
    async run({ visitor }) {
      const first = await visitor.get('/visit')
      expect(first.body).toBe('1')
      expect(first.setCookies).toEqual([expect.stringMatching(/^session=[^;]+; Path=\/; HttpOnly; SameSite=Lax$/)])
      const second = await visitor.get('/visit')
      expect(second.body).toBe('2')
      expect(second.setCookies).toEqual([])
    },
  },
  {
    title: 'a request that only reads writes nothing, and its first read is one flight',
    async run({ visitor, store }) {
      await visitor.get('/visit')
      const [flights, writes] = [store.flights.length, store.writes]
      expect((await visitor.get('/visits')).body).toBe('1')
      expect(store.flights.length - flights).toBe(1)
      expect(store.writes).toBe(writes)
    },
  },
  {
    title: 'parallel requests of one visitor all count',
    async run({ visitor }) {
      await visitor.get('/visit')
      const answers = await Promise.all(Array.from({ length: 32 }, () => visitor.get('/visit')))
      expect(answers.map(({ body }) => Number(body)).sort((a, b) => a - b)).toEqual(Array.from({ length: 32 }, (_, at) => at + 2))
    },
  },
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
  {
    title: 'an expired session reads as unset, and a write begins a new one',
    async run({ visitor, clock }) {
      await visitor.get('/login')
      const token = visitor.cookies.get('session')
      clock.advance(60 * minute)
      const read = await visitor.get('/whoami')
      expect(read.body).toBe('undefined')
      expect(read.setCookies).toEqual([])
      const write = await visitor.get('/visit')
      expect(write.body).toBe('1')
      expect(sidOf(visitor.cookies.get('session'))).not.toBe(sidOf(token))
    },
  },
  {
    title: 'a forged secret of a living session reads as unset, and nothing is written for it',
    async run({ visitor, newVisitor, store }) {
      await visitor.get('/login')
      const forger = newVisitor()
      forger.cookies.set('session', `${sidOf(visitor.cookies.get('session'))}.${'A'.repeat(43)}`)
      const writes = store.writes
      expect((await forger.get('/whoami')).body).toBe('undefined')
      expect(store.writes).toBe(writes)
      expect((await visitor.get('/whoami')).body).toBe('ada')
    },
  },
  {
    title: 'a planted token is never adopted, and what is not even a token costs no I/O',
    async run({ visitor, store }) {
      const planted = `00000000-0000-4000-8000-000000000000.${'A'.repeat(43)}`
      for (const token of [
        planted,
        'x',
        '.',
        'null',
        '%00',
        planted.slice(0, -1),
        `${planted}x`,
        planted.toUpperCase(),
        `"${planted}"`,
      ]) {
        visitor.cookies.set('session', token)
        const before = store.flights.length
        expect((await visitor.get('/whoami')).body).toBe('undefined')
        expect(store.flights.length - before, token).toBeLessThanOrEqual(token === planted ? 1 : 0)
      }
      visitor.cookies.set('session', planted)
      await visitor.get('/visit')
      expect(sidOf(visitor.cookies.get('session'))).not.toBe(sidOf(planted))
    },
  },
  {
    title: 'of two cookies with the name the one that opens counts, and neither if both do',
    async run({ visitor, newVisitor }) {
      await visitor.get('/login')
      const own = visitor.cookies.get('session')
      const stranger = newVisitor()
      await stranger.get('/login')
      const foreign = stranger.cookies.get('session')
      const dead = `00000000-0000-4000-8000-000000000000.${'A'.repeat(43)}`
      const whoami = async (cookie: string) => (await newVisitor().get('/whoami', { headers: { cookie } })).body
      expect(await whoami(`session=${dead}; session=${own}`)).toBe('ada')
      expect(await whoami(`session=${own}; session=junk`)).toBe('ada')
      expect(await whoami(`session=${own}; session=${foreign}`)).toBe('undefined')
    },
  },
  {
    title: 'while the store is down the answer is 503 with Retry-After, and never an anonymous session',
    async run({ visitor, store }) {
      await visitor.get('/login')
      store.fail()
      for (const path of ['/whoami', '/visit']) {
        const answer = await visitor.get(path)
        expect(answer.status, path).toBe(503)
        expect(answer.headers['retry-after'], path).toMatch(/^\d+$/)
        expect(answer.setCookies, path).toEqual([])
      }
      expect((await visitor.get('/untouched')).status).toBe(200)
      store.mend()
      expect((await visitor.get('/whoami')).body).toBe('ada')
    },
  },
  {
    title: 'an outage is told once, with the server, which no visitor sees',
    async run({ visitor, store, warnings }) {
      await visitor.get('/login')
      store.fail()
      for (let round = 0; round < 3; round++) {
        const answer = await visitor.get('/whoami')
        expect(answer.status).toBe(503)
        expect(answer.body + JSON.stringify(answer.headers)).not.toContain(serverAddress)
      }
      expect(await warnings('FIELDWISE_OUTAGE')).toEqual([expect.stringContaining(serverAddress)])
    },
  },
  {
    title: 'an outage that the app answers with a 503 of its own says when to come again, and one that it hides says nothing',
    async run({ visitor, store }) {
      await visitor.get('/login')
      store.fail()
      const busy = await visitor.get('/busy')
      expect([busy.status, busy.headers['retry-after']]).toEqual([503, '1'])
      const hidden = await visitor.get('/write-quietly')
      expect([hidden.body, hidden.headers['retry-after']]).toEqual(['STORE_UNAVAILABLE', undefined])
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
  ...Object.entries(foreignIdioms).map(
    ([path, { named }]): Case => ({
      title: `what would do nothing is refused by name: ${path}`,
      async run({ visitor }) {
        expect((await visitor.get(path)).body).toContain(named)
      },
    }),
  ),
  {
    title: 'no cache that others share keeps an answer that sets the cookie, by whatever header the app speaks to it',
    async run({ visitor }) {
      const first = await visitor.get('/for-caches')
      const second = await visitor.get('/for-caches')
      for (const [name, [said, kept]] of Object.entries(cacheHeaders)) {
        expect(first.headers[name], name).toBe(kept)
        expect(second.headers[name], name).toBe(said)
      }
    },
  },
  {
    title: 'of two cookies that both open, the answer that sets one removes the other, whatever domain or path it was set for',
    options: { cookie: { name: '__Secure-sid', domain: 'shop.localhost' } },
    async run({ newVisitor, sessions }) {
      const host = 'www.shop.localhost'
      const [own, twin] = [await sessions.create({ username: 'ada' }), await sessions.create({ username: 'mallory' })]
      const both = { headers: { cookie: `sid=${twin.token}; sid=${own.token}` } }
      expect((await newVisitor(host).get('/whoami', both)).body).toBe('undefined')
      const visitor = newVisitor(host)
      const { setCookies } = await visitor.get('/login', both)
      expect(setCookies.slice(0, -1)).toEqual([
        'sid=; Max-Age=0; Path=/; HttpOnly; SameSite=Lax',
        'sid=; Max-Age=0; Domain=www.shop.localhost; Path=/; HttpOnly; SameSite=Lax',
        ...[undefined, 'www.shop.localhost', 'shop.localhost'].map(
          (domain) => `sid=; Max-Age=0; ${domain ? `Domain=${domain}; ` : ''}Path=/login; HttpOnly; SameSite=Lax`,
        ),
      ])
      expect(setCookies.at(-1)).toMatch(/^sid=[^;]+; Domain=shop\.localhost; Path=\/;/)
      const next = await visitor.get('/login')
      expect(next.setCookies).toHaveLength(1)
      expect((await visitor.get('/whoami')).body).toBe('ada')
    },
  },
  {
    title: 'a cookie of the name that opens nothing here may be that of another app, and stays',
    options: { cookie: { name: '__Secure-sid', domain: 'shop.localhost' } },
    async run({ newVisitor, sessions }) {
      const own = await sessions.create()
      const both = { headers: { cookie: `sid=theirs; sid=${own.token}` } }
      expect((await newVisitor('www.shop.localhost').get('/login', both)).setCookies).toHaveLength(1)
    },
  },
  {
    title: 'more cookies of the name than are looked at are all removed by the answer that sets one',
    options: { cookie: { name: '__Secure-sid' } },
    async run({ newVisitor }) {
      const many = Array.from({ length: 5 }, (_, at) => `sid=${at}`).join('; ')
      const { setCookies } = await newVisitor('www.shop.localhost').get('/login', { headers: { cookie: many } })
      expect(setCookies).toContainEqual('sid=; Max-Age=0; Domain=shop.localhost; Path=/; HttpOnly; SameSite=Lax')
    },
  },
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
    title: 'a cookie of the name that another app has made is warned of',
    async run({ visitor, warnings }) {
      visitor.cookies.set('session', 's%3Atheirs.signature')
      await visitor.get('/whoami')
      expect(await warnings('FIELDWISE_FOREIGN_COOKIE')).toEqual([expect.stringContaining('another port')])
    },
  },
  {
    title: 'another app that replaces the cookie over and over is warned of; sessions from before a restart are not',
    async run({ visitor, newVisitor, warnings }) {
      const unknown = (at: number) => `00000000-0000-4000-8000-00000000000${at}.${'A'.repeat(43)}`
      for (let at = 0; at < 3; at++) {
        expect(await warnings('FIELDWISE_FOREIGN_COOKIE')).toEqual([])
        visitor.cookies.set('session', unknown(at))
        await visitor.get('/visit')
        const back = newVisitor()
        back.cookies.set('session', unknown(0))
        await back.get('/visit')
      }
      expect(await warnings('FIELDWISE_FOREIGN_COOKIE')).toHaveLength(1)
    },
  },
  {
    title: 'a first write after the headers were sent is HEADERS_SENT, and nothing is stored',
    async run({ visitor, store, signal }) {
      const answer = await visitor.get('/stream-then-write', { onData: signal.open })
      expect(answer.body).toBe('begun HEADERS_SENT')
      expect(answer.setCookies).toEqual([])
      expect(store.writes).toBe(0)
    },
  },
  {
    title: 'a rotation after the headers were sent is HEADERS_SENT, and the old token lives on',
    async run({ visitor, signal }) {
      await visitor.get('/login')
      const answer = await visitor.get('/stream-then-rotate', { onData: signal.open })
      expect(answer.body).toBe('begun HEADERS_SENT')
      expect((await visitor.get('/whoami')).body).toBe('ada')
    },
  },
  {
    title: 'an end after the headers were sent is HEADERS_SENT, and the session lives on',
    async run({ visitor, signal }) {
      await visitor.get('/login')
      const answer = await visitor.get('/stream-then-end', { onData: signal.open })
      expect(answer.body).toBe('begun HEADERS_SENT')
      expect((await visitor.get('/whoami')).body).toBe('ada')
    },
  },
  {
    title: 'a stream may write to a session that has its cookie',
    async run({ visitor, signal }) {
      const answer = await visitor.get('/write-then-stream', { onData: signal.open })
      expect(answer.body).toBe('begun done')
      expect(answer.setCookies).toHaveLength(1)
      expect((await visitor.get('/visits')).body).toBe('1')
      expect((await visitor.get('/whoami')).body).toBe('early')
    },
  },
  {
    title: 'a write that nobody awaited is warned of, once',
    async run({ visitor, store, warnings }) {
      await visitor.get('/visit')
      for (let round = 0; round < 2; round++) {
        const release = store.hold()
        expect((await visitor.get('/forgotten')).body).toBe('sent')
        release()
        await expect.poll(async () => (await visitor.get('/visits')).body).toBe(String(round + 2))
      }
      expect(await warnings('FIELDWISE_NOT_AWAITED')).toEqual([
        expect.stringContaining('session.increment() was still under way'),
      ])
    },
  },
  {
    title: 'a write that was awaited is not warned of, nor a read that was not',
    async run({ visitor, store, signal, warnings }) {
      await visitor.get('/visit')
      const release = store.hold()
      await visitor.get('/forgotten-read')
      release()
      await visitor.get('/write-then-stream', { onData: signal.open })
      await visitor.get('/login')
      await visitor.get('/logout')
      expect(await warnings('FIELDWISE_NOT_AWAITED')).toEqual([])
    },
  },
  {
    title: 'a visitor who hangs up is no error, and what the handler writes is kept',
    async run({ visitor, store, signal }) {
      await visitor.get('/visit')
      const before = store.flights.length
      let hangUp = () => {}
      const aborted = visitor.get('/slow-visit', { onRequest: (sent) => (hangUp = () => sent.destroy()) }).catch((error) => error)
      await signal.reached
      hangUp()
      expect(await aborted).toMatchObject({ code: 'ECONNRESET' })
      await visitor.get('/untouched')
      signal.open()
      await expect.poll(() => store.flights.length).toBeGreaterThan(before)
      await expect.poll(async () => (await visitor.get('/visits')).body).toBe('2')
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
    title: 'HEAD sets the cookie as GET does',
    async run({ visitor }) {
      const answer = await visitor.send('/visit', { method: 'HEAD' })
      expect(answer.body).toBe('')
      expect(answer.setCookies).toHaveLength(1)
      expect((await visitor.get('/visits')).body).toBe('1')
    },
  },
  {
    title: "the app's own cookies stay, and shared caches keep no answer that sets ours",
    async run({ visitor }) {
      const first = await visitor.get('/cached')
      expect(first.setCookies).toEqual(['theme=dark; Path=/', expect.stringMatching(/^session=/)])
      expect(first.headers['cache-control']).toBe('private, max-age=60')
      const second = await visitor.get('/cached')
      expect(second.setCookies).toEqual(['theme=dark; Path=/'])
      expect(second.headers['cache-control']).toBe('public, max-age=60')
    },
  },
  {
    title: 'an answer that sets the cookie and says nothing of caches is private',
    async run({ visitor }) {
      expect((await visitor.get('/visit')).headers['cache-control']).toBe('private')
      expect((await visitor.get('/visit')).headers['cache-control']).toBeUndefined()
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
  {
    title: 'two kinds of sessions live side by side, each with its cookie',
    async run({ visitor }) {
      await visitor.get('/login')
      await visitor.get('/admin-login')
      expect([...visitor.cookies.keys()]).toEqual(['session', 'admin'])
      expect((await visitor.get('/both')).body).toBe('ada owner')
      await visitor.get('/logout')
      expect((await visitor.get('/both')).body).toBe('undefined owner')
    },
  },
  {
    title: 'over HTTPS that ends at a trusted proxy the cookie is __Host- and Secure',
    without: { 'Hono 4': 'it goes by the URL that the server gives it', fetch: 'it goes by the URL of the Request' },
    async run({ visitor, warnings }) {
      const overTls = { headers: { 'x-forwarded-proto': 'https' } }
      const answer = await visitor.get('/visit', overTls)
      expect(answer.setCookies).toEqual([
        expect.stringMatching(/^__Host-session=[^;]+; Path=\/; HttpOnly; Secure; SameSite=Lax$/),
      ])
      expect((await visitor.get('/visits', overTls)).body).toBe('1')
      expect(await warnings('FIELDWISE_PLAIN_HTTP')).toEqual([])
    },
  },
  {
    title: 'over plain HTTP in development the cookie is plain, with one warning, and none on the own machine',
    async run({ newVisitor, warnings }) {
      for (const host of ['localhost', 'www.shop.localhost', '127.0.0.1']) await newVisitor(host).get('/visit')
      expect(await warnings('FIELDWISE_PLAIN_HTTP')).toEqual([])
      await newVisitor('www.shop.example').get('/visit')
      await newVisitor('www.shop.example').get('/visit')
      expect(await warnings('FIELDWISE_PLAIN_HTTP')).toEqual([expect.stringContaining('plain HTTP')])
    },
  },
  {
    title: 'a plain cookie that was asked for needs no warning',
    options: { cookie: { secure: false } },
    async run({ visitor, warnings }) {
      const answer = await visitor.get('/visit')
      expect(answer.setCookies).toEqual([expect.stringMatching(/^session=[^;]+; Path=\/; HttpOnly; SameSite=Lax$/)])
      expect(await warnings('FIELDWISE_PLAIN_HTTP')).toEqual([])
    },
  },
  {
    title: 'one cookie serves all hosts of a domain',
    options: { cookie: { domain: 'shop.localhost' } },
    async run({ visitor, newVisitor, warnings }) {
      const login = await visitor.get('/login')
      expect(login.setCookies).toEqual([expect.stringContaining('; Domain=shop.localhost;')])
      const avatar = newVisitor('avatar.shop.localhost')
      avatar.cookies.set('session', visitor.cookies.get('session') ?? '')
      expect((await avatar.get('/whoami')).body).toBe('ada')
      expect((await avatar.get('/logout')).setCookies).toEqual([expect.stringContaining('; Domain=shop.localhost;')])
      expect(await warnings('FIELDWISE_COOKIE_HOST')).toEqual([])
    },
  },
  {
    title: 'a host that can never send the cookie back is warned of, once, with both names',
    options: { cookie: { domain: 'shop.localhost' } },
    async run({ newVisitor, warnings }) {
      await newVisitor('127.0.0.1').get('/visit')
      await newVisitor('www.example.org').get('/visit')
      const given = await warnings('FIELDWISE_COOKIE_HOST')
      expect(given).toHaveLength(1)
      expect(given[0]).toMatch(/Domain=shop\.localhost from (127\.0\.0\.1|www\.example\.org)/)
    },
  },
  {
    title: 'without a Domain, a second host is told that it has a cookie jar of its own',
    async run({ newVisitor, warnings }) {
      await newVisitor('www.shop.localhost').get('/visit')
      await newVisitor('avatar.shop.localhost').get('/visit')
      expect(await warnings('FIELDWISE_COOKIE_HOST')).toEqual([expect.stringContaining("set cookie.domain to 'shop.localhost'")])
    },
  },
  {
    title: "what no route answers is the framework's 404, without a cookie",
    async run({ visitor }) {
      const answer = await visitor.get('/nowhere')
      expect(answer.status).toBe(404)
      expect(answer.setCookies).toEqual([])
    },
  },
]

/** The part of a token before its secret. */
function sidOf(token: string | undefined): string | undefined {
  return token?.split('.')[0]
}

export function newSignal(): Signal {
  const reached = gate()
  const opened = gate()
  return { reached: reached.promise, reach: reached.open, opened: opened.promise, open: opened.open }
}
