import { type AddressInfo, createServer } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { told } from '../../../../../test/support/flights.js'
import { host as processOf } from '../../../../../test/support/host.js'
import { type Peer, replies, type ScriptedRequest, ScriptedServer } from '../../../../../test/support/scripted-server.js'
import { until } from '../../../../../test/support/until.js'
import { systemClocks } from '../connection/clocks.js'
import { dialPlain } from '../connection/dial.js'
import { MetaProtocol } from '../protocol/meta/protocol.js'
import { Server } from './server.js'

const ends: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** A server with a clock that the test moves; `chance` is what the jitter draws. */
function scene(address: string, chance = 1) {
  const [host = '', port = ''] = address.split(':')
  const world = { time: 0, dials: 0, address: { host, port: Number(port) } }
  const timeouts = { timeout: 5_000, connectTimeout: 5_000, retryInterval: 1_000 }
  const server = new Server(
    { label: 'abcd', name: `memcached 'abcd' (${address})`, address: world.address, weight: 1, ...timeouts },
    {
      clocks: { ...systemClocks, ...processOf, monotonic: () => world.time, wall: () => world.time },
      random: () => chance,
      protocol: (host) => new MetaProtocol(host, undefined),
      dial: (_address, connected) => {
        world.dials++
        return dialPlain(world.address, connected)
      },
    },
  )
  ends.push(async () => server.close())
  const get = async () => told((await server.flight([{ op: 'get', key: 'a' }], Number.POSITIVE_INFINITY)).answers[0])
  return { world, server, get }
}

async function scripted(script: (request: ScriptedRequest, peer: Peer) => unknown): Promise<ScriptedServer> {
  const server = await ScriptedServer.start({ protocol: 'meta', script })
  ends.push(() => server[Symbol.asyncDispose]())
  return server
}

const misses = (request: ScriptedRequest, peer: Peer) => peer.send(replies.meta.missing(request))

/** A port on which nobody listens. */
async function deadPort(): Promise<string> {
  const server = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return `127.0.0.1:${port}`
}

describe('a server', () => {
  test('is connected to when it is first used, once for all calls', async () => {
    const { address, peers } = await scripted(misses)
    const { world, get } = scene(address)
    expect(world.dials).toBe(0)
    expect(await Promise.all([get(), get(), get()])).toEqual(['missing', 'missing', 'missing'])
    expect(await get()).toBe('missing')
    expect([world.dials, peers.length]).toEqual([1, 1])
  })

  test('that is down is left alone for a while that grows up to the retry interval; calls then fail without trying', async () => {
    const { world, server, get } = scene(await deadPort())
    for (const pause of [50, 100, 200, 400, 800, 1_000, 1_000]) {
      const before = world.dials
      expect(await get()).toBe('unsent STORE_UNAVAILABLE')
      expect(world.dials).toBe(before + 1)
      expect(server.up).toBe(false)
      world.time += pause - 1
      expect(await Promise.all([get(), get()])).toEqual(Array(2).fill('unsent STORE_UNAVAILABLE'))
      expect(world.dials).toBe(before + 1)
      world.time += 1
    }
  })

  test('is tried again sooner by half at most, by chance, so that many processes do not come at once', async () => {
    const { world, get } = scene(await deadPort(), 0)
    await get()
    world.time += 24
    await get()
    expect(world.dials).toBe(1)
    world.time += 1
    await get()
    expect(world.dials).toBe(2)
  })

  test('that is down is tried by one call at a time; the others fail at once meanwhile', async () => {
    const silent = await ScriptedServer.raw(() => {})
    ends.push(() => silent[Symbol.asyncDispose]())
    const { world, server, get } = scene(await deadPort())
    await get()
    world.time += 50
    world.address.port = Number(silent.address.split(':')[1])
    const trial = get()
    expect(await Promise.all([get(), get(), get()])).toEqual(Array(3).fill('unsent STORE_UNAVAILABLE'))
    expect(world.dials).toBe(2)
    server.close()
    expect(await trial).toBe('unsent CLOSED')
  })

  test('that is back works again with the call that tries it', async () => {
    const back = await scripted(misses)
    const { world, server, get } = scene(await deadPort())
    await get()
    world.time += 50
    world.address.port = Number(back.address.split(':')[1])
    expect(await get()).toBe('missing')
    expect(server.up).toBe(true)
    expect(await Promise.all([get(), get()])).toEqual(['missing', 'missing'])
    expect(world.dials).toBe(2)
  })

  test('that goes down again is tried again soon, as if it had never been down', async () => {
    const back = await scripted((_request, peer) => peer.reset())
    const { world, server, get } = scene(await deadPort())
    const dead = world.address.port
    for (const pause of [50, 100, 200]) {
      await get()
      world.time += pause
    }
    world.address.port = Number(back.address.split(':')[1])
    expect(await get()).toBe('unanswered STORE_UNAVAILABLE')
    world.address.port = dead
    await get()
    expect([server.up, world.dials]).toEqual([false, 5])
    world.time += 50
    await get()
    expect(world.dials).toBe(6)
  })

  test('is tried by check even while it is left alone, and in the background by tryAgain', async () => {
    const back = await scripted(misses)
    const { world, server, get } = scene(await deadPort())
    await get()
    server.tryAgain()
    expect(world.dials).toBe(1)
    await expect(server.check(Number.POSITIVE_INFINITY)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(world.dials).toBe(2)
    world.address.port = Number(back.address.split(':')[1])
    await server.check(Number.POSITIVE_INFINITY)
    expect([server.up, world.dials]).toEqual([true, 3])

    const other = scene(await deadPort())
    await other.get()
    other.world.address.port = world.address.port
    other.world.time += 50
    other.server.tryAgain()
    await until(() => other.server.up)
    expect(other.world.dials).toBe(2)
  })

  test('whose connection was lost is not taken for down: the next call connects again at once', async () => {
    const { address, peers } = await scripted((request, peer) => (peer.index === 0 ? peer.reset() : misses(request, peer)))
    const { world, server, get } = scene(address)
    expect(await get()).toBe('unanswered STORE_UNAVAILABLE')
    expect(server.up).toBe(true)
    expect(await get()).toBe('missing')
    expect([world.dials, peers.length]).toEqual([2, 2])
  })

  test('has a clock that does not run back when a later connection reads it within the same second', async () => {
    const stats = { time: '1000' }
    const fake = await ScriptedServer.start({ protocol: 'meta', stats, script: (_request, peer) => peer.reset() })
    ends.push(() => fake[Symbol.asyncDispose]())
    const { world, server, get } = scene(fake.address)
    expect(await server.now(Number.POSITIVE_INFINITY)).toBe(1_000_000)
    await get()
    world.time += 900
    expect(await server.now(Number.POSITIVE_INFINITY)).toBe(1_000_900)
    await get()
    // More than a second off: another server, or one whose clock was set.
    stats.time = '999'
    world.time += 100
    expect(await server.now(Number.POSITIVE_INFINITY)).toBe(999_000)
    await get()
    stats.time = '1005'
    expect(await server.now(Number.POSITIVE_INFINITY)).toBe(1_005_000)
  })

  test('has its clock read anew every ten minutes of use, since two clocks drift apart', async () => {
    const stats = { time: '1000' }
    const fake = await ScriptedServer.start({ protocol: 'meta', stats, script: misses })
    ends.push(() => fake[Symbol.asyncDispose]())
    const { world, server, get } = scene(fake.address)
    await get()
    stats.time = '1606'
    world.time += 600_000
    await get()
    expect(await server.now(Number.POSITIVE_INFINITY)).toBe(1_600_000)
    world.time += 1
    await get()
    await get()
    expect(await server.now(Number.POSITIVE_INFINITY)).toBe(1_606_000)
    expect(world.dials).toBe(1)
  })

  test('keeps what it learned of sizes while it is not connected', async () => {
    const fake = await ScriptedServer.start({
      protocol: 'meta',
      settings: { item_size_max: '2048' },
      script: (_request, peer) => peer.reset(),
    })
    ends.push(() => fake[Symbol.asyncDispose]())
    const { server, get } = scene(fake.address)
    expect(server.largestValue(10)).toBe(1_048_576 - 59 - 10)
    await get()
    expect(server.largestValue(10)).toBe(2_048 - 59 - 10)
  })

  test('that is closed answers CLOSED, and is not connected to again', async () => {
    const { address } = await scripted(misses)
    const { world, server, get } = scene(address)
    await get()
    server.close()
    expect(await get()).toBe('unsent CLOSED')
    server.tryAgain()
    await expect(server.now(Number.POSITIVE_INFINITY)).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(server.check(Number.POSITIVE_INFINITY)).rejects.toMatchObject({ code: 'CLOSED' })
    expect(world.dials).toBe(1)
  })
})
