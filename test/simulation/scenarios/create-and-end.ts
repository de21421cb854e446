import { checkDeadlines, checkField, tagOf } from '../checker.js'
import { type History, type Operation, onField, onSession } from '../history.js'
import type { Command } from '../memcached.js'
import type { Scenario } from '../scenario.js'
import { defaultDeadlines, listFields, type SimulatedSession, type SimulatedSessions, sessionsOn, Visitor } from '../visitor.js'
import { clearUp, drawFaults, scheduleAccidents } from '../weather.js'
import type { Host, World } from '../world.js'

/**
 * A session is created, used by several processes, and ended in the middle of it, by its owner or by its id, while others hold forged
 * tokens of it and tokens of sessions that never were. Once its end is acknowledged nothing revives it, and nobody adopts a planted id.
 */
export const createAndEnd: Scenario = {
  name: 'create-and-end',
  play: async (world, history) => {
    const scene = begin(world)
    scheduleAccidents(world, scene.hosts, scene.span)
    const session = await createUntilStored(world, history, scene)
    const planted = newId(world)
    const intrusions = watch(world, scene, [session?.id, planted])
    if (session)
      await Promise.all([
        useAll(world, history, scene, session),
        endLater(world, history, scene, session),
        forge(world, history, scene, session, planted),
      ])
    await clearUp(world)
    if (session) await lookAtTheEnd(world, history, session)
    return [
      ...intrusions,
      ...(session ? checkEnd(world, history, session) : []),
      ...checkDeadlines(history.operations, defaultDeadlines),
    ]
  },
}

interface Scene {
  readonly hosts: readonly Host[]
  readonly systems: readonly SimulatedSessions[]
  /** A process that has nothing but forged tokens. */
  readonly forger: Host
  readonly span: number
}

interface Known {
  readonly id: string
  readonly token: string
  readonly facade: SimulatedSession
  readonly host: Host
}

function begin(world: World): Scene {
  const { random } = world
  const traits = { reportsTtl: random.chance(0.5) }
  const hosts = Array.from({ length: 2 + random.below(3) }, () => world.host({ traits }))
  const forger = world.host({ traits })
  world.setFaults(drawFaults(random))
  // A field that may be absent shows an end that goes through the fields before the header.
  const options = { lost: random.pick(['end', 'end', 'absent'] as const) }
  return { hosts, systems: hosts.map((host) => sessionsOn(host, options)), forger, span: random.pick([3, 30, 300, 3_000]) }
}

/** Creates outright or by first writes, two at once now and then, and again after a failure, as a visitor who clicks again. */
async function createUntilStored(world: World, history: History, { hosts, systems }: Scene): Promise<Known | undefined> {
  const { random } = world
  const host = hosts[0] as Host
  const sessions = systems[0] as SimulatedSessions
  const kept = random.chance(0.4) ? undefined : sessions.resume()
  for (let attempt = 0; attempt < 6 && !host.crashed; attempt++) {
    const facade = kept ?? (await createOutright(history, host, sessions))
    if (kept) await writeFirst(world, new Visitor(host, history, kept))
    if (facade?.token && facade.id && facade.state === 'stored') return { id: facade.id, token: facade.token, facade, host }
    if (random.chance(0.5)) await world.sleep(random.between(0, 1_000))
  }
  return undefined
}

async function createOutright(history: History, host: Host, sessions: SimulatedSessions): Promise<SimulatedSession | undefined> {
  const created: SimulatedSession[] = []
  const operation = await history.record(host, 'set', 'a', async (id) => {
    created.push(await sessions.create({ a: [tagOf(id, 1)] }))
    return tagOf(id, 1)
  })
  operation.session = created[0]?.id
  return created[0]
}

async function writeFirst(world: World, visitor: Visitor): Promise<void> {
  await Promise.all(world.random.chance(0.5) ? [visitor.set('a')] : [visitor.set('a'), visitor.update('b')])
}

async function useAll(world: World, history: History, scene: Scene, session: Known): Promise<void> {
  const users = Array.from({ length: 1 + world.random.below(4) }, () => use(world, history, scene, session))
  await Promise.all(users)
}

/** Requests of one visitor at one process: with the facade that created it, with one kept for long, or each with its own. */
async function use(world: World, history: History, scene: Scene, session: Known): Promise<void> {
  const { random } = world
  const index = random.below(scene.hosts.length)
  const host = scene.hosts[index] as Host
  const request = () => new Visitor(host, history, (scene.systems[index] as SimulatedSessions).resume(session.token))
  const isKept = random.chance(0.5)
  let visitor = session.host === host && random.chance(0.3) ? new Visitor(host, history, session.facade) : request()
  for (let left = 2 + random.below(6); left > 0 && !host.crashed; left--) {
    const call = random.weighted({ get: 3, set: 2, update: 3, take: 1, delete: 1, getAll: 1, regenerate: 0.2 })
    await (call === 'getAll' || call === 'regenerate' ? visitor[call]() : visitor[call](random.pick(listFields)))
    if (!isKept) visitor = request()
    if (random.chance(0.7)) await world.sleep(random.between(0, scene.span / 3))
  }
}

/** Ends the session at some time, again and again until it is acknowledged, or gives up. */
async function endLater(world: World, history: History, scene: Scene, session: Known): Promise<void> {
  const { random } = world
  await world.sleep(random.between(0, scene.span))
  const index = random.below(scene.hosts.length)
  const host = scene.hosts[index] as Host
  const sessions = scene.systems[index] as SimulatedSessions
  const facade = session.host === host ? session.facade : sessions.resume(session.token)
  const isRevoked = random.chance(0.4)
  for (let attempt = 0; attempt < 3 && !host.crashed; attempt++) {
    const operation = isRevoked
      ? await history.record(host, 'revoke', '*', () => sessions.revoke(session.id))
      : await new Visitor(host, history, facade).destroy()
    operation.session ??= session.id
    if (operation.outcome === 'ok' || operation.outcome === 'gone') return
    await world.sleep(random.between(0, 500))
  }
}

/** Every method with a secret that is wrong, and with a session that never was. */
async function forge(world: World, history: History, scene: Scene, session: Known, planted: string): Promise<void> {
  const { random } = world
  const sessions = sessionsOn(scene.forger)
  for (let left = random.below(5); left > 0; left--) {
    const sid = random.chance(0.6) ? session.id : planted
    const facade = sessions.resume(`${sid}.${newSecret(world)}`)
    const visitor = new Visitor(scene.forger, history, facade)
    const call = random.weighted({ get: 1, set: 2, update: 1, take: 1, delete: 1, getAll: 1, regenerate: 1, destroy: 1 })
    const operation = await (call === 'getAll' || call === 'regenerate' || call === 'destroy'
      ? visitor[call]()
      : visitor[call]('a'))
    if (operation.session === sid)
      history.surprises.push(`adopted: #${operation.id} ${call} was let into ${sid === planted ? 'a planted' : 'a known'} id`)
    if ((call === 'get' || call === 'take') && operation.value !== undefined)
      history.surprises.push(`leaked: #${operation.id} ${call}`)
    await world.sleep(random.between(0, scene.span / 2))
  }
}

/** Commands that change something in a session, sent by one who has no right to, and anything at all under a planted id. */
function watch(world: World, scene: Scene, [known, planted]: [string | undefined, string]): string[] {
  const intrusions: string[] = []
  world.network.witness = (endpoint, command) => {
    if (!('key' in command) || command.op === 'get') return
    if (belongsTo(command, planted)) intrusions.push(`adopted: ${command.op} of ${command.key}, an id that was planted`)
    if (endpoint === scene.forger && known && belongsTo(command, known))
      intrusions.push(`forged: ${command.op} of ${command.key} with a wrong secret`)
  }
  return intrusions
}

function belongsTo(command: Command, sid: string): boolean {
  return 'key' in command && command.key.startsWith(`${sid}:`)
}

async function lookAtTheEnd(world: World, history: History, session: Known): Promise<void> {
  const host = world.host()
  const sessions = sessionsOn(host)
  const opening = await history.record(host, 'open', '*', async () => (await sessions.open(session.token))?.id)
  opening.session = opening.value as string | undefined
  await new Visitor(host, history, sessions.resume(session.token)).get('a')
}

function checkEnd(world: World, history: History, session: Known): string[] {
  const found: string[] = []
  const isOnIt = (operation: Operation) => operation.session === session.id
  const ends = history.operations.filter((operation) => isEnd(operation) && isOnIt(operation))
  const acknowledged = Math.min(...ends.filter((operation) => operation.outcome === 'ok').map((operation) => operation.ended))
  const begun = Math.min(...ends.map((operation) => operation.began))
  const isRotated = history.operations.some((operation) => operation.kind === 'regenerate')
  for (const operation of history.operations.filter((one) => !isEnd(one) && one.outcome === 'ok')) {
    if (isOnIt(operation) && operation.began > acknowledged)
      found.push(`revived: #${operation.id} ${operation.kind} succeeded after the end`)
  }
  for (const operation of history.operations.filter((one) => one.ended < begun && one.reason !== undefined)) {
    if (operation.reason !== 'superseded' || !isRotated)
      found.push(`lost session: #${operation.id} ${operation.reason} before anybody ended it`)
  }
  if (acknowledged < Number.POSITIVE_INFINITY && world.server.keys().includes(`${session.id}:@`))
    found.push('revived: its header is there again')
  return [...found, ...listFields.flatMap((field) => checkField(onField(onSession(history.operations, session.id), field)))]
}

function isEnd(operation: Operation): boolean {
  return operation.kind === 'destroy' || operation.kind === 'revoke'
}

function newId(world: World): string {
  const hex = world.random.bytes(16).toString('hex')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`
}

function newSecret(world: World): string {
  return world.random.bytes(32).toString('base64url')
}
