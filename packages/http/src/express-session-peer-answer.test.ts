import type { ServerResponse } from 'node:http'
import { describe, expect, test, vi } from 'vitest'
import { appsOf, type Handler, stores } from './testing/express-session-server.js'
import { gate } from './testing/scripted-store.js'

// express-session holds the end of an answer back until the session is saved. However an app answers, it has to arrive as it was written.

/** Ways to answer with "hello, world" or with nothing. */
const ways: readonly { readonly way: string; readonly body: string; readonly answer: (res: ServerResponse) => void }[] = [
  { way: 'at once', body: 'hello, world', answer: (res) => res.end('hello, world') },
  { way: 'with a Buffer', body: 'hello, world', answer: (res) => res.end(Buffer.from('hello, world')) },
  { way: 'in another encoding', body: 'hello, world', answer: (res) => res.end('aGVsbG8sIHdvcmxk', 'base64') },
  {
    way: 'in several parts',
    body: 'hello, world',
    answer: (res) => {
      res.write('hello, ')
      res.write('wor')
      res.end('ld')
    },
  },
  {
    way: 'with its length',
    body: 'hello, world',
    answer: (res) => void res.setHeader('Content-Length', '12').end('hello, world'),
  },
  {
    way: 'with its length, in another encoding',
    body: 'hello, world',
    answer: (res) => void res.setHeader('Content-Length', '12').end('aGVsbG8sIHdvcmxk', 'base64'),
  },
  { way: 'with a length of one', body: '!', answer: (res) => void res.setHeader('Content-Length', '1').end('!') },
  { way: 'with a length of none', body: '', answer: (res) => void res.setHeader('Content-Length', '0').end() },
  { way: 'with nothing', body: '', answer: (res) => void res.end() },
  { way: 'with null', body: '', answer: (res) => void res.end(null) },
  { way: 'with an empty text', body: '', answer: (res) => void res.end('') },
  { way: 'with a head of its own', body: 'hello, world', answer: (res) => void res.writeHead(200).end('hello, world') },
  {
    way: 'with a head that was flushed',
    body: 'hello, world',
    answer: (res) => {
      res.flushHeaders()
      res.end('hello, world')
    },
  },
  {
    way: 'twice',
    body: 'hello, world',
    answer: (res) => {
      res.end('hello, world')
      res.end('again')
    },
  },
  {
    way: 'and writes after the end',
    body: 'hello, world',
    answer: (res) => {
      res.on('error', () => {})
      res.end('hello, world')
      setImmediate(() => res.write('late'))
    },
  },
]

describe.each(stores)('an answer of an app on $name', ({ newStore }) => {
  const serve = appsOf(newStore)

  /** Counts in the session, then answers in that way. */
  const answering =
    (answer: (res: ServerResponse) => void): Handler =>
    (req, res) => {
      if (req.url === '/look') return String(req.session.uses)
      req.session.uses = Number(req.session.uses ?? 0) + 1
      answer(res)
      return undefined
    }

  test.each(ways)('$way arrives as it was written, and the session is saved by then', async ({ body, answer }) => {
    const { visitor, errors } = await serve(answering(answer))
    const guest = visitor()
    for (const uses of ['1', '2']) {
      expect(await guest.get('/')).toMatchObject({ status: 200, body })
      expect((await guest.get('/look')).body).toBe(uses)
    }
    expect(errors).toEqual([])
  })

  test.each(['before', 'after'] as const)('arrives too where another middleware has patched the response %s', async (when) => {
    const patch = (res: ServerResponse) => {
      const { end, write } = res
      Object.assign(res, {
        write: (...given: unknown[]) => Reflect.apply(write, res, given),
        end: (...given: unknown[]) => Reflect.apply(end, res, given),
      })
    }
    const answer = (res: ServerResponse) => {
      if (when === 'after') patch(res)
      res.write('hello, ')
      res.end('world')
    }
    const before = (_req: unknown, res: ServerResponse) => (when === 'before' ? patch(res) : undefined)
    const { visitor } = await serve(answering(answer), { before })
    const guest = visitor()
    expect((await guest.get('/')).body).toBe('hello, world')
    expect((await guest.get('/look')).body).toBe('1')
  })

  test('is complete when the store is slow, and not before it has saved', async () => {
    const { visitor, store } = await serve(answering((res) => void res.setHeader('Content-Length', '5').end('hello')))
    const { promise, open } = gate()
    const { set } = store
    const save = vi
      .spyOn(store, 'set')
      .mockImplementation((...given: unknown[]) => void promise.then(() => Reflect.apply(set, store, given)) as never)
    let soFar = ''
    const guest = visitor()
    const answer = guest.get('/', {
      onData: (data) => {
        soFar = data
      },
    })
    await vi.waitFor(() => expect([save.mock.calls.length, soFar]).toEqual([1, 'hell']), 60_000)
    open()
    expect((await answer).body).toBe('hello')
    expect((await guest.get('/look')).body).toBe('1')
  })

  test('that was ended a second time with another length is refused as by node:http itself', async () => {
    const messages: unknown[] = []
    const { visitor } = await serve(
      answering((res) => {
        res.end()
        try {
          res.setHeader('Content-Length', '3')
        } catch (error) {
          messages.push((error as { code: string }).code)
        }
      }),
    )
    await visitor().get('/')
    expect(messages).toEqual(['ERR_HTTP_HEADERS_SENT'])
  })
})
