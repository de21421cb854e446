import { checkDeadlines } from '../checker.js'
import { describeOperation, type History, type Operation } from '../history.js'
import type { Scenario } from '../scenario.js'
import { defaultDeadlines, type SimulatedSession, type SimulatedSessions, sessionsOn, Visitor } from '../visitor.js'
import { clearUp, drawFaults, scheduleAccidents } from '../weather.js'
import type { Host, World } from '../world.js'

/**
 * Users log in on several servers, use their sessions, list them, end them all or all but one, while servers evict and restart. What was
 * ended does not work any more, what logged in later does, lists say what is so, and nobody keeps more sessions than the limit allows.
 */
export const users: Scenario = {
  name: 'users',
  play: async (world, history) => {
    const faults = drawFaults(world.random)
    const scene = begin(world, faults.lose === 0 && world.random.chance(0.5))
    world.setFaults(faults)
    if (!scene.isFair) scheduleAccidents(world, scene.hosts, 10_000)
    if (scene.isUnsafe) loseSome(world, history, scene)
    await Promise.all(Array.from({ length: 1 + world.random.below(4) }, () => act(world, history, scene)))
    await clearUp(world)
    await lookAtTheEnd(world, history, scene)
    return [...new Set([...check(history, scene), ...checkDeadlines(history.operations, deadlines)])]
  },
}

/** The last flights of an end or a login begin before the deadline and may last for another. */
const deadlines = { read: defaultDeadlines.read + 1_000, write: defaultDeadlines.write + 1_500 }

interface Scene {
  readonly hosts: readonly Host[]
  readonly systems: readonly SimulatedSessions[]
  readonly max: number | undefined
  /** The network does all it should: no attempt to create a session fails and leaves one that nobody has the token of. */
  readonly isFair: boolean
  /** Items are evicted and servers restart. */
  readonly isUnsafe: boolean
  readonly names: readonly string[]
  readonly known: Known[]
  readonly ends: End[]
  readonly lists: { readonly operation: Operation; readonly user: string }[]
  /** When items were lost. */
  readonly losses: number[]
}

/** One session that somebody tried to bind to a user. */
interface Known {
  readonly user: string
  sid: string
  token: string
  /** When it was created at the earliest. */
  readonly born: number
  /** When the first call began that was to bind it, and the call that did. */
  readonly begun: number
  login: Operation
  /** Whether it was created for its user. */
  readonly isCreated: boolean
  /** How long it lives, in milliseconds, if it is short. */
  absolute: number | undefined
  readonly uses: Operation[]
  readonly handles: Visitor[]
  /** From when on its token is not known for certain, or it was destroyed. */
  blurred: number
  /** When its secret was last changed. */
  renewed: number
  destroyed: Operation | undefined
}

interface End {
  readonly operation: Operation
  readonly user: string
  readonly kept: Known | undefined
}

function begin(world: World, isFair: boolean): Scene {
  const { random } = world
  for (let more = random.below(3); more > 0; more--) world.addServer(random.pick([0, 0, 3.6e6, -3.6e6]))
  const traits = { reportsTtl: random.chance(0.5), comparesVersions: random.chance(0.5) }
  const hosts = Array.from({ length: 1 + random.below(3) }, () =>
    world.host({ traits, fleet: true, skew: random.pick([-3.6e6, 0, 3.6e6]) }),
  )
  const max = random.pick([undefined, undefined, 1, 2, 3])
  const systems = hosts.map((host) => sessionsOn(host, { users: max === undefined ? undefined : { max } }))
  const names = random.chance(0.7) ? ['ada'] : ['ada', 'bob']
  return {
    hosts,
    systems,
    max,
    isFair,
    isUnsafe: !isFair && random.chance(0.4),
    names,
    known: [],
    ends: [],
    lists: [],
    losses: [],
  }
}

async function act(world: World, history: History, scene: Scene): Promise<void> {
  const { random } = world
  for (let left = 2 + random.below(6); left > 0; left--) {
    const atOnce = random.weighted({ '1': 6, '2': 1, '4': 1 })
    await Promise.all(Array.from({ length: Number(atOnce) }, () => actOnce(world, history, scene)))
    await world.sleep(random.pick([0, 1, 30, 600, 12_000, 80_000]) * random.next())
  }
}

async function actOnce(world: World, history: History, scene: Scene): Promise<void> {
  const { random } = world
  const index = random.below(scene.hosts.length)
  const at = { host: scene.hosts[index] as Host, system: scene.systems[index] as SimulatedSessions }
  if (at.host.crashed) return
  const user = random.pick(scene.names)
  switch (random.weighted({ login: 4, use: 5, again: 0.7, end: 1.2, except: 1, list: 1, destroy: 0.5 })) {
    case 'login':
      return logIn(world, history, scene, user, at)
    case 'use':
      return use(world, history, scene, at)
    case 'again':
      return logInAgain(world, history, scene, at)
    case 'end':
      return end(history, scene, user, at)
    case 'except':
      return endOthers(world, history, scene, at)
    case 'list':
      return list(history, scene, user, at)
    case 'destroy':
      return destroy(world, history, scene, at)
  }
}

interface At {
  readonly host: Host
  readonly system: SimulatedSessions
}

async function logIn(world: World, history: History, scene: Scene, user: string, at: At): Promise<void> {
  const { random } = world
  const born = history.moment()
  const absolute = random.chance(0.15) ? random.pick([5_000, 30_000]) : undefined
  const lifetime = absolute === undefined ? {} : { lifetime: { idle: `${absolute}ms`, absolute: `${absolute}ms` } as const }
  if (random.chance(0.5)) {
    let session: SimulatedSession | undefined
    const login = await history.record(at.host, 'login', user, async () => {
      session = await at.system.create({}, { user, ...lifetime })
    })
    return add(history, scene, { user, born, begun: login.began, login, isCreated: true, absolute }, session, at)
  }
  const visitor = new Visitor(at.host, history, at.system.resume())
  if (random.chance(0.7) && (await visitor.set('a')).outcome !== 'ok') return
  const { session } = visitor
  const regenerate = () => history.record(at.host, 'login', user, () => session.regenerate({ user, ...lifetime }))
  const first = await regenerate()
  const last = first.outcome === 'unknown' && random.chance(0.7) ? await regenerate() : first
  // What cannot be told of the first is told by the second only where it succeeds.
  const login = last.outcome === 'ok' ? last : first
  add(history, scene, { user, born, begun: first.began, login, isCreated: false, absolute }, session, at)
}

function add(
  history: History,
  scene: Scene,
  login: Pick<Known, 'user' | 'born' | 'begun' | 'login' | 'isCreated' | 'absolute'>,
  session: SimulatedSession | undefined,
  { host }: At,
): void {
  login.login.session = session?.id
  const [sid, token] = [session?.id ?? '', session?.token ?? '']
  const handles = session ? [new Visitor(host, history, session)] : []
  const blurred = login.login.outcome === 'ok' ? Number.POSITIVE_INFINITY : login.begun
  scene.known.push({ ...login, sid, token, uses: [], handles, blurred, renewed: 0, destroyed: undefined })
}

async function use(world: World, history: History, scene: Scene, at: At): Promise<void> {
  const known = pick(world, scene)
  if (known === undefined) return
  const { random } = world
  const held = known.handles.filter((visitor) => visitor.session.state === 'stored')
  const isHeld = held.length > 0 && random.chance(0.5)
  const visitor = isHeld ? random.pick(held) : new Visitor(at.host, history, at.system.resume(known.token))
  if (!isHeld) known.handles.push(visitor)
  const call = random.pick(['get', 'get', 'set', 'update'] as const)
  const operation = await visitor[call]('a')
  known.uses.push(operation)
}

/** The same user on a session that is bound already. */
async function logInAgain(world: World, history: History, scene: Scene, at: At): Promise<void> {
  const known = pick(world, scene)
  if (known === undefined || known.blurred !== Number.POSITIVE_INFINITY) return
  known.blurred = history.moment()
  const session = at.system.resume(known.token)
  const other = world.random.chance(0.2) ? scene.names.find((name) => name !== known.user) : undefined
  if (other !== undefined) return logInAsOther(history, scene, known, other, session, at)
  const longer = known.absolute !== undefined && world.random.chance(0.7)
  const lifetime = longer ? ({ lifetime: { idle: '30m', absolute: '12h' } } as const) : {}
  const again = await history.record(at.host, 'login', known.user, () => session.regenerate({ user: known.user, ...lifetime }))
  // A token that opens nothing any more begins a new session.
  if (session.id !== known.sid) return add(history, scene, { ...begunBy(again), user: known.user }, session, at)
  if (again.outcome !== 'ok') return
  known.token = session.token as string
  known.handles.push(new Visitor(at.host, history, session))
  known.blurred = Number.POSITIVE_INFINITY
  known.renewed = again.ended
  if (longer) known.absolute = undefined
}

function begunBy(login: Operation): Pick<Known, 'born' | 'begun' | 'login' | 'isCreated' | 'absolute'> {
  return { born: login.began, begun: login.began, login, isCreated: true, absolute: undefined }
}

/** Another user logs in where a session is somebody's already. */
async function logInAsOther(
  history: History,
  scene: Scene,
  known: Known,
  user: string,
  session: SimulatedSession,
  at: At,
): Promise<void> {
  const login = await history.record(at.host, 'login', user, () => session.regenerate({ user }))
  if (session.id !== known.sid) return add(history, scene, { ...begunBy(login), user }, session, at)
  if (login.outcome === 'ok') history.surprises.push(`stolen: #${login.id} made a session of ${known.user} one of ${user}`)
  if (login.code === 'BAD_ARGUMENT') known.blurred = Number.POSITIVE_INFINITY
}

async function end(history: History, scene: Scene, user: string, { host, system }: At): Promise<void> {
  const operation = await history.record(host, 'end', user, () => system.user(user).end())
  scene.ends.push({ operation, user, kept: undefined })
}

async function endOthers(world: World, history: History, scene: Scene, { host, system }: At): Promise<void> {
  const kept = pick(world, scene)
  if (kept === undefined) return
  const session = system.resume(kept.token)
  const operation = await history.record(host, 'end', kept.user, () => system.user(kept.user).end({ except: session }))
  scene.ends.push({ operation, user: kept.user, kept })
}

async function list(history: History, scene: Scene, user: string, { host, system }: At): Promise<void> {
  const operation = await history.record(host, 'list', user, async () => (await system.user(user).list()).map(({ id }) => id))
  scene.lists.push({ operation, user })
}

async function destroy(world: World, history: History, scene: Scene, at: At): Promise<void> {
  const known = pick(world, scene)
  if (known === undefined || known.blurred !== Number.POSITIVE_INFINITY) return
  known.blurred = history.moment()
  const visitor = new Visitor(at.host, history, at.system.resume(known.token))
  const operation = await visitor.destroy()
  if (operation.outcome === 'ok' && operation.session === known.sid) known.destroyed = operation
}

/** One that somebody has the token of. */
function pick(world: World, scene: Scene): Known | undefined {
  const usable = scene.known.filter(({ token }) => token !== '')
  return usable.length === 0 ? undefined : world.random.pick(usable)
}

/** Lists and headers are evicted, and servers restart. */
function loseSome(world: World, history: History, scene: Scene): void {
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

async function lookAtTheEnd(world: World, history: History, scene: Scene): Promise<void> {
  const host = world.host({ fleet: true })
  const system = sessionsOn(host)
  for (const known of scene.known) {
    if (known.token === '') continue
    const visitor = new Visitor(host, history, system.resume(known.token))
    known.uses.push(await visitor.get('a'))
  }
  for (const user of scene.names) await list(history, scene, user, { host, system })
}

function check(history: History, scene: Scene): string[] {
  return [
    ...scene.ends.flatMap((one) => checkEnd(one, scene)),
    ...scene.known.flatMap((known) => known.uses.flatMap((one) => checkLiving(known, one, scene))),
    ...scene.lists.flatMap((one) => checkList(one, scene)),
    ...scene.names.flatMap((user) => checkLimit(user, history, scene)),
  ]
}

/** Nothing that begins after an acknowledged end succeeds in a session that was bound before it. */
function checkEnd({ operation, user, kept }: End, scene: Scene): string[] {
  if (operation.outcome !== 'ok') return []
  return scene.known
    .filter((known) => known !== kept && isBoundBefore(known, user, operation.began))
    .flatMap((known) => known.uses.filter((one) => one.began > operation.ended && works(one, known)))
    .map((one) => `worked after end: #${one.id} ${describeOperation(one)} after #${operation.id}`)
}

/** What nobody has ended works. */
function checkLiving(known: Known, one: Operation, scene: Scene): string[] {
  const { login } = known
  if (login.outcome !== 'ok' || one.began < Math.max(login.ended, known.renewed) || one.ended > known.blurred) return []
  if (one.outcome !== 'gone' && !(one.outcome === 'ok' && one.session !== known.sid)) return []
  // Whoever holds on with the secret before is cut off.
  if (known.renewed > 0 && one.reason === 'superseded') return []
  if (known.absolute !== undefined && one.endedAt > login.beganAt + known.absolute - 1_500) return []
  if (scene.losses.some((loss) => loss > known.born && loss < one.ended)) return []
  if (scene.ends.some((end) => isEndedBy(end, known, one))) return []
  if (scene.max !== undefined && scene.known.reduce((sum, other) => sum + displacing(other, known), 0) >= scene.max) return []
  return [`ended falsely: #${one.id} ${describeOperation(one)} in the session of #${login.id}`]
}

function isEndedBy({ operation, user, kept }: End, known: Known, one: Operation): boolean {
  return user === known.user && kept !== known && operation.ended > known.begun && operation.began < one.ended
}

/**
 * How many sessions of another login may have pushed one out: a login that began before another was over may be the older one. A creation that
 * took several attempts may have left sessions that nobody can open.
 */
function displacing(other: Known, known: Known): number {
  if (other.user !== known.user) return 0
  const { outcome, ended, endedAt, beganAt } = other.login
  const failedAttempts = other.isCreated && endedAt - beganAt > 400 ? 3 : 0
  if (other === known) return failedAttempts
  const isBound = outcome !== 'failed' && (ended > known.begun || outcome === 'unknown')
  return failedAttempts + (isBound ? 1 : 0)
}

/** Only what is bound to the user is listed, and all of it that lives. */
function checkList({ operation, user }: Scene['lists'][number], scene: Scene): string[] {
  if (operation.outcome !== 'ok') return []
  const listed = operation.value as string[]
  const found: string[] = []
  for (const sid of listed) {
    const known = scene.known.find((one) => one.sid === sid && one.user === user)
    const isUnnamed = scene.known.some((one) => one.sid === '' && one.user === user)
    if (known === undefined) {
      if (!isUnnamed && scene.isFair) found.push(`wrong listing: #${operation.id} lists a session of nobody`)
      continue
    }
    const attempts = scene.known.filter((one) => one.sid === sid && one.user === user)
    if (attempts.every(({ login }) => login.outcome === 'failed' && login.ended < operation.began)) {
      found.push(`wrong listing: #${operation.id} lists a session that was never bound`)
    }
    if (known.destroyed && known.destroyed.ended < operation.began)
      found.push(`wrong listing: #${operation.id} lists a destroyed session`)
    const ended = scene.ends.find(
      (end) =>
        end.operation.outcome === 'ok' &&
        end.kept !== known &&
        end.operation.ended < operation.began &&
        isBoundBefore(known, end.user, end.operation.began),
    )
    if (ended) found.push(`wrong listing: #${operation.id} lists a session that #${ended.operation.id} has ended`)
  }
  for (const known of scene.known) {
    if (!isBoundBefore(known, user, operation.began) || listed.includes(known.sid)) continue
    const later = known.uses.find((one) => one.began > operation.ended && works(one, known))
    if (later) found.push(`not listed: #${operation.id} lacks the session of #${known.login.id}, which #${later.id} uses`)
  }
  return found
}

/** At the end, no more than the limit allows work, unless a login was never answered; and no fewer. */
function checkLimit(user: string, history: History, scene: Scene): string[] {
  const { max } = scene
  if (max === undefined) return []
  const mine = scene.known.filter((known) => known.user === user)
  const logins = history.operations.filter((one) => one.kind === 'login' && one.field === user)
  const uncertain = logins.filter((one) => one.outcome !== 'ok' && one.outcome !== 'gone').length
  const working = mine.filter((known) => known.token !== '' && works(known.uses.at(-1), known))
  if (working.length > max + uncertain) return [`over the limit: ${working.length} of ${user}'s sessions work, and ${max} may`]
  const isQuiet =
    uncertain === 0 &&
    scene.losses.length === 0 &&
    scene.ends.every((end) => end.user !== user) &&
    mine.every((known) => known.absolute === undefined && known.blurred === Number.POSITIVE_INFINITY)
  const least = Math.min(max, mine.length)
  if (isQuiet && working.length < least) return [`too few: ${working.length} of ${user}'s sessions work, and ${least} should`]
  return []
}

function isBoundBefore(known: Known, user: string, moment: number): boolean {
  return known.user === user && known.login.outcome === 'ok' && known.login.ended < moment
}

/** It took effect in the session itself, and not in one that began anew. */
function works(operation: Operation | undefined, known: Known): boolean {
  return operation?.outcome === 'ok' && operation.session === known.sid
}
