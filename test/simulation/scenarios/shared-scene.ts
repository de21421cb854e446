import { createSharedOn, type Kinds, type Shared } from '../../../packages/fieldwise/src/lib/shared/create-shared.js'
import type { Ending } from '../checker.js'
import type { History, Operation } from '../history.js'
import { clearUp, drawFaults, scheduleAccidents } from '../weather.js'
import type { Host, World } from '../world.js'

/** Several processes that share one item over a bad network, while memcached evicts it and starts anew. */
export interface SharedScene<K extends Kinds> {
  readonly hosts: readonly Host[]
  readonly systems: readonly Shared<K>[]
  /** How long the callers go on, more or less, in milliseconds. */
  readonly span: number
  /** When the item was taken away by something else than a call. */
  readonly endings: Ending[]
}

export function sharedOn<const K extends Kinds>(host: Host, kinds: K): Shared<K> {
  // None of the kinds here is named as a method is.
  return createSharedOn(host.runtime, { kinds: kinds as never, store: host.store, clock: host.clock })
}

export function beginShared<const K extends Kinds>(
  world: World,
  history: History,
  kinds: K,
  spans: readonly number[],
): SharedScene<K> {
  const { random } = world
  const traits = { reportsTtl: random.chance(0.5) }
  const hosts = Array.from({ length: 1 + random.below(4) }, () => world.host({ traits, skew: random.between(-3.6e6, 3.6e6) }))
  const systems = hosts.map((host) => sharedOn(host, kinds))
  const scene = { hosts, systems, span: random.pick(spans), endings: [] }
  world.setFaults(drawFaults(random))
  scheduleAccidents(world, hosts, scene.span)
  meddle(world, history, scene)
  return scene
}

/** In half of the histories nothing is evicted, so that false alarms show. */
function meddle(world: World, history: History, { span, endings }: SharedScene<Kinds>): void {
  const { random } = world
  const end = () => endings.push({ began: history.moment(), ended: history.moment() })
  const evict = () => {
    for (const key of world.server.keys()) {
      world.log(() => `memcached  evicts ${key}`)
      if (world.server.evict(key)) end()
    }
  }
  const count = Number(random.weighted({ '0': 4, '1': 2, '3': 2 }))
  for (let left = count; left > 0; left--) world.later(random.between(0, span), evict)
  if (count > 0 && random.chance(0.5)) evictNew(world, evict)
  const restarts = Number(random.weighted({ '0': 6, '1': 1, '4': 1 }))
  for (let left = restarts; left > 0; left--) {
    world.later(random.between(0, span), () => {
      world.log(() => 'memcached  starts anew')
      world.network.restartServer(random.pick([0, 0, 50, 1_500]))
      end()
    })
  }
}

/** Right behind the write that began it. */
function evictNew(world: World, evict: () => void): void {
  const { random } = world
  const { witness } = world.network
  world.network.witness = (endpoint, command) => {
    witness?.(endpoint, command)
    if (command.op === 'add' && random.chance(0.3)) world.later(random.pick([0.01, 1, 10, 600]) * random.next(), evict)
  }
}

/** Callers in any of the processes, each with one call after another, sometimes several at once. */
export async function callAll<K extends Kinds>(
  world: World,
  scene: SharedScene<K>,
  make: (host: Host, shared: Shared<K>) => Promise<Operation>,
): Promise<void> {
  const { random } = world
  const callers = 1 + random.below(6)
  const calls = 2 + random.below(Math.floor(24 / callers))
  const call = async (): Promise<void> => {
    const index = random.below(scene.hosts.length)
    const host = scene.hosts[index] as Host
    const underWay: Promise<Operation>[] = []
    for (let left = calls; left > 0 && !host.crashed; left--) {
      const operation = make(host, scene.systems[index] as Shared<K>)
      underWay.push(operation)
      if (random.chance(0.7)) await operation
      if (random.chance(0.5)) await world.sleep(random.between(0, (2 * scene.span) / calls))
    }
    await Promise.all(underWay)
  }
  await Promise.all(Array.from({ length: callers }, call))
  await clearUp(world)
}
