import type { History, Operation } from '../history.js'
import { type SimulatedSession, type SimulatedSessions, sessionsOn, Visitor } from '../visitor.js'
import type { Host, World } from '../world.js'
import { type Known, pick, type Scene } from './scene.js'

/** What one visitor after another does. */
export async function act(world: World, history: History, scene: Scene): Promise<void> {
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

/** The process that does it. */
export interface At {
  readonly host: Host
  readonly system: SimulatedSessions
}

async function logIn(world: World, history: History, scene: Scene, user: string, at: At): Promise<void> {
  const { random } = world
  const absolute = random.chance(0.15) ? random.pick([5_000, 30_000]) : undefined
  if (random.chance(0.5)) return createFor(history, scene, user, at, absolute)
  const visitor = new Visitor(at.host, history, at.system.resume())
  const born = history.moment()
  const isStored = random.chance(0.7)
  if (isStored && (await visitor.set('a')).outcome !== 'ok') return
  return regenerateFor(history, scene, user, visitor, at, { born, absolute, isPatient: random.chance(0.7) })
}

/** A session that begins with the login. `absolute` is how long it lives, if it is to be short. */
export async function createFor(history: History, scene: Scene, user: string, at: At, absolute?: number): Promise<void> {
  const born = history.moment()
  let session: SimulatedSession | undefined
  const login = await history.record(at.host, 'login', user, async () => {
    session = await at.system.create({}, { user, ...lifetimeOf(absolute) })
  })
  add(history, scene, { user, born, begun: login.began, login, isCreated: true, absolute }, session, at)
}

/** A session that there was before. */
export async function regenerateFor(
  history: History,
  scene: Scene,
  user: string,
  { session }: Visitor,
  at: At,
  { born, absolute, isPatient = false }: Visit,
): Promise<void> {
  const regenerate = () => history.record(at.host, 'login', user, () => session.regenerate({ user, ...lifetimeOf(absolute) }))
  const first = await regenerate()
  const last = first.outcome === 'unknown' && isPatient ? await regenerate() : first
  // What cannot be told of the first is told by the second only where it succeeds.
  const login = last.outcome === 'ok' ? last : first
  add(history, scene, { user, born, begun: first.began, login, isCreated: false, absolute }, session, at)
}

interface Visit {
  /** When the session was created at the earliest. */
  readonly born: number
  /** How long it lives from the login on, if that is short. */
  readonly absolute?: number | undefined
  /** Where the outcome is unknown, the call is made again. */
  readonly isPatient?: boolean
}

function lifetimeOf(absolute: number | undefined) {
  return absolute === undefined ? {} : ({ lifetime: { idle: `${absolute}ms`, absolute: `${absolute}ms` } } as const)
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

/** When all is quiet, each session is used once more, and listed. */
export async function lookAtTheEnd(world: World, history: History, scene: Scene): Promise<void> {
  const host = world.host({ fleet: true })
  const system = sessionsOn(host)
  for (const known of scene.known) {
    if (known.token === '') continue
    const visitor = new Visitor(host, history, system.resume(known.token))
    known.uses.push(await visitor.get('a'))
  }
  for (const user of scene.names) await list(history, scene, user, { host, system })
}
