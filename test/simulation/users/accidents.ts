import type { History } from '../history.js'
import { sessionsOn, Visitor } from '../visitor.js'
import type { World } from '../world.js'
import { createFor, regenerateFor } from './acts.js'
import type { Scene } from './scene.js'

/** Lists and headers are evicted, and servers restart. */
export function loseSome(world: World, history: History, scene: Scene): void {
  const { random } = world
  for (let left = 1 + random.below(3); left > 0; left--) {
    world.later(random.pick([10, 1_000, 60_000]) * random.next(), () => {
      const network = random.pick(world.networks)
      scene.losses.push(history.moment())
      if (random.chance(0.3)) return network.restartServer(random.pick([0, 100, 2_000]))
      const keys = network.server.keys()
      if (keys.length > 0) network.server.evict(random.pick(keys))
    })
  }
}

/**
 * The first server restarts while a login, which has read its list there, still waits for another server's; and before it goes on, somebody else
 * has logged in, whose list has the very version number that the one before had.
 */
export async function restartBetween(world: World, history: History, scene: Scene): Promise<void> {
  const [here, there] = scene.hosts.map((host, index) => ({ host, system: scene.systems[index] as Scene['systems'][number] }))
  const user = scene.names[0] as string
  const [first, ...others] = world.networks
  if (here === undefined || there === undefined || first === undefined || others.length === 0) return
  const visitor = new Visitor(here.host, history, here.system.resume())
  const born = history.moment()
  await createFor(history, scene, user, there)
  await visitor.set('a')
  for (const other of others) other.faults = { ...other.faults, latency: 100 }
  const login = regenerateFor(history, scene, user, visitor, here, { born })
  await world.sleep(20)
  scene.losses.push(history.moment())
  first.restartServer(0)
  await world.sleep(1)
  // It is not configured for users, so that it asks one server only, and does not wait.
  scene.unlimited.push(user)
  await createFor(history, scene, user, { host: there.host, system: sessionsOn(there.host) })
  for (const other of others) other.faults = { ...other.faults, latency: first.faults.latency }
  await login
}
