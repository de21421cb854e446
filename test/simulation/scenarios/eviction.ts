import { checkDeadlines, checkField } from '../checker.js'
import { type History, onField, onSession } from '../history.js'
import type { Scenario } from '../scenario.js'
import { defaultDeadlines, type ListField, listFields, type SimulatedSessions, sessionsOn, Visitor } from '../visitor.js'
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
  /** The fields that are used: few of them, so that first writes meet, or all. */
  readonly fields: readonly ListField[]
  readonly sid: string
  readonly token: string
  readonly hosts: readonly Host[]
  readonly systems: readonly SimulatedSessions[]
  readonly span: number
}

async function begin(world: World, history: History): Promise<Scene> {
  const { random } = world
  const traits = { reportsTtl: random.chance(0.5) }
  const hosts = Array.from({ length: 1 + random.below(4) }, () => world.host({ traits }))
  const systems = hosts.map((host) => sessionsOn(host))
  const session = await (systems[0] as SimulatedSessions).create({})
  const visitor = new Visitor(hosts[0] as Host, history, session)
  const fields = random.chance(0.5) ? listFields : listFields.slice(0, 1 + random.below(2))
  for (const field of fields) if (random.chance(0.4)) await visitor.set(field)
  const span = random.pick([3, 30, 300])
  return { sid: session.id as string, token: session.token as string, hosts, systems, fields, span }
}

/**
 * Evicts items at any time, or right behind their first write. Returns the moments; in a tenth of the histories there is none, so that
 * false alarms show.
 */
function evictSome(world: World, history: History, scene: Scene): number[] {
  const { random } = world
  const moments: number[] = []
  const evict = (key: string) => {
    if (!world.server.evict(key)) return
    world.log(() => `memcached  evicts ${key}`)
    moments.push(history.moment())
  }
  const count = Number(random.weighted({ '0': 1, '1': 4, '2': 3, '4': 2 }))
  if (count > 0 && random.chance(0.5)) evictNew(world, evict)
  for (let left = count; left > 0; left--) {
    world.later(random.between(0, scene.span * 1.5), () =>
      evict(random.chance(0.1) ? `${scene.sid}:@` : anyField(world, scene.sid)),
    )
  }
  return moments
}

function evictNew(world: World, evict: (key: string) => void): void {
  world.network.witness = (_endpoint, command) => {
    if (command.op !== 'add' || command.key.endsWith(':@') || world.random.chance(0.5)) return
    world.later(world.random.pick([0.01, 1, 10, 600]) * world.random.next(), () => evict(command.key))
  }
}

function anyField(world: World, sid: string): string {
  const present = world.server.keys().filter((key) => key.startsWith(sid) && !key.endsWith(':@'))
  return world.random.pick(present) ?? ''
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
    await (call === 'getAll' ? visitor.getAll() : visitor[call](random.pick(scene.fields)))
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
