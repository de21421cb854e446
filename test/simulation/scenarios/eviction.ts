import { checkDeadlines, checkField } from '../checker.js'
import { type History, onField, onSession } from '../history.js'
import type { Scenario } from '../scenario.js'
import { defaultDeadlines, listFields, type SimulatedSessions, sessionsOn, Visitor } from '../visitor.js'
import { clearUp, drawFaults, scheduleAccidents } from '../weather.js'
import type { Host, World } from '../world.js'

/** memcached evicts single items of a session in use: it comes back whole or not at all, and once it is gone it stays gone. */
export const eviction: Scenario = {
  name: 'eviction',
  play: async (world, history) => {
    const scene = await begin(world, history)
    world.setFaults(drawFaults(world.random))
    scheduleAccidents(world, scene.hosts, scene.span)
    const evictions = evictSome(world, history, scene)
    await Promise.all(Array.from({ length: 1 + world.random.below(4) }, () => use(world, history, scene)))
    await clearUp(world)
    await lookAtTheEnd(world, history, scene)
    return [...checkEnd(history, scene, evictions), ...checkDeadlines(history.operations, deadlines)]
  },
}

/** A call that finds a loss has the time of another flight to end the session. */
const deadlines = { read: defaultDeadlines.read + 500, write: defaultDeadlines.write + 500 }

interface Scene {
  readonly sid: string
  readonly token: string
  readonly hosts: readonly Host[]
  readonly systems: readonly SimulatedSessions[]
  readonly span: number
}

async function begin(world: World, history: History): Promise<Scene> {
  const { random } = world
  const traits = { reportsLife: random.chance(0.5) }
  const hosts = Array.from({ length: 1 + random.below(4) }, () => world.host({ traits }))
  const systems = hosts.map((host) => sessionsOn(host))
  const session = await (systems[0] as SimulatedSessions).create({})
  const visitor = new Visitor(hosts[0] as Host, history, session)
  for (const field of listFields) if (random.chance(0.5)) await visitor.set(field)
  const span = random.pick([3, 30, 300])
  return { sid: session.id as string, token: session.token as string, hosts, systems, span }
}

/** The moments at which an item was evicted. In a tenth of the histories there is none, so that false alarms show. */
function evictSome(world: World, history: History, { sid, span }: Scene): number[] {
  const moments: number[] = []
  for (
    let left = world.random.weighted({ '0': 1, '1': 4, '2': 3, '4': 2 });
    Number(left) > 0;
    left = `${Number(left) - 1}` as '0'
  ) {
    world.later(world.random.between(0, span * 1.5), () => {
      const present = world.server.keys().filter((key) => key.startsWith(sid))
      const isHeader = world.random.chance(0.1)
      const key = isHeader ? `${sid}:@` : world.random.pick(present)
      if (key === undefined || !world.server.evict(key)) return
      world.log(() => `memcached  evicts ${key}`)
      moments.push(history.moment())
    })
  }
  return moments
}

async function use(world: World, history: History, scene: Scene): Promise<void> {
  const { random } = world
  const index = random.below(scene.hosts.length)
  const host = scene.hosts[index] as Host
  const request = () => new Visitor(host, history, (scene.systems[index] as SimulatedSessions).resume(scene.token))
  let visitor = request()
  for (let left = 2 + random.below(6); left > 0 && !host.crashed; left--) {
    if (random.chance(0.4)) visitor = request()
    const call = random.weighted({ get: 4, set: 2, update: 3, take: 0.5, delete: 0.5, getAll: 1 })
    await (call === 'getAll' ? visitor.getAll() : visitor[call](random.pick(listFields)))
    if (random.chance(0.6)) await world.sleep(random.between(0, scene.span / 3))
  }
}

async function lookAtTheEnd(world: World, history: History, scene: Scene): Promise<void> {
  const host = world.host()
  const visitor = new Visitor(host, history, sessionsOn(host).resume(scene.token))
  await visitor.getAll()
  await new Visitor(host, history, sessionsOn(host).resume(scene.token)).getAll()
}

function checkEnd(history: History, scene: Scene, evictions: readonly number[]): string[] {
  const found: string[] = []
  const first = Math.min(...evictions)
  const isGone = (one: (typeof history.operations)[number]) =>
    one.outcome === 'gone' || (one.outcome === 'ok' && one.session !== scene.sid)
  const gone = history.operations.filter(isGone)
  for (const operation of gone) {
    if (operation.ended < first) found.push(`lost session: #${operation.id} ${operation.reason}, but nothing had been evicted`)
  }
  const end = Math.min(...gone.map((operation) => operation.ended))
  const inSession = onSession(history.operations, scene.sid)
  for (const operation of inSession) {
    if (operation.outcome === 'ok' && operation.began > end)
      found.push(`half gone: #${operation.id} ${operation.kind} succeeded after the end`)
  }
  return [...found, ...listFields.flatMap((field) => checkField(onField(inSession, field)))]
}
