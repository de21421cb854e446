import { checkDeadlines } from '../checker.js'
import type { History, Operation } from '../history.js'
import type { Scenario } from '../scenario.js'
import { defaultDeadlines, type SimulatedSessions, sessionsOn, Visitor } from '../visitor.js'
import { clearUp, drawFaults } from '../weather.js'
import type { Host, World } from '../world.js'

/**
 * Rotations that ask for a longer lifetime, just before the absolute end of a session and over a bad network, while others use it: once
 * somebody was told that it has expired, no late packet brings it back.
 */
export const lastMoment: Scenario = {
  name: 'last-moment',
  play: async (world, history) => {
    const { random } = world
    const traits = { reportsTtl: random.chance(0.5), comparesVersions: random.chance(0.5) }
    const hosts = Array.from({ length: 2 + random.below(2) }, () => world.host({ traits }))
    const systems = hosts.map((host) => sessionsOn(host, { idle: 5_000, absolute: 5_000 }))
    const session = await (systems[0] as SimulatedSessions).create({ a: [] })
    const known: Known = { token: session.token as string, sid: session.id as string, end: world.now + 5_000, hosts, systems }
    await world.sleep(3_500)
    world.setFaults(drawFaults(random))
    await Promise.all([prolong(world, history, known), ...hosts.map((_host, index) => use(world, history, known, index))])
    await clearUp(world)
    return [...checkEnd(history, known.sid), ...checkDeadlines(history.operations, deadlines)]
  },
}

/** A call that finds the end has the time of another flight to make it certain. */
const deadlines = { read: defaultDeadlines.read + 500, write: defaultDeadlines.write + 500 }

interface Known {
  readonly token: string
  readonly sid: string
  /** The absolute end, in virtual time. */
  readonly end: number
  readonly hosts: readonly Host[]
  readonly systems: readonly SimulatedSessions[]
}

async function prolong(world: World, history: History, known: Known): Promise<void> {
  const [host, system] = [known.hosts[0] as Host, known.systems[0] as SimulatedSessions]
  const visitor = new Visitor(host, history, system.resume(known.token))
  await visitor.get('a')
  await world.sleep(known.end - world.now - world.random.pick([20, 200, 1_200]) * world.random.next())
  await visitor.regenerate({ lifetime: { absolute: '1h' }, grace: '5s' })
}

/** Reads or writes around the end, and for some seconds after it. */
async function use(world: World, history: History, known: Known, index: number): Promise<void> {
  const { random } = world
  const visitor = new Visitor(
    known.hosts[index] as Host,
    history,
    (known.systems[index] as SimulatedSessions).resume(known.token),
  )
  await visitor.get('a')
  await world.sleep(known.end - world.now - 200)
  for (let left = 12; left > 0; left--) {
    await (random.chance(0.7) ? visitor.get('a') : visitor.update('a'))
    await world.sleep(random.between(0, 700))
  }
}

function checkEnd(history: History, sid: string): string[] {
  const told = Math.min(...history.operations.filter((one) => one.reason === 'expired').map((one) => one.ended))
  const isRevived = (one: Operation) =>
    one.outcome === 'ok' && one.session === sid && one.began > told && one.kind !== 'regenerate'
  const revived = history.operations.find(isRevived)
  return revived ? [`revived: #${revived.id} ${revived.kind} succeeded after the session was said to have expired`] : []
}
