import { checkDeadlines, checkField } from '../checker.js'
import { type History, type Operation, onField, onSession } from '../history.js'
import { calm, type Faults } from '../network.js'
import type { Scenario } from '../scenario.js'
import { defaultDeadlines, listFields, type SimulatedSessions, sessionsOn, Visitor } from '../visitor.js'
import { drawFaults } from '../weather.js'
import type { Host, World } from '../world.js'

/**
 * A session that is used again before each idle time has passed, by processes whose own clocks are up to an hour apart, while some of the
 * visits meet cuts, pauses and losses. It never ends before its absolute deadline, and never outlives it; or, once nobody uses it any
 * more, it ends after its idle time.
 */
export const continuousUse: Scenario = {
  name: 'continuous-use',
  play: async (world, history) => {
    const use = await begin(world)
    const until = use.created + (use.isLeftAlone ? use.absolute / 2 : use.absolute + 3 * use.idle)
    const found: string[] = []
    while (world.now < until && !use.isOver && found.length === 0) found.push(...(await visit(world, history, use)))
    if (use.isLeftAlone) found.push(...(await leaveAlone(world, use)))
    const inSession = onSession(history.operations, use.sid)
    return [
      ...found,
      ...listFields.flatMap((field) => checkField(onField(inSession, field))),
      ...checkDeadlines(history.operations, defaultDeadlines),
    ]
  },
}

interface Use {
  readonly token: string
  readonly sid: string
  readonly idle: number
  readonly absolute: number
  /** When it was created, in virtual time. */
  readonly created: number
  readonly hosts: Host[]
  readonly systems: SimulatedSessions[]
  /** When the last visit began that met no fault: from then on the session lives for an idle time at least. */
  lastClean: number
  /** No visit meets a fault, and halfway nobody comes any more. */
  readonly isLeftAlone: boolean
  /** How many visits in a row met faults. */
  dirty: number
  /** It was found gone after faults had kept every visit from using it: what follows is another session. */
  isOver: boolean
  /** Behind the last visit the connection was cut, or the process crashed. */
  wasStruck: boolean
}

/** What server times may be off by, as two processes read them: the server's clock counts whole seconds. */
const clockSlack = 2_000

async function begin(world: World): Promise<Use> {
  const { random } = world
  const idle = random.pick([5_000, 8_500, 20_000, 60_000])
  const absolute = Math.floor(idle * random.between(3, 14))
  const traits = { reportsTtl: random.chance(0.5) }
  const hosts = Array.from({ length: 2 + random.below(2) }, () => world.host({ traits, skew: random.pick([-3.6e6, 0, 3.6e6]) }))
  // Only the process that creates the session knows how long it is to live.
  const systems = hosts.map((host, index) => sessionsOn(host, index === 0 ? { idle, absolute } : {}))
  const session = await (systems[0] as SimulatedSessions).create({})
  const [token, sid] = [session.token as string, session.id as string]
  const isLeftAlone = random.chance(0.3)
  return {
    token,
    sid,
    idle,
    absolute,
    created: world.now,
    hosts,
    systems,
    isLeftAlone,
    lastClean: world.now,
    dirty: 0,
    wasStruck: false,
    isOver: false,
  }
}

/** Waits, then uses the session in one request. */
async function visit(world: World, history: History, use: Use): Promise<string[]> {
  const { random } = world
  const isDirty = !use.isLeftAlone && use.dirty < 2 && random.chance(0.25)
  await world.sleep(pauseBefore(world, use, isDirty))
  const began = world.now
  const index = random.below(use.hosts.length)
  if (isDirty) trouble(world, use.hosts[index] as Host)
  use.wasStruck = !isDirty && !use.isLeftAlone && !use.wasStruck && random.chance(0.4)
  if (use.wasStruck) world.setFaults(slow)
  const operations = await Promise.all(calls(world, visitorOf(history, use, index)))
  const isCrash = use.wasStruck && strikeBehind(world, use, index)
  // What follows an answer, a renewal, still belongs to the visit.
  await world.sleep(Math.min(200, use.idle / 20))
  world.setFaults(calm)
  const found = operations.flatMap((operation) => checkLife(operation, use))
  const isClean = !isDirty && operations.every((operation) => isFound(operation, use))
  const lives = !isCrash || isRenewed(world, use, began)
  if (isClean && lives) use.lastClean = began
  use.dirty = isClean && lives ? 0 : use.dirty + 1
  use.isOver = use.isOver || (world.now < use.created + use.absolute && operations.some((operation) => isGone(operation, use)))
  return found
}

/** Commands of one flight arrive apart, so that a blow falls between them. */
const slow: Faults = { ...calm, latency: 3, split: 0.5 }

/** Right behind the answer, in the middle of a renewal: once, not twice in a row. True for a crash; a cut has to be made up for. */
function strikeBehind(world: World, use: Use, index: number): boolean {
  const host = use.hosts[index] as Host
  const isCrash = world.random.chance(0.5)
  world.later(world.random.between(0, 6), () => (isCrash ? host.crash() : world.network.cut(host)))
  if (!isCrash) return false
  const heir = world.host({ traits: host.store.traits })
  use.hosts[index] = heir
  use.systems[index] = sessionsOn(heir)
  return true
}

/** Whether the header lives for an idle time from a visit on: a process that crashed may not have come to touching it. */
function isRenewed(world: World, use: Use, began: number): boolean {
  const until = Math.min(began + use.idle, use.created + use.absolute)
  // The server counts whole seconds, of which the last is not a whole one.
  return world.server.life(`${use.sid}:@`) - 1_000 >= until - world.now
}

/** Nearly a whole idle time as often as not; a visit that meets faults leaves time for others. */
function pauseBefore(world: World, use: Use, isDirty: boolean): number {
  const share = isDirty ? 0.3 : use.dirty > 0 ? 0.5 : 0.98
  const most = use.lastClean + use.idle * share - world.now
  return Math.max(0, most) * (world.random.chance(0.5) ? 1 : world.random.next())
}

function trouble(world: World, host: Host): void {
  world.setFaults(drawFaults(world.random))
  if (world.random.chance(0.3)) world.later(world.random.between(0, 30), () => host.pause(world.random.between(10, 1_500)))
}

function visitorOf(history: History, use: Use, index: number): Visitor {
  return new Visitor(use.hosts[index] as Host, history, (use.systems[index] as SimulatedSessions).resume(use.token))
}

function calls(world: World, visitor: Visitor): Promise<Operation>[] {
  const { random } = world
  const one = () => {
    const call = random.weighted({ get: 6, set: 1, update: 2, delete: 0.5, take: 0.5, getAll: 1 })
    return call === 'getAll' ? visitor.getAll() : visitor[call](random.pick(listFields))
  }
  return random.chance(0.6) ? [one()] : [one(), one()]
}

function isFound(operation: Operation, use: Use): boolean {
  return operation.outcome === 'ok' && operation.session === use.sid
}

function isGone(operation: Operation, use: Use): boolean {
  return operation.outcome === 'gone' || (operation.outcome === 'ok' && operation.session !== use.sid)
}

/** Alive until the absolute deadline while it is used, gone after it. */
function checkLife(operation: Operation, use: Use): string[] {
  const deadline = use.created + use.absolute
  if (isFound(operation, use) && operation.beganAt > deadline + clockSlack) {
    return [`outlived its deadline: #${operation.id} began ${Math.round(operation.beganAt - deadline)} ms after it`]
  }
  const isInUse = operation.endedAt < Math.min(use.lastClean + use.idle, deadline - clockSlack)
  if (isGone(operation, use) && isInUse) {
    return [
      `lost session: #${operation.id} (${operation.reason}) ${Math.round(operation.endedAt - use.lastClean)} ms after its last use`,
    ]
  }
  return []
}

/** Nobody uses the session for its idle time and what it may live longer: a tenth, a second at least, and two seconds. */
async function leaveAlone(world: World, use: Use): Promise<string[]> {
  await world.sleep(use.idle + Math.max(1_000, use.idle / 10) + 2_000 + 1_000)
  const session = await (use.systems[0] as SimulatedSessions).open(use.token)
  return session === null ? [] : ['outlived its idle time: it could still be opened']
}
