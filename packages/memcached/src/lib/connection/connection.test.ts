import { once } from 'node:events'
import type { Store } from 'fieldwise/store-contract'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { complaint, Flyer, told } from '../../../../../test/support/flights.js'
import { host } from '../../../../../test/support/host.js'
import { Memcached } from '../../../../../test/support/memcached.js'
import {
  type Peer,
  type Protocol,
  replies,
  type ScriptedRequest,
  ScriptedServer,
} from '../../../../../test/support/scripted-server.js'
import { until } from '../../../../../test/support/until.js'
import { memcachedStore } from '../../index.js'

const protocols: readonly Protocol[] = ['binary', 'meta']

const stores: Store[] = []
const servers: ScriptedServer[] = []

afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()))
  await Promise.all(servers.splice(0).map((server) => server[Symbol.asyncDispose]()))
})

describe.each(protocols)('a %s connection', (protocol) => {
  const reply = replies[protocol]

  async function scene(script: (request: ScriptedRequest, peer: Peer) => unknown, timeout: `${number}ms` = '5000ms') {
    const server = await ScriptedServer.start({ protocol, script })
    const store = memcachedStore(server.address, { protocol, timeout })
    servers.push(server)
    stores.push(store)
    return { server, store, session: new Flyer(store) }
  }

  test('half an answer and a reset leave nothing behind for the next connection', async () => {
    const { session, server } = await scene((request, peer) => {
      const answer = reply.hit(request, `value of ${request.key.slice(-1)}`)
      if (peer.index > 0) return peer.send(answer)
      peer.send(answer.subarray(0, answer.length - 5))
      setImmediate(() => peer.reset())
    })
    expect(await session.told(session.get('a'))).toEqual(['unanswered STORE_UNAVAILABLE'])
    for (const name of ['b', 'c', 'd']) expect(await session.told(session.get(name))).toEqual([`found value of ${name}`])
    expect(server.peers).toHaveLength(2)
  })

  test('an answer that was stalled until after the timeout reaches nobody', async () => {
    const stalled: { peer: Peer; answer: Buffer }[] = []
    const { session, server } = await scene((request, peer) => {
      const answer = reply.hit(request, request.key.endsWith(':a') ? 'S'.repeat(8_000) : `value of ${request.key.slice(-1)}`)
      if (peer.index > 0) return peer.send(answer)
      if (stalled.length === 0) peer.send(answer.subarray(0, 100))
      stalled.push({ peer, answer: stalled.length === 0 ? answer.subarray(100) : answer })
    }, '250ms')
    await session.fly([])
    const [first, ...others] = await Promise.all(['a', 'b', 'c'].map((name) => session.told(session.get(name))))
    expect(first).toEqual(['unanswered STORE_UNAVAILABLE'])
    expect(others).toEqual([['unanswered STORE_UNAVAILABLE'], ['unanswered STORE_UNAVAILABLE']])
    const again = ['d', 'e'].map((name) => session.told(session.get(name)))
    for (const { peer, answer } of stalled) peer.send(answer)
    expect(await Promise.all(again)).toEqual([['found value of d'], ['found value of e']])
    expect(server.peers).toHaveLength(2)
  })

  test('a value that looks like answers to other requests is a value', async () => {
    const { session } = await scene((request, peer) => {
      const forged = [1, 2, 3, 4, 5, 6, 7, 8].map((step) => reply.hit({ ...request, opaque: request.opaque + step }, 'forged'))
      peer.send(request.key.endsWith(':evil') ? reply.hit(request, Buffer.concat(forged)) : reply.hit(request, 'true'))
    })
    const flights = ['evil', 'a', 'b', 'c'].map((name) => session.told(session.get(name)))
    const [, ...others] = await Promise.all(flights)
    expect(others).toEqual([['found true'], ['found true'], ['found true']])
  })

  test('a write whose answer is lost is never sent again', async () => {
    const { session, server } = await scene((request, peer) => {
      if (peer.index === 0) peer.reset()
      else peer.send(reply.ok(request))
    })
    const lost = await session.told(session.add('a'), session.replace('b'), session.delete('c'), session.touch('d'))
    expect(lost).toEqual(Array(4).fill('unanswered STORE_UNAVAILABLE'))
    expect(await session.told(session.replace('after'))).toEqual(['stored'])
    const sent = server.requests.map((request) => request.split(':').at(-1))
    expect(sent).toEqual([...new Set(sent)])
    expect(sent.at(-1)).toBe('after')
  })

  test('an orderly close by the server settles what is under way, and the next call connects again', async () => {
    const { session, server } = await scene((request, peer) => {
      if (peer.index === 0) peer.end()
      else peer.send(reply.missing(request))
    })
    expect(await session.told(session.get('a'))).toEqual(['unanswered STORE_UNAVAILABLE'])
    expect(await session.told(session.get('a'))).toEqual(['missing'])
    expect(server.peers).toHaveLength(2)
  })

  test('an orderly close settles what is under way even if much is still to be written', async () => {
    const { session, server } = await scene((_request, peer) => void peer)
    await session.fly([])
    const peer = server.peers[0] as Peer
    peer.socket.pause()
    const flights = Array.from({ length: 20 }, (_, index) => session.told(session.add(`a${index}`, Buffer.alloc(1_000_000))))
    await new Promise((resolve) => setImmediate(resolve))
    const begun = performance.now()
    peer.end()
    for (const answers of await Promise.all(flights)) expect(answers).toEqual(['unanswered STORE_UNAVAILABLE'])
    expect(performance.now() - begun).toBeLessThan(4_500)
  })

  test('a call that does not concern the refused one beside it is carried out', async () => {
    const { session, server } = await scene((request, peer) => peer.send(reply.missing(request)))
    const tooLong = { op: 'get', key: 'k'.repeat(251) } as const
    expect(await session.told(session.get('a'), tooLong, session.get('b'))).toEqual(['missing', 'unsent BAD_ARGUMENT', 'missing'])
    expect(await session.told(tooLong)).toEqual(['unsent BAD_ARGUMENT'])
    expect(server.requests).toHaveLength(2)
  })

  test('a request times out by the wall clock, whatever else moves on the connection', async () => {
    const { session, server } = await scene((request, peer) => {
      if (request.key.endsWith(':stuck')) return trickle(peer)
      peer.send(reply.missing(request))
    }, '300ms')
    await session.told(session.get('warm'))
    // It would be found in the end.
    expect(await session.told(session.get('stuck'))).toEqual(['unanswered STORE_UNAVAILABLE'])
    expect(await session.told(session.get('a'))).toEqual(['missing'])
    expect(server.peers).toHaveLength(2)

    /** One byte of a reply at a time: the socket is never idle. */
    function trickle(peer: Peer): void {
      const last = peer.requests.at(-1) as ScriptedRequest
      const answer = reply.hit(last, 'x'.repeat(1_000))
      let sent = 0
      const timer = setInterval(() => peer.send(answer.subarray(sent, ++sent)), 5)
      peer.socket.once('close', () => clearInterval(timer))
    }
  })

  test('a call whose own deadline passes gives up alone: the connection stays, and its late answer reaches nobody', async () => {
    let late: (() => void) | undefined
    const { session, server } = await scene((request, peer) => {
      const answer = reply.hit(request, `value of ${request.key.slice(-1)}`)
      if (request.key.endsWith(':s')) late = () => peer.send(answer)
      else if (late === undefined) peer.send(answer)
      else peer.socket.once('resume', () => peer.send(answer))
    })
    await session.told(session.get('w'))
    const slow = session.fly([session.get('s')], host.running() + 30)
    const quick = session.fly([session.get('q')])
    expect((await slow).answers.map(told)).toEqual(['unanswered STORE_UNAVAILABLE'])
    late?.()
    server.peers[0]?.socket.emit('resume')
    expect((await quick).answers.map(told)).toEqual(['found value of q'])
    expect(server.peers).toHaveLength(1)
  })

  test('the short deadlines of others do not end a connection on which an answer is still in time', async () => {
    const { session, server } = await scene(() => {}, '2000ms')
    await session.fly([])
    const patient = session.told(session.get('a'))
    const { answers } = await session.fly([session.get('b')], host.running() + 1_200)
    expect(answers.map(told)).toEqual(['unanswered STORE_UNAVAILABLE'])
    const [peer] = server.peers as [Peer]
    for (const request of peer.requests) peer.send(reply.missing(request))
    expect(await patient).toEqual(['missing'])
    expect(server.peers).toHaveLength(1)
  })

  test('a call that lost most of its time to connecting gives up alone: the connection is there for the next', async () => {
    const slowly = new Promise((resolve) => setTimeout(resolve, 1_400))
    const script = (_request: ScriptedRequest, peer: Peer) => {
      if (peer.requests.length === 2) for (const held of peer.requests) peer.send(reply.hit(held, held.key.slice(-1)))
    }
    const server = await ScriptedServer.start({ protocol, greetAfter: slowly, script })
    servers.push(server)
    const store = memcachedStore(server.address, { protocol, timeout: '2000ms' })
    stores.push(store)
    const session = new Flyer(store)
    expect(await session.told(session.get('a'))).toEqual(['unanswered STORE_UNAVAILABLE'])
    expect(await session.told(session.get('b'))).toEqual(['found b'])
    expect(server.peers).toHaveLength(1)
  })

  test('a call whose deadline has passed before it could be sent is never sent', async () => {
    const { session, server } = await scene((request, peer) => peer.send(reply.missing(request)))
    const { answers } = await session.fly([session.add('a')], host.running() - 1)
    expect(answers.map(told)).toEqual(['unsent STORE_UNAVAILABLE'])
    await session.told(session.get('b'))
    expect(server.requests).toEqual([`get ${session.key('b')}`])
  })

  test('a call that is late when its turn comes is never sent, over a connection that is ready', async () => {
    const { session, server } = await scene((request, peer) => peer.send(reply.missing(request)))
    await session.told(session.get('warm'))
    const { answers } = await session.fly([session.get('late')], 0)
    expect(answers.map(told)).toEqual(['unsent STORE_UNAVAILABLE'])
    await session.told(session.get('next'))
    expect(server.requests.map((request) => request.replace(/.*:/, ''))).toEqual(['warm', 'next'])
  })

  test('answers that arrived while the event loop was blocked past the deadline still count', async () => {
    await using memcached = await Memcached.start()
    const store = memcachedStore(memcached.address, { protocol, timeout: '400ms' })
    stores.push(store)
    const session = new Flyer(store)
    await session.told(session.get('warm'))
    const flight = session.told(session.get('a'))
    // Once it has been sent, before any answer is seen. Timers are the next thing that runs then.
    await new Promise((resolve) => setImmediate(resolve))
    block(600)
    expect(await flight).toEqual(['missing'])
  })

  test('an operation takes no longer than its timeout, however long connecting may take', async () => {
    const silent = await ScriptedServer.raw(() => {})
    servers.push(silent)
    const store = memcachedStore(silent.address, { protocol, timeout: '200ms', connectTimeout: '20s' })
    stores.push(store)
    const session = new Flyer(store)
    const begun = performance.now()
    expect(await session.told(session.get('a'))).toEqual(['unsent STORE_UNAVAILABLE'])
    await expect(store.now(session.sid, Number.POSITIVE_INFINITY)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await expect(store.check(Number.POSITIVE_INFINITY)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(performance.now() - begun).toBeLessThan(5_000)
  })

  test.each([
    ['the number of another request', (request: ScriptedRequest) => reply.missing({ ...request, opaque: request.opaque + 1 })],
    [
      'a second answer that nobody asked for',
      (request: ScriptedRequest) => Buffer.concat([reply.missing(request), reply.missing(request)]),
    ],
    ['an answer that does not fit a read', (request: ScriptedRequest) => reply.conflict(request)],
    ['a value without a version', (request: ScriptedRequest) => reply.hit(request, 'x', '0')],
    ['an HTTP answer', () => Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['noise', () => Buffer.alloc(200, 0x5a)],
    ['a value larger than any item', (request: ScriptedRequest) => reply.hit(request, Buffer.alloc(1_048_577))],
  ])('%s destroys the connection; nobody gets it, and the next call works', async (_what, wrong) => {
    const { session, server } = await scene((request, peer) => {
      peer.send(peer.index === 0 ? wrong(request) : reply.hit(request, 'right'))
    })
    const answers = [...(await session.fly([session.get('a')])).answers, ...(await session.fly([session.get('b')])).answers]
    expect(answers.map(told).every((answer) => /^(unanswered STORE_UNAVAILABLE|missing|found right)$/.test(answer))).toBe(true)
    expect(await session.told(session.get('c'))).toEqual(['found right'])
    expect(server.peers).toHaveLength(2)
  })

  test('an answer may come in pieces of any size', async () => {
    let sent = Promise.resolve()
    const { session } = await scene((request, peer) => {
      sent = sent.then(async () => {
        for (const byte of reply.hit(request, 'value')) {
          peer.send(Buffer.of(byte))
          await new Promise((resolve) => setImmediate(resolve))
        }
      })
    })
    expect(await session.told(session.get('a'))).toEqual(['found value'])
    expect(await session.told(session.get('a'), session.get('b'))).toEqual(['found value', 'found value'])
  })

  test('a large value in small segments is copied once, not once a segment', async () => {
    const size = 500_000
    const { session } = await scene(async (request, peer) => {
      const answer = reply.hit(request, Buffer.alloc(size, 7))
      for (let at = 0; at < answer.length; at += 1_460) {
        if (!peer.socket.write(answer.subarray(at, at + 1_460))) await once(peer.socket, 'drain')
        await new Promise((resolve) => setImmediate(resolve))
      }
    }, '20000ms')
    await session.fly([])
    const concat = vi.spyOn(Buffer, 'concat')
    try {
      const flight = await session.fly([session.get('a')])
      const copied = concat.mock.results.reduce((sum, { value }) => sum + (value.length >= 1_000 ? value.length : 0), 0)
      expect(flight.answers[0]).toMatchObject({ result: 'found' })
      // The scripted server joins the request's bytes with Buffer.concat too, which is far below 1,000 bytes, and its own answer once.
      expect(copied).toBeLessThan(3 * size)
    } finally {
      concat.mockRestore()
    }
  })

  test('calls of one turn of the event loop leave in one write', async () => {
    const { session, server, store } = await scene((request, peer) => peer.send(reply.missing(request)))
    await session.told(session.get('warm'))
    let chunks = 0
    server.peers[0]?.socket.on('data', () => chunks++)
    const sessions = Array.from({ length: 50 }, () => new Flyer(store))
    await Promise.all(sessions.map((one) => one.told(one.get('a'), one.get('@'))))
    expect(chunks).toBe(1)
  })

  test('values of all sizes leave as they are and in order, whatever bytes are in them', async () => {
    const { session, server } = await scene((request, peer) => peer.send(reply.ok(request)))
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))
    const values = [0, 1, 4_096, 10_000, 4_097, 70_000, 255, 4_097].map((size) => Buffer.alloc(size, bytes))
    const answers = await Promise.all(values.map((value, index) => session.told(session.add(`${index}`, value))))
    expect(answers).toEqual(values.map(() => ['stored']))
    const received = server.peers[0]?.requests.map(({ value }) => value) ?? []
    expect(received.map((value, index) => value.equals(values[index] as Buffer))).toEqual(values.map(() => true))
  })

  test('a refused write leaves the connection in order, and says whether the old value is still there', async () => {
    const { session, server } = await scene((request, peer) => {
      if (request.key.endsWith(':full')) peer.send(reply.outOfMemory(request))
      else if (request.key.endsWith(':big')) peer.send(reply.tooLarge(request))
      else peer.send(reply.ok(request))
    })
    const { answers } = await session.fly([
      session.add('a'),
      session.replace('full'),
      session.add('b'),
      session.replace('big'),
      session.touch('c'),
    ])
    // `ms` that is refused has deleted what was there (W11).
    const fate = protocol === 'meta' ? 'lost' : 'unsent'
    expect(answers.map(told)).toEqual(['stored', `${fate} STORE_UNAVAILABLE`, 'stored', `${fate} VALUE_TOO_LARGE`, 'done'])
    expect(complaint(answers[1])).toContain('no memory')
    expect(server.peers).toHaveLength(1)
  })

  test('a version from a connection that is gone is stale, and nothing is sent', async () => {
    const { session, server } = await scene((request, peer) => {
      if (request.key.endsWith(':cut')) peer.reset()
      else peer.send(request.command === 'get' ? reply.hit(request, 'x') : reply.ok(request))
    })
    const [read] = (await session.fly([session.get('a')])).answers
    const version = read?.result === 'found' ? read.version : undefined
    expect(await session.told(session.replace('a', 'y', version))).toEqual(['stored'])
    await session.told(session.get('cut'))
    await session.told(session.get('a'))
    const before = server.requests.length
    expect(await session.told(session.replace('a', 'z', version))).toEqual(['stale'])
    expect(server.requests).toHaveLength(before)
  })

  test('all 64 bits of a version are sent back as they were read', async () => {
    const versions = [
      '1',
      '255',
      '4294967295',
      '4294967296',
      '9007199254740993',
      '999999999999999',
      '1000000000000000',
      '18446744073709551615',
    ]
    const asked: (string | undefined)[] = []
    const { session } = await scene((request, peer) => {
      if (request.command === 'get') return peer.send(reply.hit(request, 'x', request.key.split('-').at(-1)))
      asked.push(request.version)
      peer.send(reply.ok(request))
    })
    for (const number of versions) {
      const [read] = (await session.fly([session.get(`v-${number}`)])).answers
      await session.told(session.replace('a', 'y', read?.result === 'found' ? read.version : undefined))
    }
    expect(asked).toEqual(versions)
  })

  test('the queue is bounded: beyond it calls are answered unsent', async () => {
    const { session, store } = await scene(() => {})
    await session.fly([])
    const flights = Array.from({ length: 10_001 }, () => session.fly([session.get('a')]))
    const [answer] = (await (flights.at(-1) as (typeof flights)[number])).answers
    expect(told(answer)).toBe('unsent STORE_UNAVAILABLE')
    expect(complaint(answer)).toContain('overloaded')
    await store.close()
    const outcomes = new Set((await Promise.all(flights)).map(({ answers }) => told(answers[0])))
    expect([...outcomes].sort()).toEqual(['unsent CLOSED', 'unsent STORE_UNAVAILABLE'])
  })

  test('what waits behind a connection that takes no more bytes is unsent, and what was written is unanswered', async () => {
    const { session, server } = await scene((_request, peer) => void peer.socket.pause())
    await session.fly([])
    const begun = [session.fly([session.add('a', Buffer.alloc(1_000_000))])]
    await until(() => server.peers[0] !== undefined)
    server.peers[0]?.socket.pause()
    for (let round = 0; round < 40; round++) {
      begun.push(session.fly([session.add(`b${round}`, Buffer.alloc(1_000_000))]))
      await new Promise((resolve) => setImmediate(resolve))
    }
    server.peers[0]?.reset()
    const outcomes = (await Promise.all(begun)).map(({ answers }) => told(answers[0]))
    expect(outcomes[0]).toBe('unanswered STORE_UNAVAILABLE')
    expect(outcomes.at(-1)).toBe('unsent STORE_UNAVAILABLE')
  })

  test('close settles everything at once and sends nothing more', async () => {
    const { session, store, server } = await scene(() => {})
    await session.fly([])
    const sent = session.fly([session.get('a'), session.get('b')])
    await until(() => server.requests.length === 2)
    const waiting = session.fly([session.get('c')])
    await store.close()
    expect((await sent).answers.map(told)).toEqual(['unanswered CLOSED', 'unanswered CLOSED'])
    expect((await waiting).answers.map(told)).toEqual(['unsent CLOSED'])
    expect(await session.told(session.get('d'))).toEqual(['unsent CLOSED'])
    await expect(store.check(host.running() + 100)).rejects.toMatchObject({ code: 'CLOSED' })
    await server.peers[0]?.closed
    expect(server.peers).toHaveLength(1)
  })
})

function block(milliseconds: number): void {
  const end = performance.now() + milliseconds
  while (performance.now() < end);
}
