import { checkDeadlines } from '../checker.js'
import type { History, Operation } from '../history.js'
import type { Scenario } from '../scenario.js'
import { defaultDeadlines, type SimulatedSessions, sessionsOn, Visitor } from '../visitor.js'
import { clearUp, drawFaults, scheduleAccidents } from '../weather.js'
import type { Host, World } from '../world.js'

/**
 * Sockets that were opened with a stolen token, and requests of the owner that are under way, when the owner changes the secret once or
 * several times. All go on for as long as a call may take; nobody who holds on is let through for longer, and the owner is never refused.
 */
export const stolenToken: Scenario = {
  name: 'stolen-token',
  play: async (world, history) => {
    const scene = await begin(world, history)
    world.setFaults(drawFaults(world.random))
    scheduleAccidents(world, scene.hosts, 10_000)
    const sockets = Array.from({ length: 1 + world.random.below(3) }, () => holdOn(world, history, scene))
    await Promise.all([...sockets, own(world, history, scene)])
    await clearUp(world)
    return [
      ...(await lookAtTheEnd(world, history, scene)),
      ...scene.sockets.flatMap((socket) => checkSocket(socket, scene)),
      ...scene.owned.filter(isRefused).map((one) => `refused: #${one.id} ${one.kind} of the owner (${one.reason})`),
      ...checkDeadlines(history.operations, defaultDeadlines),
    ]
  },
}

interface Scene {
  readonly sid: string
  readonly token: string
  readonly hosts: readonly Host[]
  readonly systems: readonly SimulatedSessions[]
  /** How long the secret before works on after each rotation, in milliseconds. */
  readonly grace: number
  /** What each socket did, in order. */
  readonly sockets: Operation[][]
  /** What the owner did with the newest secret. */
  readonly owned: Operation[]
  /** Those that were made, and perhaps a last one of which nobody can tell. */
  readonly rotations: Operation[]
  /** Nobody can tell which secret is the newest. */
  isUnknown: boolean
  /** The secret is changed no more. */
  isDone: boolean
}

/** A call and the flight in which it ends; and what two processes' readings of the server's clock may add. */
const longestCall = 2_500
const clockSlack = 3_500

async function begin(world: World, history: History): Promise<Scene> {
  const { random } = world
  const traits = { reportsTtl: random.chance(0.5), comparesVersions: random.chance(0.5) }
  const hosts = Array.from({ length: 1 + random.below(3) }, () => world.host({ traits, skew: random.pick([-3.6e6, 0, 3.6e6]) }))
  const systems = hosts.map((host) => sessionsOn(host))
  const session = await (systems[0] as SimulatedSessions).create({})
  const visitor = new Visitor(hosts[0] as Host, history, session)
  for (const field of ['a', 'b'] as const) await visitor.set(field)
  const grace = random.pick([0, 0, 1_000, 8_000])
  const [sid, token] = [session.id as string, session.token as string]
  return { sid, token, hosts, systems, grace, sockets: [], owned: [], rotations: [], isUnknown: false, isDone: false }
}

/** One socket: used once at its beginning as often as not, and then every now and then for half a minute. */
async function holdOn(world: World, history: History, scene: Scene): Promise<void> {
  const { random } = world
  const { visitor, host } = request(world, history, scene)
  const did: Operation[] = []
  scene.sockets.push(did)
  if (random.chance(0.7)) did.push(await visitor.get('a'))
  for (let left = 3 + random.below(5); left > 0 && !host.crashed; left--) {
    await world.sleep(random.pick([100, 1_500, 4_000, 12_000]) * random.next())
    const isOver =
      scene.isDone && scene.rotations.every((one) => world.now > one.endedAt + Math.max(scene.grace, longestCall) + clockSlack)
    const call = random.weighted({
      get: 3,
      set: 3,
      update: 2,
      getAll: 1,
      take: 0.5,
      regenerate: isOver ? 1 : 0,
      destroy: isOver ? 1 : 0,
    })
    const field = random.pick(['a', 'b', 'c'] as const)
    did.push(await (call === 'getAll' || call === 'regenerate' || call === 'destroy' ? visitor[call]() : visitor[call](field)))
  }
}

/** The owner changes the secret, writes, and changes it again now and then. */
async function own(world: World, history: History, scene: Scene): Promise<void> {
  const { random } = world
  const { visitor, host } = request(world, history, scene)
  await visitor.get('b')
  await world.sleep(random.pick([10, 1_000, 6_000]) * random.next())
  for (let left = random.pick([1, 1, 2, 6]); left > 0 && !host.crashed && !scene.isUnknown; left--) {
    const rotation = await visitor.regenerate(scene.grace > 0 ? { grace: `${scene.grace}ms` } : {})
    scene.isUnknown = rotation.outcome === 'unknown'
    if (rotation.outcome === 'ok' || scene.isUnknown) scene.rotations.push(rotation)
    scene.owned.push(rotation)
    for (let writes = random.below(3); writes > 0; writes--) {
      scene.owned.push(await (random.chance(0.5) ? visitor.set('a') : visitor.update('b')))
      await world.sleep(random.pick([1, 500, 2_000]) * random.next())
    }
  }
  scene.isDone = scene.rotations.length > 0 && !scene.isUnknown
}

function request(world: World, history: History, { hosts, systems, token }: Scene): { visitor: Visitor; host: Host } {
  const index = world.random.below(hosts.length)
  const host = hosts[index] as Host
  return { visitor: new Visitor(host, history, (systems[index] as SimulatedSessions).resume(token)), host }
}

/** Let through until a rotation is a call ago, and its grace over; refused afterwards. */
function checkSocket(did: readonly Operation[], scene: Scene): string[] {
  const found: string[] = []
  const isVerified = did[0]?.outcome === 'ok' && did[0].session === scene.sid
  const began = Math.min(...scene.owned.filter((one) => one.kind === 'regenerate').map((one) => one.beganAt))
  const hurried = did.find((one) => one.reason === 'superseded' && one.endedAt < began + longestCall)
  if (isVerified && hurried)
    found.push(`interrupted: #${hurried.id} ${Math.round(hurried.endedAt - began)} ms after the rotation began`)
  const held = did.find(
    (one) => one.outcome === 'ok' && one.session === scene.sid && one.beganAt > endOf(did, scene) + clockSlack,
  )
  return held
    ? [...found, `held on: #${held.id} ${held.kind}, ${Math.round(held.beganAt - endOf(did, scene))} ms too late`]
    : found
}

/** Of several rotations the one counts that a socket sees first: there may have been others before it by then. */
function endOf(did: readonly Operation[], { rotations, grace }: Scene): number {
  const first = rotations.find((one) => one.outcome === 'ok')
  const seeing = first && did.find((one) => one.outcome === 'ok' && one.beganAt > first.endedAt)
  const seen = seeing && rotations.findLast((one) => one.beganAt < seeing.endedAt)
  return seen?.outcome === 'ok' ? seen.endedAt + Math.max(longestCall, grace) : Number.POSITIVE_INFINITY
}

async function lookAtTheEnd(world: World, history: History, scene: Scene): Promise<string[]> {
  if (scene.rotations.length === 0 || scene.isUnknown) return []
  const host = world.host()
  const visitor = new Visitor(host, history, sessionsOn(host).resume(scene.token))
  const seen = await visitor.get('a')
  return seen.value === undefined ? [] : [`held on: #${seen.id} the old token still opens the session`]
}

function isRefused(operation: Operation): boolean {
  return operation.outcome === 'gone'
}
