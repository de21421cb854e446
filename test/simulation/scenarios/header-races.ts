import { checkDeadlines, checkField } from '../checker.js'
import { type History, type Operation, onField, onSession } from '../history.js'
import type { Scenario } from '../scenario.js'
import { defaultDeadlines, type ListField, listFields, type SimulatedSessions, sessionsOn, Visitor } from '../visitor.js'
import { clearUp, drawFaults, scheduleAccidents } from '../weather.js'
import type { Host, World } from '../world.js'

/**
 * First writes of different fields, rotations and renewals of one session, all of which change its header, at the same time from several
 * processes. Whatever was acknowledged is in the session at the end, and listed: when memcached evicts it, its loss is noticed.
 */
export const headerRaces: Scenario = {
  name: 'header-races',
  play: async (world, history) => {
    const race = await begin(world, history)
    world.setFaults(drawFaults(world.random))
    scheduleAccidents(world, race.hosts, 30)
    await Promise.all(Array.from({ length: 2 + world.random.below(5) }, () => run(world, history, race)))
    await clearUp(world)
    const end = await lookAtTheEnd(world, history, race)
    return [
      ...end,
      ...history.operations
        .filter(endedEarly)
        .map((operation) => `lost session: #${operation.id} ${operation.kind} ${operation.reason}`),
      ...listFields.flatMap((field) => checkField(onField(onSession(history.operations, race.sid), field))),
      ...checkDeadlines(history.operations, defaultDeadlines),
    ]
  },
}

interface Race {
  readonly sid: string
  /** The newest token that anybody knows; rotations change it. */
  token: string
  /** A rotation's outcome is unknown: perhaps nobody knows the current secret. */
  isTokenUnknown: boolean
  readonly hosts: readonly Host[]
  readonly systems: readonly SimulatedSessions[]
}

/** So long that it does not end while late packets are waited for, so short that fields are due for renewal when the race begins. */
const idle = 1_000_000

async function begin(world: World, history: History): Promise<Race> {
  const { random } = world
  const traits = { reportsTtl: random.chance(0.5) }
  const hosts = Array.from({ length: 1 + random.below(4) }, () => world.host({ traits, sendsAnySize: true }))
  const systems = hosts.map((host) => sessionsOn(host, { idle }))
  // So little that a header has no room for all fields.
  if (random.chance(0.2)) world.server.largest = 80 + random.below(40)
  const session = await (systems[0] as SimulatedSessions).create({})
  const visitor = new Visitor(hosts[0] as Host, history, session)
  for (const field of listFields) if (random.chance(0.3)) await visitor.set(field)
  // Used once on the way, so that the header lives on while the fields come into need of a renewal.
  for (let times = random.below(3); times > 0; times--) {
    await world.sleep(idle * 0.9)
    await new Visitor(hosts[0] as Host, history, (systems[0] as SimulatedSessions).resume(session.token)).get('f')
  }
  return { sid: session.id as string, token: session.token as string, isTokenUnknown: false, hosts, systems }
}

/** Some calls of one request, one after another or at once. */
async function run(world: World, history: History, race: Race): Promise<void> {
  const { random } = world
  const index = random.below(race.hosts.length)
  const host = race.hosts[index] as Host
  const { token } = race
  const visitor = new Visitor(host, history, (race.systems[index] as SimulatedSessions).resume(token))
  const underWay: Promise<unknown>[] = []
  for (let left = 1 + random.below(4); left > 0 && !host.crashed; left--) {
    const call = random.weighted({ update: 4, set: 4, get: 1, delete: 1, take: 1, getAll: 0.5, regenerate: 1 })
    const done =
      call === 'regenerate'
        ? rotate(race, visitor, token)
        : call === 'getAll'
          ? visitor.getAll()
          : visitor[call](random.pick(listFields))
    underWay.push(done)
    if (random.chance(0.5)) await done
    await world.sleep(random.pick([0, 0, 1, 10, 200]) * random.next())
  }
  await Promise.all(underWay)
}

async function rotate(race: Race, visitor: Visitor, cookie: string): Promise<void> {
  const before = visitor.session.token ?? cookie
  const operation = await visitor.regenerate()
  if (operation.outcome === 'unknown') race.isTokenUnknown = true
  const { token } = visitor.session
  if (operation.outcome === 'ok' && token && token !== before) race.token = token
}

/** Reads everything, has one field that is there evicted, and reads again. */
async function lookAtTheEnd(world: World, history: History, race: Race): Promise<string[]> {
  const host = world.host()
  const sessions = sessionsOn(host, { idle })
  const opened = await sessions.open(race.token)
  if (!opened) return race.isTokenUnknown ? [] : ['lost session: its newest token does not open it']
  const all = await new Visitor(host, history, opened, race.sid).getAll()
  if (all.outcome !== 'ok') return [`lost session: it could not be read at the end: ${all.code} ${all.reason}`]
  const values = all.value as Partial<Record<ListField, unknown>>
  const stored = listFields.filter((field) => values[field] !== undefined)
  if (stored.length === 0) return []
  const evicted = world.random.pick(stored)
  world.server.evict(`${race.sid}:${evicted}`)
  const isTouched = world.random.chance(0.5)
  if (isTouched) await useOthers(world, history, race, evicted)
  const again = await sessions.open(race.token, isTouched ? {} : { preload: [evicted] })
  return again === null ? [] : [`not listed: ${evicted} was evicted, and the session did not end`]
}

/** Uses the session without the field that was evicted, until its fields have been touched: then the loss is found all the same. */
async function useOthers(world: World, history: History, race: Race, evicted: ListField): Promise<void> {
  const host = world.host()
  const sessions = sessionsOn(host, { idle })
  for (let times = 0; times < 3; times++) {
    await new Visitor(host, history, sessions.resume(race.token)).get(evicted === 'a' ? 'b' : 'a')
    await world.sleep(idle * 0.9)
  }
}

function endedEarly(operation: Operation): boolean {
  return operation.outcome === 'gone' && operation.reason !== 'superseded'
}
