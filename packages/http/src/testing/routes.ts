import { isFieldwiseError } from 'fieldwise'
import type { Signal } from './case.js'
import type { Handler } from './shop.js'

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
export const thrownRedirects: Readonly<Record<string, () => unknown>> = {
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
export const cacheHeaders: Readonly<Record<string, readonly [said: string, kept: string]>> = {
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
export const foreignIdioms: Readonly<Record<string, { readonly write: (session: Foreign) => unknown; readonly named: string }>> =
  {
    '/assign': { write: (session) => Object.assign(session, { user: 'ada' }), named: "await session.set('user', …)" },
    '/assign-over': { write: (session) => Object.assign(session, { cookie: 1 }), named: "await session.set('cookie', …)" },
    '/remove': { write: (session) => Reflect.deleteProperty(session, 'user'), named: "await session.delete('user')" },
    '/cookie': { write: (session) => session.cookie.maxAge, named: 'persist: true' },
    '/save': { write: (session) => session.save(), named: 'nothing to save' },
    '/save-back': { write: (session) => new Promise((_, fail) => session.save(fail)), named: 'nothing to save' },
    '/regenerate-back': {
      write: (session) => new Promise((_, fail) => void session.regenerate(fail)),
      named: 'passportSession()',
    },
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
