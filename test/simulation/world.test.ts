import { describe, expect, test } from 'vitest'
import type { StoreAnswer, StoreRequest } from '../../packages/fieldwise/src/lib/api/store.js'
import { SimulatedMemcached } from './memcached.js'
import { calm } from './network.js'
import { type Host, World } from './world.js'

const life = 3_600_000

describe('the simulated memcached', () => {
  test('ends an item on its clock of whole seconds: up to a second before its life is over', () => {
    let now = 10_900
    const server = new SimulatedMemcached(() => now, 100)
    server.execute({ op: 'add', key: 'a', value: Buffer.from('x'), ttl: 1_000 })
    now = 10_999
    expect(server.execute({ op: 'get', key: 'a' }).result).toBe('found')
    now = 11_000
    expect(server.execute({ op: 'get', key: 'a' }).result).toBe('missing')
  })

  test('counts versions from 1 again when it is started again', () => {
    const server = new SimulatedMemcached(() => 0, 100)
    const versionOfNew = () => {
      server.execute({ op: 'add', key: 'a', value: Buffer.from('x'), ttl: life })
      return server.execute({ op: 'get', key: 'a' })
    }
    const before = versionOfNew()
    server.restart()
    expect(versionOfNew()).toMatchObject({ cas: (before as { cas: number }).cas })
  })

  test('deletes the old value of an item that is replaced by one too large', () => {
    const server = new SimulatedMemcached(() => 0, 3)
    server.execute({ op: 'add', key: 'a', value: Buffer.from('old'), ttl: life })
    expect(server.execute({ op: 'replace', key: 'a', value: Buffer.from('new, and long'), ttl: life }).result).toBe('refused')
    expect(server.execute({ op: 'get', key: 'a' }).result).toBe('missing')
  })
})

describe('the simulated network', () => {
  test('carries a packet out long after its sender has given it up', async () => {
    for (const isLate of await outcomes(40, { ...calm, stall: 1 }, lateAdd)) expect(isLate.answer).toBe('unanswered')
    const stored = (await outcomes(40, { ...calm, stall: 1 }, lateAdd)).filter((one) => one.stored)
    expect(stored.length).toBeGreaterThan(5)
  })

  test('loses packets: nobody is told, and the call is unanswered when its deadline comes', async () => {
    const lost = await outcomes(10, { ...calm, lose: 1 }, lateAdd)
    expect(lost.every((one) => one.answer === 'unanswered' && !one.stored)).toBe(true)
  })

  test('resets connections before and after a packet was delivered, and the call is unanswered', async () => {
    const reset = await outcomes(40, { ...calm, reset: 1 }, lateAdd)
    expect(reset.every((one) => one.answer === 'unanswered')).toBe(true)
    expect(new Set(reset.map((one) => one.stored))).toEqual(new Set([true, false]))
  })

  test('lets commands of others in between those of one flight', async () => {
    const seen = await outcomes(100, { ...calm, split: 0.5 }, async (world, host) => {
      const other = world.host()
      await Promise.all([host, other].map((one) => fly(one, { op: 'get', key: 'warm' })))
      const reading = fly(host, { op: 'get', key: 'a' }, { op: 'get', key: 'b' })
      await fly(
        other,
        { op: 'add', key: 'a', value: Buffer.from('x'), ttl: life },
        { op: 'add', key: 'b', value: Buffer.from('x'), ttl: life },
      )
      return (await reading).map((answer) => answer.result).join()
    })
    expect(seen).toContain('missing,found')
    expect(seen).toContain('found,missing')
  })
})

describe('a simulated process', () => {
  test('that is paused hears and does nothing until it wakes', async () => {
    const woken = await once(async (world, host) => {
      host.pause(5_000)
      await fly(host, { op: 'get', key: 'a' })
      return world.now
    })
    expect(woken).toBeGreaterThanOrEqual(5_000)
  })

  test('that crashes never hears again, and a script goes on without it', async () => {
    const outcome = await once(async (world, host) => {
      world.later(0.01, () => host.crash())
      return host.outlive<readonly StoreAnswer[] | 'crashed'>(fly(host, { op: 'get', key: 'a' }), 'crashed')
    })
    expect(outcome).toBe('crashed')
  })

  test('has a clock of its own, however far off', () => {
    const world = new World({ seed: 1 })
    expect(world.host({ skew: 3_600_000 }).clock.now() - world.host().clock.now()).toBe(3_600_000)
  })
})

describe('a naive client', () => {
  test('that writes without a version loses updates', async () => {
    expect(await once((world) => countTo(world, 50, 'blindly'))).toBeLessThan(50)
  })

  test('that swaps versions loses none on a calm network', async () => {
    expect(await once((world) => countTo(world, 50, 'by version'))).toBe(50)
  })

  test('that tries again whenever an answer is lost counts some twice', async () => {
    const faults = { latency: 1, split: 0.1, stall: 0.05, lose: 0.03, reset: 0.1 }
    const ends = await outcomes(40, faults, (world) => countTo(world, 20, 'by version'))
    expect(Math.max(...ends)).toBeGreaterThan(20)
  })
})

async function lateAdd(world: World, host: Host): Promise<{ answer: string | undefined; stored: boolean }> {
  const faults = world.network.faults
  world.setFaults(calm)
  await fly(host, { op: 'get', key: 'warm' })
  world.setFaults(faults)
  const [answer] = await fly(host, { op: 'add', key: 'a', value: Buffer.from('x'), ttl: life })
  // A hold-up may end before the deadline, and the answer be held up as well; then there is nothing left to see.
  world.setFaults(calm)
  await world.sleep(300_000)
  return { answer: answer?.result === 'stored' ? 'unanswered' : answer?.result, stored: world.server.keys().includes('a') }
}

/** Two processes add 1 to a number until they have done so `times` times in all, as far as they know. */
async function countTo(world: World, times: number, how: 'blindly' | 'by version'): Promise<number> {
  const hosts = [world.host(), world.host()]
  world.server.execute({ op: 'add', key: 'n', value: Buffer.from('0'), ttl: life })
  await Promise.all(hosts.map((host) => countOn(host, times / 2, how)))
  world.setFaults(calm)
  await world.sleep(300_000)
  const [end] = await fly(world.host(), { op: 'get', key: 'n' })
  return end?.result === 'found' ? Number(end.value.toString()) : Number.NaN
}

async function countOn(host: Host, times: number, how: 'blindly' | 'by version'): Promise<void> {
  for (let done = 0; done < times; ) {
    const [read] = await fly(host, { op: 'get', key: 'n' })
    if (read?.result !== 'found') {
      await host.runtime.sleep(10)
      continue
    }
    const value = Buffer.from(`${Number(read.value.toString()) + 1}`)
    const write = { op: 'replace', key: 'n', value, ttl: life } as const
    const [written] = await fly(host, how === 'blindly' ? write : { ...write, version: read.version })
    if (written?.result === 'stored') done++
  }
}

async function fly(host: Host, ...requests: StoreRequest[]): Promise<readonly StoreAnswer[]> {
  return (await host.store.flight('sid', requests, host.world.now + 500)).answers
}

async function once<T>(script: (world: World, host: Host) => Promise<T>): Promise<T> {
  return (await outcomes(1, calm, script))[0] as T
}

/** What a script comes to with each of the first `count` seeds. */
async function outcomes<T>(count: number, faults: typeof calm, script: (world: World, host: Host) => Promise<T>): Promise<T[]> {
  const found: T[] = []
  for (let seed = 1; seed <= count; seed++) {
    const world = new World({ seed })
    world.setFaults(faults)
    const play = script(world, world.host()).then((outcome) => {
      found.push(outcome)
    })
    expect(await world.play(play)).toBe(true)
  }
  return found
}
