import { checkDeadlines } from '../checker.js'
import type { History, Operation } from '../history.js'
import { calm } from '../network.js'
import type { Scenario } from '../scenario.js'
import { defaultDeadlines, listFields, type SimulatedSessions, sessionsOn, Visitor } from '../visitor.js'
import { drawFaults } from '../weather.js'
import type { Host, World } from '../world.js'

/**
 * A login asks for a longer life ("remember me") while others write the same fields and memcached is cut off, at any moment of it. As long
 * as the header lives, every field that it lists does.
 */
export const longerLife: Scenario = {
  name: 'longer-life',
  play: async (world, history) => {
    const scene = await begin(world, history)
    world.setFaults(drawFaults(world.random))
    strike(world, scene.hosts[0] as Host)
    const writers = Array.from({ length: world.random.below(4) }, () => write(world, history, scene))
    await Promise.all([remember(world, history, scene), ...writers])
    await world.sleep(300)
    world.setFaults(calm)
    // What was late arrives, and nobody comes for nearly the longer idle time.
    await world.sleep(longerIdle * 0.9)
    return [...(await lookAtTheEnd(world, history, scene)), ...checkDeadlines(history.operations, defaultDeadlines)]
  },
}

interface Scene {
  readonly sid: string
  readonly token: string
  readonly hosts: readonly Host[]
  readonly systems: readonly SimulatedSessions[]
}

const shorterIdle = 5_000
const longerIdle = 600_000

async function begin(world: World, history: History): Promise<Scene> {
  const { random } = world
  const traits = { reportsTtl: random.chance(0.5), comparesVersions: random.chance(0.5) }
  const hosts = Array.from({ length: 1 + random.below(3) }, () => world.host({ traits }))
  const systems = hosts.map((host) => sessionsOn(host, { idle: shorterIdle, absolute: 3_600_000 }))
  const session = await (systems[0] as SimulatedSessions).create({})
  const visitor = new Visitor(hosts[0] as Host, history, session)
  for (const field of listFields) if (random.chance(0.5)) await visitor.set(field)
  // So that a renewal of the fields is due as often as not.
  await world.sleep(random.between(0, shorterIdle))
  return { sid: session.id as string, token: session.token as string, hosts, systems }
}

/** Its process is cut off for some seconds, crashes, or goes on. */
function strike(world: World, host: Host): void {
  const what = world.random.weighted({ nothing: 2, partition: 3, cut: 2, crash: 2 })
  world.later(world.random.between(0, 30), () => {
    if (what === 'partition') host.partition(2_500)
    if (what === 'cut') world.network.cut(host)
    if (what === 'crash') host.crash()
  })
}

async function remember(world: World, history: History, { hosts, systems, token }: Scene): Promise<void> {
  const visitor = new Visitor(hosts[0] as Host, history, (systems[0] as SimulatedSessions).resume(token))
  await world.sleep(world.random.between(0, 10))
  await visitor.regenerate({ lifetime: { idle: `${longerIdle}ms` } })
}

async function write(world: World, history: History, { hosts, systems, token }: Scene): Promise<void> {
  const { random } = world
  const index = random.below(hosts.length)
  const visitor = new Visitor(hosts[index] as Host, history, (systems[index] as SimulatedSessions).resume(token))
  for (let left = 1 + random.below(4); left > 0 && !hosts[index]?.crashed; left--) {
    await (random.chance(0.5) ? visitor.set(random.pick(listFields)) : visitor.update(random.pick(listFields)))
    await world.sleep(random.pick([0, 5, 50]) * random.next())
  }
}

/** Whatever became of the login: the header's promise is kept. */
async function lookAtTheEnd(world: World, history: History, { sid }: Scene): Promise<string[]> {
  const keys = world.server.keys()
  if (!keys.includes(`${sid}:@`)) return []
  const fieldsOf = (operations: readonly Operation[]) => new Set(operations.map((one) => one.field))
  const stored = fieldsOf(history.operations.filter((one) => one.outcome === 'ok' && one.session === sid))
  // A write whose caller was told that nobody can tell may have the life that it left with.
  const late = fieldsOf(history.operations.filter((one) => one.outcome === 'unknown'))
  return listFields
    .filter((field) => stored.has(field) && !late.has(field) && !keys.includes(`${sid}:${field}`))
    .map((field) => `lost session: its header lives, and its field ${field} does not`)
}
