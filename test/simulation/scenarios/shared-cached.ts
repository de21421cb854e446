import * as z from 'zod'
import { decodeItem } from '../../../packages/fieldwise/src/lib/format/item.js'
import type { Shared } from '../../../packages/fieldwise/src/lib/shared/create-shared.js'
import { type CachedKind, cached } from '../../../packages/fieldwise/src/lib/shared/kinds.js'
import { describeOperation, type History, type Operation, Refused } from '../history.js'
import type { Endpoint } from '../network.js'
import type { Scenario } from '../scenario.js'
import { Host, type World } from '../world.js'
import { beginShared, callAll } from './shared-scene.js'

/**
 * A number in a database, which grows, is cached: loads are quick, slow, slower than their lease, or fail, and it is invalidated after each
 * change. What an acknowledged invalidation has taken away is never served again, and no two processes load at once.
 */
export const sharedCached: Scenario = {
  name: 'shared-cached',
  async play(world, history) {
    const { random } = world
    const lease = random.pick([2_000, 2_000, 5_000])
    const stale = random.pick([1, 60_000])
    const expires = random.pick([200, 3_600_000])
    const kinds = { price: cached(z.int(), { expires: `${expires}ms`, stale: `${stale}ms`, lease: `${lease}ms` }) }
    const database = new Database(world, history, random.pick([[1], [1, 60, 700], [60, 1_500, 6_000]]))
    const scene = beginShared(world, history, kinds, [30, 300, 3_000, 10_000])
    await callAll(world, scene, (host, shared) => {
      return random.chance(0.25) ? database.change(host, shared) : database.read(host, shared)
    })
    return [...checkFreshness(history.operations, database.changes), ...database.loaders]
  },
}

type Prices = Shared<{ readonly price: CachedKind<number> }>

/** What is behind the cache. */
class Database {
  /** Which number each invalidation followed, by the id of its operation. */
  readonly changes = new Map<number, number>()
  /** Loads that should not have begun. */
  readonly loaders: string[] = []
  readonly #world: World
  readonly #history: History
  readonly #lengths: readonly number[]
  #number = 1
  /** Who wrote what there is, by the process half of its write id. */
  readonly #writers = new Map<number, Endpoint>()
  /** When somebody was last about to take the item away, in virtual time. */
  #removedAt = Number.NEGATIVE_INFINITY

  constructor(world: World, history: History, lengths: readonly number[]) {
    this.#world = world
    this.#history = history
    this.#lengths = lengths
    const { server, network } = world
    network.witness = (endpoint, command) => {
      if (!('value' in command)) return
      this.#writers.set(decodeItem('price', command.value).id.process, endpoint)
      // The most awkward moment to stand still is behind the write that takes the lease.
      if (world.random.chance(0.03) && endpoint instanceof Host) endpoint.pause(world.random.pick([1_200, 2_500, 20_000]))
    }
    const evict = server.evict.bind(server)
    server.evict = (key) => {
      this.#removedAt = world.now
      return evict(key)
    }
    const restart = server.restart.bind(server)
    server.restart = () => {
      this.#removedAt = world.now
      restart()
    }
    const execute = server.execute.bind(server)
    server.execute = (command) => {
      if (command.op === 'delete') this.#removedAt = world.now
      return execute(command)
    }
  }

  /** The number grows, and is invalidated after that. */
  change(host: Host, { price }: Prices): Promise<Operation> {
    return this.#history.record(host, 'invalidate', 'a', async (id) => {
      this.changes.set(id, ++this.#number)
      await price.invalidate('one')
    })
  }

  read(host: Host, { price }: Prices): Promise<Operation> {
    return this.#history.record(host, 'load', 'a', async () => {
      const asked = this.#world.now
      return price.get('one', () => this.#load(host, asked))
    })
  }

  async #load(host: Host, asked: number): Promise<number> {
    this.#judge(host, asked)
    const number = this.#number
    const { random } = this.#world
    await host.runtime.sleep(random.pick(this.#lengths) * random.next())
    if (random.chance(0.1)) throw new Refused()
    return number
  }

  /** Nobody else may hold the lease, unless the loader's own was taken away. Clocks part by a second. */
  #judge(host: Host, asked: number): void {
    const lease = this.#leaseNow()
    if (lease === undefined || this.#removedAt >= asked) return
    const isOthers = lease.writer !== undefined && lease.writer !== host
    if (isOthers) this.loaders.push(`two loaders: ${host.name} loads while another process has the lease`)
  }

  /** The lease that is on the server, as long as it has some time left. */
  #leaseNow(): { readonly writer: Endpoint | undefined } | undefined {
    const [key] = this.#world.server.keys()
    const found = key === undefined ? undefined : this.#world.server.execute({ op: 'get', key })
    if (found?.result !== 'found') return undefined
    const item = decodeItem('price', found.value)
    const leaseUntil = Number(/^\d+,(\d+)/.exec(item.json ?? '')?.[1] ?? 0)
    if (leaseUntil < this.#world.serverTime() + 100) return undefined
    return { writer: this.#writers.get(item.id.process) }
  }
}

/** A read that begins after an acknowledged invalidation yields nothing from before the change that it followed. */
function checkFreshness(operations: readonly Operation[], changes: ReadonlyMap<number, number>): string[] {
  const acknowledged = operations.filter(({ kind, outcome }) => kind === 'invalidate' && outcome === 'ok')
  return operations
    .filter(({ kind, outcome }) => kind === 'load' && outcome === 'ok')
    .flatMap((read) => {
      const before = acknowledged.filter(({ ended }) => ended < read.began).map(({ id }) => changes.get(id) as number)
      const least = Math.max(0, ...before)
      return (read.value as number) < least
        ? [`stale: #${read.id} ${describeOperation(read)} after ${least} was invalidated`]
        : []
    })
}
