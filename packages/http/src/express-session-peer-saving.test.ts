import { describe, expect, test, vi } from 'vitest'
import { appsOf, called, type Handler, type SessionRequest, stores } from './testing/express-session-server.js'

// When express-session asks a store to save, to touch and to end, and what comes of it, in apps on its own store and on ours.

const minute = 60_000

const use: Handler = ({ session }) => {
  session.uses = Number(session.uses ?? 0) + 1
  return session.uses
}

/** `/use` changes the session, and what else there is only looks. */
const useOrLook: Handler = (req, res) => (req.url === '/use' ? use(req, res) : String(req.session.uses))

describe.each(stores)('an app on $name', ({ newStore }) => {
  const serve = appsOf(newStore)

  /** An app whose calls of the store are counted. */
  async function counting(handler: Handler, options: object = {}) {
    const app = await serve(handler, { options })
    const calls = {
      set: vi.spyOn(app.store, 'set'),
      touch: vi.spyOn(app.store, 'touch'),
      destroy: vi.spyOn(app.store, 'destroy'),
    }
    const taken = () => {
      const counts = { set: calls.set.mock.calls.length, touch: calls.touch.mock.calls.length }
      for (const spy of Object.values(calls)) spy.mockClear()
      return counts
    }
    return { ...app, taken }
  }

  describe('asks the store', () => {
    test.each([
      // new and not used, new and used, known and not used, known and used
      [{ resave: false, saveUninitialized: false }, [0, 0], [1, 0], [0, 1], [1, 0]],
      [{ resave: true, saveUninitialized: false }, [0, 0], [1, 0], [1, 0], [1, 0]],
      [{ resave: false, saveUninitialized: true }, [1, 0], [1, 0], [0, 1], [1, 0]],
      [{ resave: true, saveUninitialized: true }, [1, 0], [1, 0], [1, 0], [1, 0]],
    ])('with %o to set and to touch as often as it says', async (options, newUnused, newUsed, unused, used) => {
      const { visitor, taken } = await counting(useOrLook, options)
      const costs = async (guest: ReturnType<typeof visitor>, path: string) => {
        taken()
        await guest.get(path)
        const { set, touch } = taken()
        return [set, touch]
      }
      expect(await costs(visitor(), '/')).toEqual(newUnused)
      const guest = visitor()
      expect(await costs(guest, '/use')).toEqual(newUsed)
      expect(await costs(guest, '/')).toEqual(unused)
      expect(await costs(guest, '/use')).toEqual(used)
      expect((await guest.get('/')).body).toBe('2')
    })

    test.each([
      [{ rolling: false, saveUninitialized: false }, [0, 1, 0]],
      [{ rolling: true, saveUninitialized: false }, [0, 1, 1]],
      [{ rolling: false, saveUninitialized: true }, [1, 1, 0]],
      [{ rolling: true, saveUninitialized: true }, [1, 1, 1]],
    ])('and with %o sets a cookie for a new session, a new one that is used, and a known one: %o', async (options, cookies) => {
      const { visitor } = await serve(useOrLook, { options })
      const guest = visitor()
      const counts = [await visitor().get('/'), await guest.get('/use'), await guest.get('/')].map(
        ({ setCookies }) => setCookies.length,
      )
      expect(counts).toEqual(cookies)
    })
  })

  describe('saves', () => {
    test('itself, and express-session not once more', async () => {
      const { visitor, taken } = await counting(async (req, res) => {
        use(req, res)
        await called((done) => req.session.save(done))
        return 'saved'
      })
      const guest = visitor()
      for (let visit = 0; visit < 2; visit++) {
        await guest.get('/')
        expect(taken()).toMatchObject({ set: 1 })
      }
    })

    test('itself after a reload, and express-session not once more', async () => {
      const { visitor, taken } = await counting(async (req, res) => {
        if (req.url === '/use') return use(req, res)
        await called((done) => req.session.reload(done))
        await called((done) => req.session.save(done))
        return String(req.session.uses)
      })
      const guest = visitor()
      await guest.get('/use')
      taken()
      expect((await guest.get('/')).body).toBe('1')
      expect(taken()).toMatchObject({ set: 1 })
    })

    test('itself and changes more: that is saved at the end', async () => {
      const { visitor } = await serve(async (req, res) => {
        use(req, res)
        await called((done) => req.session.save(done))
        return use(req, res)
      })
      const guest = visitor()
      expect([(await guest.get('/')).body, (await guest.get('/')).body]).toEqual(['2', '4'])
    })
  })

  describe('reloads', () => {
    test('what others have changed, and loses its own changes', async () => {
      const { visitor } = await serve(async (req, res) => {
        if (req.url !== '/outer') return use(req, res)
        req.session.mine = true
        await guest.get('/')
        await called((done) => req.session.reload(done))
        return JSON.stringify([req.session.uses, req.session.mine])
      })
      const guest = visitor()
      await guest.get('/')
      expect((await guest.get('/outer')).body).toBe('[2,null]')
    })

    test('a session that has ended: an error, each time that it is asked, and no call on top of another', async () => {
      const { visitor, store } = await serve(async (req, res) => {
        if (req.url === '/') return use(req, res)
        await called((done) => store.destroy(req.session.id, done))
        const messages: string[] = []
        for (let time = 0; time < 20; time++)
          messages.push(await called((done) => req.session.reload(done)).catch((error) => error.message))
        return [...new Set(messages)].join()
      })
      const guest = visitor()
      await guest.get('/')
      expect((await guest.get('/reload')).body).toBe('failed to load session')
    })
  })

  describe('ends a session', () => {
    test('by destroy, and the request has none any more', async () => {
      const { visitor } = await serve(async (req, res) => {
        if (req.url !== '/end') return use(req, res)
        const { session } = req
        await called((done) => session.destroy(done))
        return String(req.session)
      })
      const guest = visitor()
      await guest.get('/')
      expect(await guest.get('/end')).toMatchObject({ body: 'undefined', setCookies: [] })
      expect((await guest.get('/')).body).toBe('1')
    })

    test('by destroy without a callback', async () => {
      const { visitor } = await serve((req, res) => {
        if (req.url !== '/end') return use(req, res)
        req.session.destroy()
        return 'bye'
      })
      const guest = visitor()
      await guest.get('/')
      await guest.get('/end')
      expect((await guest.get('/')).body).toBe('1')
    })

    test('by regenerate, and begins another under another id', async () => {
      const { visitor } = await serve(async (req, res) => {
        if (req.url !== '/login') return use(req, res)
        const { id } = req.session
        await called((done) => req.session.regenerate(done))
        req.session.user = 'ada'
        return JSON.stringify([id !== req.session.id, req.session.id === req.sessionID, req.session.uses ?? null])
      })
      const guest = visitor()
      await guest.get('/')
      const thief = guest.clone()
      const login = await guest.get('/login')
      expect(login.body).toBe('[true,true,null]')
      expect(login.setCookies).toHaveLength(1)
      expect((await guest.get('/')).body).toBe('1')
      expect((await thief.get('/')).body).toBe('1')
    })

    test.each([
      ['destroy', undefined, '1'],
      ['destroy', null, '1'],
      ['keep', undefined, '2'],
      ['keep', null, '2'],
    ])('with unset: %s when req.session is set to %s, or leaves it: the next visit is number %s', async (unset, value, next) => {
      const { visitor } = await serve(
        (req, res) => {
          if (req.url !== '/unset') return use(req, res)
          Object.assign(req, { session: value })
          return 'unset'
        },
        { options: { unset } },
      )
      const guest = visitor()
      await guest.get('/')
      expect(await guest.get('/unset')).toMatchObject({ body: 'unset', setCookies: [] })
      expect((await guest.get('/')).body).toBe(next)
    })

    test('before it was stored: no cookie, and nothing is stored', async () => {
      const handler: Handler = (req) => {
        Object.assign(req, { session: null })
        return 'unset'
      }
      const { visitor, taken } = await counting(handler, { unset: 'destroy' })
      expect((await visitor().get('/')).setCookies).toEqual([])
      expect(taken()).toMatchObject({ set: 0 })
    })
  })

  describe('hears of a store that fails', () => {
    /** An app that a visitor has used, whose store fails when the handler calls what it gets. */
    async function failing(handler: (req: SessionRequest, fail: () => void) => unknown) {
      const under = newStore()
      const app = await serve((req, res) => (req.url === '/' ? use(req, res) : handler(req, under.fail)), {
        store: under,
        options: { unset: 'destroy' },
      })
      const guest = app.visitor()
      await guest.get('/')
      return { ...app, guest, fail: under.fail }
    }

    test('when it loads, instead of answering as if there were no session', async () => {
      const { guest, fail } = await failing(() => 'never')
      fail()
      const answer = await guest.get('/later')
      expect(answer.status).toBeGreaterThanOrEqual(500)
      expect(answer.setCookies).toEqual([])
    })

    test.each([
      ['saves', (req: SessionRequest) => Object.assign(req.session, { user: 'ada' })],
      ['saves a changed cookie', (req: SessionRequest) => Object.assign(req.session.cookie, { maxAge: minute })],
      ['ends a session', (req: SessionRequest) => Object.assign(req, { session: null })],
    ])('when it %s at the end: the answer is complete, and the error comes to the error handler', async (_, change) => {
      const { guest, errors } = await failing((req, fail) => {
        change(req)
        fail()
        return 'complete'
      })
      expect(await guest.get('/later')).toMatchObject({ status: 200, body: 'complete' })
      await vi.waitFor(() => expect(errors).toHaveLength(1), 60_000)
    })

    test.each(['save', 'reload', 'regenerate', 'destroy'] as const)('when the handler asks to %s and waits', async (method) => {
      const { guest } = await failing(async (req, fail) => {
        req.session.user = 'ada'
        fail()
        const { session } = req
        await called((done) => session[method](done))
        return 'done'
      })
      const answer = await guest.get('/later')
      expect(answer.status).toBeGreaterThanOrEqual(500)
    })
  })

  test('has no session while its store says that it is disconnected, and has one again when it is connected', async () => {
    const { visitor, store } = await serve((req, res) => (req.session === undefined ? 'none' : use(req, res)))
    const emitter = store as unknown as NodeJS.EventEmitter
    const guest = visitor()
    await guest.get('/')
    emitter.emit('disconnect')
    expect((await guest.get('/')).body).toBe('none')
    emitter.emit('connect')
    expect((await guest.get('/')).body).toBe('2')
  })
})
