import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, test } from 'vitest'
import * as z from 'zod'
import { isFieldwiseError } from '../../packages/fieldwise/src/index.js'
import { cached, counter, createShared, type Kinds, type Shared, ticket } from '../../packages/fieldwise/src/shared.js'
import { memcachedStore } from '../../packages/memcached/src/index.js'
import { drawFault, type Fate, FaultProxy, type Link } from '../support/fault-proxy.js'
import { Memcached } from '../support/memcached.js'
import { count, measured } from '../support/promise.js'
import { Chance, scaled, sized } from '../support/scale.js'
import type { Told } from './sharer.mjs'

const protocols = ['binary', 'meta'] as const
type Protocol = (typeof protocols)[number]

const ends: AsyncDisposable[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end[Symbol.asyncDispose]()
})

function ending<T extends AsyncDisposable>(end: T): T {
  ends.push(end)
  return end
}

test.for(sized<Protocol>(protocols, ['meta']))(
  'increments by 8 processes over a faulty network: each acknowledged one is counted once, each unknown one at most once (%s)',
  async (protocol, context) => {
    const server = ending(await Memcached.start())
    const chance = new Chance(`shared counter, ${protocol}`)
    const calls = scaled(200)
    const proxies = await Promise.all(Array.from({ length: 8 }, () => faultyWay(server.address, protocol, chance)))
    const told = await Promise.all(
      proxies.map(({ address }) => runSharer({ address, protocol, what: 'count', calls, abreast: 4, timeout: '300ms' })),
    )
    // Nothing may arrive any more when the end is looked at.
    for (const proxy of proxies) {
      proxy.release()
      await proxy[Symbol.asyncDispose]()
    }
    const { visits } = sharedOver(server.address, protocol, { visits: counter({ window: '1h' }) })
    const end = (await visits.peek('site'))?.count ?? 0
    const results = told.flatMap((one) => one.results)
    const unknown = sum(told.map(({ failures }) => failures.OUTCOME_UNKNOWN ?? 0))
    const faults = sum(proxies.map((proxy) => proxy.faults.length))
    measured(
      context,
      `8 processes x ${count(calls)} increments, ${count(faults)} faults`,
      `${count(results.length)} acknowledged, ${results.length - new Set(results).size} counts twice, ${unknown} unknown, count ${count(end)}`,
    )
    expect(new Set(results).size).toBe(results.length)
    expect(end).toBeGreaterThanOrEqual(results.length)
    expect(end).toBeLessThanOrEqual(results.length + unknown)
    expect(faults).toBeGreaterThan(0)
    expect(results.length + unknown).toBe(8 * calls)
  },
)

test.for(protocols)(
  'tickets that two processes take while answers are swallowed: never two takers (%s)',
  async (protocol, context) => {
    const server = ending(await Memcached.start())
    const chance = new Chance(`shared tickets, ${protocol}`)
    const kinds = { link: ticket(z.int(), { expires: '1h' }) }
    const clean = sharedOver(server.address, protocol, kinds)
    let swallowed = 0
    const judge = ({ command }: { command: string }): Fate => {
      if (command !== 'replace' || chance.next() > 0.5) return 'pass'
      swallowed++
      return 'swallow and reset'
    }
    const takers = await Promise.all(
      [1, 2].map(async () => sharedOver(await proxyTo(server.address, protocol, judge), protocol, kinds)),
    )
    const takes = scaled(1_000)
    const told = { one: 0, twice: 0, unknown: 0, left: 0 }
    const lane = async (first: number): Promise<void> => {
      for (let index = first; index < takes; index += lanes) {
        await clean.link.put(`${index}`, index)
        const found = await Promise.all(takers.map(({ link }) => link.take(`${index}`).catch(outcomeOf)))
        const winners = found.filter((each) => each === index).length
        // Where nobody has it, it is still there, unless one of them cannot tell.
        const isLeft = winners === 0 && !found.includes('unknown') && (await clean.link.take(`${index}`)) === index
        told[winners > 1 ? 'twice' : winners === 1 ? 'one' : isLeft ? 'left' : 'unknown']++
        if (!isLeft && winners === 0) expect(found).toContain('unknown')
      }
    }
    await Promise.all(Array.from({ length: lanes }, (_, first) => lane(first)))
    measured(
      context,
      `${count(takes)} tickets, 2 takers each, ${count(swallowed)} answers swallowed`,
      `${told.twice} taken twice, ${count(told.one)} by one, ${told.unknown} unknown, ${told.left} left after an outage`,
    )
    expect(told.twice).toBe(0)
    expect(swallowed).toBeGreaterThan(takes / 4)
    expect(told.one).toBeGreaterThan(takes / 2)
  },
)

test.for(sized<Protocol>(protocols, ['binary']))(
  '64 callers in 4 processes on one cold key: one load (%s)',
  async (protocol, context) => {
    const server = ending(await Memcached.start())
    const rounds = scaled(20)
    const told = await Promise.all(
      Array.from({ length: 4 }, () => {
        return runSharer({ address: server.address, protocol, what: 'load', calls: 16 * rounds, abreast: 16, timeout: '20s' })
      }),
    )
    const loaded = told.flatMap((one) => one.loaded)
    measured(context, `${count(rounds)} keys, 64 callers in 4 processes each`, `${count(loaded.length)} loads`)
    expect(told.map(({ failures }) => failures)).toEqual([{}, {}, {}, {}])
    expect(told.map(({ results }) => results.length)).toEqual(Array(4).fill(16 * rounds))
    expect([...loaded].sort()).toEqual([...new Set(loaded)].sort())
    expect(new Set(loaded).size).toBe(rounds)
  },
)

test.for(protocols)(
  'loads that meet invalidations: none serves what an acknowledged one has taken away (%s)',
  async (protocol, context) => {
    const server = ending(await Memcached.start())
    const kinds = { price: cached(z.int(), { expires: '1h', stale: '1h', lease: '1m' }) }
    const webs = [1, 2, 3].map(() => sharedOver(server.address, protocol, kinds))
    const rounds = scaled(1_000)
    const chance = new Chance(`shared cache, ${protocol}`)
    let [stale, reads] = [0, 0]
    const lane = async (first: number): Promise<void> => {
      for (let round = first; round < rounds; round += lanes) {
        let number = 0
        const load = async () => {
          const loaded = number
          if (chance.next() < 0.7) await new Promise((resolve) => setTimeout(resolve, chance.below(8)))
          return loaded
        }
        const before = webs.map(({ price }) => price.get(`${round}`, load))
        await new Promise((resolve) => setTimeout(resolve, chance.below(6)))
        const least = ++number
        await (webs[round % 3] as (typeof webs)[number]).price.invalidate(`${round}`)
        const after = webs.map(({ price }) => price.get(`${round}`, load))
        for (const read of await Promise.all(after)) if (read < least) stale++
        await Promise.all(before)
        reads += before.length + after.length
      }
    }
    await Promise.all(Array.from({ length: lanes }, (_, first) => lane(first)))
    const loads = sum(webs.map((web) => web.stats().loads))
    measured(context, `${count(rounds)} rounds, ${count(reads)} reads, ${count(loads)} loads`, `${stale} stale`)
    expect(stale).toBe(0)
    expect(loads).toBeGreaterThan(rounds)
  },
)

test.for(protocols)(
  'in a fleet each id has one server, the same in every process, and keeps it while that is down (%s)',
  async (protocol) => {
    const servers = [ending(await Memcached.start()), ending(await Memcached.start())] as const
    const shareOver = () => {
      const store = memcachedStore({ a: servers[0].address, b: servers[1].address }, { protocol, retryInterval: '10ms' })
      return ending(createShared({ store, kinds: { visits: counter({ window: '1h' }) } }))
    }
    const [one, other] = [shareOver(), shareOver()]
    const ids = Array.from({ length: 40 }, (_, index) => `${index}`)
    for (const shared of [one, other]) await Promise.all(ids.map((id) => shared.visits.increment(id)))
    expect(new Set(await Promise.all(ids.map(async (id) => (await one.visits.peek(id))?.count)))).toEqual(new Set([2]))
    await servers[1].stop()
    const counts = await Promise.all(ids.map((id) => other.visits.increment(id).then(({ count }) => count, codeOf)))
    expect(new Set(counts)).toEqual(new Set([3, 'STORE_UNAVAILABLE']))
    const away = ids.filter((_, index) => counts[index] !== 3)
    await servers[1].start()
    await expect.poll(() => one.visits.peek(away[0] as string).catch(codeOf)).toBeUndefined()
  },
)

function codeOf(error: unknown): string {
  return (error as { code: string }).code
}

const lanes = 16

/** A take that could not be told, or one that the store was away for: then nothing was taken. */
function outcomeOf(error: unknown): string {
  if (isFieldwiseError(error, 'OUTCOME_UNKNOWN')) return 'unknown'
  if (isFieldwiseError(error, 'STORE_UNAVAILABLE')) return 'nothing'
  throw error
}

function sharedOver<const K extends Kinds>(address: string, protocol: Protocol, kinds: K): Shared<K> {
  const store = memcachedStore({ main: address }, { protocol, timeout: '5s', retryInterval: '10ms' })
  // None of the kinds here is named as a method is.
  return ending(createShared({ kinds: kinds as never, store, retry: { attempts: 1_000, deadline: '20s' } })) as Shared<K>
}

async function proxyTo(target: string, protocol: Protocol, judge: (passing: { command: string; link: Link }) => Fate) {
  return ending(await FaultProxy.start({ target, protocol, judge })).address
}

/** One process's way to the server: every link fails sooner or later, and some requests and answers are lost. */
function faultyWay(target: string, protocol: Protocol, chance: Chance): Promise<FaultProxy> {
  const judge = ({ link }: { link: Link }): Fate => {
    if (chance.next() > 0.01) return 'pass'
    const fate = chance.pick(['swallow', 'swallow and reset', 'lose', 'hold'] as const)
    if (fate === 'hold') setTimeout(() => link.release(), chance.below(600)).unref()
    return fate
  }
  return FaultProxy.start({ target, protocol, judge, plan: (link) => drawFault(link, chance, 10_000) })
}

function runSharer(task: Record<string, unknown>): Promise<Told> {
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL('sharer.mjs', import.meta.url)))
    child.once('message', (told) => resolve(told as Told))
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`A sharing process ended with ${code}`)))
    child.send(task)
  })
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}
