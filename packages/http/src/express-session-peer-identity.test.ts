import { createRequire } from 'node:module'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { middleware } from './testing/express-session.js'
import { appsOf, type Handler, type SessionRequest, stores } from './testing/express-session-server.js'

// How express-session finds the session of a visitor, in apps on its own store and on ours.

const use: Handler = ({ session }) => {
  session.uses = Number(session.uses ?? 0) + 1
  return session.uses
}

const cookieParser = createRequire(import.meta.url)('cookie-parser') as (
  secret?: string,
) => (req: object, res: object, next: (error?: unknown) => void) => void

// What express-session still does, but advises against, it prints unless somebody listens.
const listen = () => {}

beforeAll(() => {
  process.on('deprecation', listen)
})

afterAll(() => {
  process.off('deprecation', listen)
})

describe.each(stores)('the session of a visitor on $name', ({ newStore }) => {
  const serve = appsOf(newStore)

  describe('by its id', () => {
    test('is that of the request, of req.sessionID and of the cookie', async () => {
      const { visitor } = await serve((req) => {
        use(req, undefined as never)
        return JSON.stringify([req.session.id, req.sessionID])
      })
      const guest = visitor()
      const [id, sessionID] = JSON.parse((await guest.get('/')).body)
      expect(sessionID).toBe(id)
      expect(guest.cookies.get('connect.sid')).toMatch(new RegExp(`^s:${id}\\.`))
      expect(JSON.parse((await guest.get('/')).body)).toEqual([id, id])
    })

    test('has an id of 32 characters that no other has, unless genid gives one', async () => {
      const { visitor } = await serve((req) => {
        use(req, undefined as never)
        return req.session.id
      })
      const ids = await Promise.all(Array.from({ length: 20 }, async () => (await visitor().get('/')).body))
      expect(new Set(ids).size).toBe(20)
      for (const id of ids) expect(id).toMatch(/^[\w-]{32}$/)
    })

    test('from genid is found again, whatever characters it has; genid gets the request', async () => {
      const genid = (req: SessionRequest) => `% ü ${req.url}`
      const { visitor } = await serve((req, res) => `${use(req, res)} ${req.session.id}`, { options: { genid } })
      const guest = visitor()
      expect((await guest.get('/a')).body).toBe('1 % ü /a')
      expect((await guest.get('/b')).body).toBe('2 % ü /a')
    })

    test('is not stored, and no cookie set, if the app puts something else in its place', async () => {
      const { visitor } = await serve((req, res) => {
        if (req.url === '/bogus') Object.assign(req, { sessionID: () => {} })
        return use(req, res)
      })
      const guest = visitor()
      expect((await guest.get('/bogus')).setCookies).toEqual([])
      expect((await guest.get('/')).body).toBe('1')
    })
  })

  describe('by a signature', () => {
    test.each([
      ['a string', 'new', ['new']],
      ['a buffer', Buffer.from('new'), [Buffer.from('new')]],
      ['the first of several', ['new', 'old'], ['newer', 'new']],
      ['a secret that now comes last', ['old'], ['new', 'newer', 'old']],
    ])('of %s is found again', async (_, secret, later) => {
      const under = newStore()
      const { visitor } = await serve(use, { store: under, options: { secret } })
      const guest = visitor()
      await guest.get('/')
      const cookie = guest.cookies.get('connect.sid') as string
      const same = (await serve(use, { store: under, options: { secret: later } })).visitor()
      same.cookies.set('connect.sid', cookie)
      expect((await same.get('/')).body).toBe('2')
      const forgotten = (await serve(use, { store: under, options: { secret: 'another' } })).visitor()
      forgotten.cookies.set('connect.sid', cookie)
      expect((await forgotten.get('/')).body).toBe('1')
    })

    test('that is wrong, or missing, is asked nobody about, and a new one begins', async () => {
      const { visitor, store } = await serve(use)
      const get = vi.spyOn(store, 'get')
      const guest = visitor()
      await guest.get('/')
      const right = guest.cookies.get('connect.sid') as string
      for (const wrong of [`${right}x`, right.replace(/^s:/, ''), 's:', '', 's:.', 'j:{}']) {
        const stray = visitor()
        stray.cookies.set('connect.sid', wrong)
        expect((await stray.get('/')).body).toBe('1')
      }
      expect(get).not.toHaveBeenCalled()
    })

    test('of the secret that another middleware left in req.secret is found again', async () => {
      const before = (req: SessionRequest) => {
        req.secret = 'keyboard cat'
      }
      const { visitor } = await serve(use, { before, options: { secret: undefined } })
      const guest = visitor()
      await guest.get('/')
      expect((await guest.get('/')).body).toBe('2')
    })

    test('without any secret is an error', async () => {
      const { visitor } = await serve(use, { options: { secret: undefined } })
      expect(await visitor().get('/')).toMatchObject({ status: 500, body: 'secret option required for sessions' })
    })

    test('that an empty id has is that of nobody', async () => {
      const { visitor } = await serve(use)
      const { sign } = createRequire(createRequire(import.meta.url).resolve('express-session'))('cookie-signature')
      const stray = visitor()
      stray.cookies.set('connect.sid', `s:${sign('', 'keyboard cat')}`)
      expect((await stray.get('/')).body).toBe('1')
    })
  })

  describe('by cookie-parser', () => {
    const parse = (secret?: string) => (req: SessionRequest) => {
      cookieParser(secret)(req, {}, () => {})
      delete req.headers.cookie
    }

    test.each([
      ['req.signedCookies', 'keyboard cat', '2'],
      ['req.cookies', undefined, '2'],
      ['req.signedCookies of another secret', 'dog', '1'],
    ])('is found in %s, if it was signed with our secret', async (_, secret, uses) => {
      const under = newStore()
      const guest = (await serve(use, { store: under })).visitor()
      await guest.get('/')
      const parsed = (await serve(use, { store: under, before: parse(secret) })).visitor()
      parsed.cookies.set('connect.sid', guest.cookies.get('connect.sid') as string)
      expect((await parsed.get('/')).body).toBe(uses)
    })
  })

  test('that the request has already is left alone', async () => {
    const before = (req: SessionRequest) => void Object.assign(req, { session: { uses: 41 } })
    const { visitor } = await serve(use, { before })
    expect(await visitor().get('/')).toMatchObject({ body: '42', setCookies: [] })
  })

  test('shows the properties of the app and the cookie, and no methods', async () => {
    const { visitor } = await serve(({ session }) => {
      session.one ??= 1
      session.two ??= 'b'
      const inherited: string[] = []
      for (const name in session) inherited.push(name)
      return [...inherited.sort(), ...Object.keys(session).sort()].join()
    })
    const guest = visitor()
    for (let visit = 0; visit < 2; visit++) expect((await guest.get('/')).body).toBe('cookie,one,two,cookie,one,two')
  })

  test('keeps its methods, whatever names its properties have', async () => {
    const { visitor, store } = await serve((req, res) => {
      use(req, res)
      return JSON.stringify([req.session.id, typeof req.session.save, req.session.toString === Object.prototype.toString])
    })
    const guest = visitor()
    const [id] = JSON.parse((await guest.get('/')).body)
    const data = await new Promise<object>((resolve) => store.get<object>(id, (_error, session) => resolve(session ?? {})))
    const reserved = JSON.parse('{"save":"nope","reload":1,"id":"x","toString":"nope","__proto__":{"polluted":true}}')
    for (const name of Object.keys(reserved)) Object.defineProperty(data, name, { value: reserved[name], enumerable: true })
    await new Promise((resolve) => store.set(id, data, resolve))
    expect(JSON.parse((await guest.get('/')).body).slice(0, 2)).toEqual([id, 'function'])
    expect({}).not.toHaveProperty('polluted')
  })

  test.each([
    [{ genid: 'id' }, /genid/],
    [{ secret: [] }, /secret/],
    [{ unset: 'later' }, /unset/],
  ])('cannot be had with the options %o', (options, says) => {
    expect(() => middleware(newStore().store, options)).toThrow(says)
  })
})
