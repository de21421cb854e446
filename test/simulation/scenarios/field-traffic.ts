import { checkCounter, checkDeadlines, checkField, type Ending, tagOf } from '../checker.js'
import { type History, type Operation, onField } from '../history.js'
import { defaultDeadlines, type SimulatedSessions, type SystemOptions, sessionsOn, Visitor } from '../visitor.js'
import { clearUp, drawFaults, scheduleAccidents } from '../weather.js'
import type { Host, World } from '../world.js'

type Call = 'get' | 'getAll' | 'set' | 'update' | 'push' | 'refuse' | 'spoil' | 'take' | 'delete' | 'increment' | 'count'

/** What the callers of one history like to do. */
const habits: Partial<Record<Call, number>>[] = [
  { update: 4, push: 2, get: 1 },
  { update: 4, push: 1, get: 3, increment: 3, count: 1, refuse: 0.4, spoil: 0.4 },
  { get: 4, set: 2, update: 2, take: 1, delete: 1, getAll: 1, spoil: 0.2, refuse: 0.2 },
  { set: 3, get: 3, update: 1 },
  { take: 4, set: 2, update: 2, get: 1 },
  { delete: 2, update: 3, get: 2 },
]

/** One session, and the processes that use it. */
interface Traffic {
  readonly token: string
  readonly sid: string
  readonly hosts: readonly Host[]
  readonly systems: readonly SimulatedSessions[]
  /** How long the callers go on, more or less. */
  readonly span: number
}

/** Something that happens to the server meanwhile; returns what else may unset field `a`. */
export type Meddling = (world: World, history: History, traffic: Traffic) => Ending[]

/** Several processes with several facades each work on field `a` of one session, and on a counter beside it, over a bad network. */
export async function playTraffic(world: World, history: History, options: SystemOptions, meddle: Meddling): Promise<string[]> {
  const traffic = await begin(world, history, options)
  world.setFaults(drawFaults(world.random))
  scheduleAccidents(world, traffic.hosts, traffic.span)
  const endings = meddle(world, history, traffic)
  await callAll(world, history, traffic)
  await clearUp(world)
  const end = await lookAtTheEnd(world, history, traffic, options)
  return [
    ...history.operations.filter(isGone).map((operation) => `lost session: #${operation.id} ${operation.kind} found it gone`),
    ...checkField(onField(history.operations, 'a'), endings),
    ...checkCounter(onField(history.operations, 'visits'), end),
    ...checkDeadlines(history.operations, defaultDeadlines),
  ]
}

async function begin(world: World, history: History, options: SystemOptions): Promise<Traffic> {
  const { random } = world
  const traits = { reportsTtl: random.chance(0.5) }
  const hosts = Array.from({ length: 1 + random.below(4) }, () => world.host({ traits, skew: random.between(-3.6e6, 3.6e6) }))
  const systems = hosts.map((host) => sessionsOn(host, options))
  const isSet = random.chance(0.5)
  const session = await createFirst(history, hosts[0] as Host, systems[0] as SimulatedSessions, isSet)
  const [token, sid] = [session.token as string, session.id as string]
  return { token, sid, hosts, systems, span: random.pick([3, 30, 300, 3_000]) }
}

async function createFirst(history: History, host: Host, sessions: SimulatedSessions, isSet: boolean) {
  if (!isSet) return sessions.create({})
  let session = undefined as unknown as Awaited<ReturnType<SimulatedSessions['create']>>
  await history.record(host, 'set', 'a', async (id) => {
    session = await sessions.create({ a: [tagOf(id, 1)] })
    return tagOf(id, 1)
  })
  return session
}

async function callAll(world: World, history: History, traffic: Traffic): Promise<void> {
  const { random } = world
  const habit = random.pick(habits)
  const callers = 1 + random.below(6)
  const calls = 2 + random.below(Math.floor(24 / callers))
  const running = Array.from({ length: callers }, () => {
    const index = random.below(traffic.hosts.length)
    return call(world, history, traffic, { index, habit, calls })
  })
  await Promise.all(running)
}

interface Caller {
  /** Which process it calls. */
  readonly index: number
  readonly habit: Partial<Record<Call, number>>
  readonly calls: number
}

/** One call after another, sometimes several at once, sometimes with a new facade. */
async function call(world: World, history: History, traffic: Traffic, caller: Caller): Promise<void> {
  const { random } = world
  const host = traffic.hosts[caller.index] as Host
  const visit = () => visitorOf(history, traffic, caller.index)
  const underWay: Promise<Operation>[] = []
  let visitor = visit()
  for (let left = caller.calls; left > 0 && !host.crashed; left--) {
    if (random.chance(0.3)) visitor = visit()
    const operation = make(random.weighted(caller.habit), visitor)
    underWay.push(operation)
    if (random.chance(0.7)) await operation
    if (random.chance(0.5)) await world.sleep(random.between(0, (2 * traffic.span) / caller.calls))
  }
  await Promise.all(underWay)
}

function visitorOf(history: History, { hosts, systems, token, sid }: Traffic, index: number): Visitor {
  return new Visitor(hosts[index] as Host, history, (systems[index] as SimulatedSessions).resume(token), sid)
}

function make(call: Call, visitor: Visitor): Promise<Operation> {
  if (call === 'increment' || call === 'count' || call === 'getAll') return visitor[call]()
  return visitor[call]('a')
}

/** What a process that had no part in it finds, once all is quiet: the number of increments. */
async function lookAtTheEnd(world: World, history: History, traffic: Traffic, options: SystemOptions): Promise<number> {
  const host = world.host()
  const visitor = new Visitor(host, history, sessionsOn(host, options).resume(traffic.token), traffic.sid)
  await visitor.get('a')
  const count = await visitor.count()
  if (count.outcome !== 'ok') history.surprises.push(`no end: the counter could not be read: ${count.code}`)
  return count.value as number
}

function isGone(operation: Operation): boolean {
  return operation.outcome === 'gone'
}
