import { createSessions } from 'fieldwise'
import type { Store } from 'fieldwise/store-contract'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { Credentials } from '../../../../../test/support/credentials.js'
import { complaint, Flyer } from '../../../../../test/support/flights.js'
import { freePorts } from '../../../../../test/support/free-port.js'
import { Memcached, type MemcachedOptions as Program } from '../../../../../test/support/memcached.js'
import { type Protocol, replies, ScriptedServer } from '../../../../../test/support/scripted-server.js'
import { type AutoOptions, memcachedStore } from '../../index.js'

let credentials: Credentials
const ends: AsyncDisposable[] = []

beforeEach(() => {
  credentials = new Credentials()
})

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end[Symbol.asyncDispose]()
  credentials[Symbol.dispose]()
})

function ending<T extends AsyncDisposable>(one: T): T {
  ends.push(one)
  return one
}

const memcached = async (options?: Program) => ending(await Memcached.start(options))

function storeFor(servers: string, options: Partial<AutoOptions> = {}): Store {
  const store = memcachedStore(servers, { protocol: 'auto', timeout: '5s', retryInterval: '50ms', ...options })
  ends.push({ [Symbol.asyncDispose]: () => store.close() })
  return store
}

/** Only an answer over the meta protocol tells the remaining time to live. */
async function spokenBy(session: Flyer): Promise<Protocol | string> {
  await session.fly([session.delete('a'), session.add('a', 'value')])
  const [answer] = (await session.fly([session.get('a')])).answers
  if (answer?.result !== 'found') return complaint(answer) || String(answer?.result)
  return answer.ttl === undefined ? 'binary' : 'meta'
}

/** Answers what it is not asked in its own protocol as old servers do. */
function oldServer(answerToMeta: string): Promise<ScriptedServer> {
  return ScriptedServer.raw((peer) => {
    peer.socket.once('data', (bytes) => {
      if (bytes[0] !== 0x80)
        peer.send(`VERSION 1.5.22\r\nSTAT time 1\r\nEND\r\nSTAT cas_enabled yes\r\nEND\r\n${answerToMeta}\r\n`)
      else peer.end()
    })
  })
}

describe("protocol: 'auto'", () => {
  test.each<[string, Program, Protocol]>([
    ['memcached', {}, 'meta'],
    ['memcached -B ascii', { flags: ['-B', 'ascii'] }, 'meta'],
    ['memcached -B binary, which hangs up on text', { flags: ['-B', 'binary'] }, 'binary'],
  ])('speaks with %s what it speaks best', async (_, program, protocol) => {
    const { address } = await memcached(program)
    expect(await spokenBy(new Flyer(storeFor(address)))).toBe(protocol)
  })

  test.each(['ERROR', 'EN'])(
    'tries the other protocol where a server answers %j as one from before meta does',
    async (answer) => {
      const server = ending(await oldServer(answer))
      const session = new Flyer(storeFor(server.address))
      // The error is that of the second attempt.
      const [first] = (await session.fly([session.get('a')])).answers
      expect(complaint(first)).toMatch(/closes connections before it says what it is: memcached -Y/)
      expect(server.peers.map(({ received }) => received[0] === 0x80)).toEqual([false, true])
    },
  )

  test.each(['sasl', 'passwordFile'] as const)('logs in with a password of either kind (%s)', async (kind) => {
    const { address } = await memcached(credentials[kind]('app', 'right'))
    const protocol = kind === 'sasl' ? 'binary' : 'meta'
    expect(await spokenBy(new Flyer(storeFor(address, { username: 'app', password: 'right' })))).toBe(protocol)
    const wrong = storeFor(address, { username: 'app', password: 'hunter2' })
    expect(await spokenBy(new Flyer(wrong))).toMatch(/refuses this username and password/)
  })

  test('answers each call that comes while it is found out, and asks the time and checks in the same way', async () => {
    const { address } = await memcached({ flags: ['-B', 'binary'] })
    const store = storeFor(address)
    const session = new Flyer(store)
    const calls = Array.from({ length: 20 }, (_, index) => session.told(session.add(`${index}`), session.get(`${index}`)))
    const [now] = await Promise.all([store.now(session.sid, Number.POSITIVE_INFINITY), store.check(Number.POSITIVE_INFINITY)])
    expect(await Promise.all(calls)).toEqual(calls.map(() => ['stored', 'found x']))
    expect(Math.abs(now - Date.now())).toBeLessThan(5_000)
  })

  test('goes on when a server is replaced by an older one and by a newer one again; what is stored is the same', async () => {
    const [port] = await freePorts(1)
    const start = async (flags: readonly string[]) => ending(await Memcached.start({ port: port as number, flags }))
    const session = new Flyer(storeFor(`127.0.0.1:${port}`))
    for (const [flags, protocol] of [
      [[], 'meta'],
      [['-B', 'binary'], 'binary'],
      [[], 'meta'],
    ] as const) {
      const server = await start(flags)
      await expect.poll(() => spokenBy(session), { timeout: 10_000 }).toBe(protocol)
      await server.stop()
    }
  })

  test('serves sessions of a fleet of old and new servers, which processes of one protocol serve as well', async () => {
    const [one, other] = [await memcached(), await memcached({ flags: ['-B', 'binary'] })]
    const schema = z.object({ visits: z.int().default(0), note: z.string() })
    await using sessions = createSessions({ schema, store: storeFor(`${one.address},${other.address}`) })
    const made = await Promise.all(Array.from({ length: 20 }, () => sessions.create({ note: 'first' })))
    for (const session of made) {
      const opened = await sessions.open(session.token as string)
      await Promise.all([opened?.increment('visits'), session.increment('visits')])
      await opened?.set('note', 'second')
      expect(await session.getAll()).toEqual({ visits: 2, note: 'second' })
    }
    const labels = new Set(made.map(({ id }) => id?.slice(id.indexOf('~'))))
    expect(labels.size).toBe(2)
    const binary = memcachedStore(one.address, { timeout: '5s' })
    await using plain = createSessions({ schema, store: binary })
    const there = made.find(({ id }) => binary.holds(id as string))
    expect(await (await plain.open(there?.token as string))?.getAll()).toEqual({ visits: 2, note: 'second' })
  })

  test('does not take silence for another protocol', async () => {
    const silent = ending(await ScriptedServer.raw(() => {}))
    const session = new Flyer(storeFor(silent.address, { timeout: '300ms' }))
    const [answer] = (await session.fly([session.get('a')])).answers
    expect(complaint(answer)).toMatch(/did not (answer in time|say what it is)/)
    expect(silent.peers).toHaveLength(1)
  })

  test('once a connection is made, its end is no reason to speak the other protocol', async () => {
    const server = ending(
      await ScriptedServer.start({
        protocol: 'meta',
        script: (request, peer) => (peer.index === 0 ? peer.reset() : peer.send(replies.meta.missing(request))),
      }),
    )
    const session = new Flyer(storeFor(server.address))
    expect(await session.told(session.get('a'))).toEqual(['unanswered STORE_UNAVAILABLE'])
    expect(await session.told(session.get('a'))).toEqual(['missing'])
    expect(server.peers).toHaveLength(2)
  })
})
