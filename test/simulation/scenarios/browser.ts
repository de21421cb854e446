import { resumeFor } from '../../../packages/fieldwise/src/lib/session/sessions.js'
import { checkDeadlines, checkField } from '../checker.js'
import { type History, type Operation, onField, onSession } from '../history.js'
import type { Scenario } from '../scenario.js'
import { defaultDeadlines, listFields, type SimulatedSession, type SimulatedSessions, sessionsOn, Visitor } from '../visitor.js'
import { clearUp, drawFaults, scheduleAccidents } from '../weather.js'
import type { Host, World } from '../world.js'

/**
 * One visitor's browser, with a cookie jar and impatience: it logs in, clicks twice, and loses answers. Cookies are applied in the order in
 * which answers arrive. A late answer never logs the visitor out, an old cookie opens nothing, and nobody is locked out for longer than a
 * minute.
 */
export const browser: Scenario = {
  name: 'browser',
  play: async (world, history) => {
    const scene = await begin(world, history)
    world.setFaults(drawFaults(world.random))
    scheduleAccidents(world, scene.hosts, 20_000)
    await clickAround(world, history, scene)
    await clearUp(world)
    return [
      ...(await lookAtTheEnd(world, history, scene)),
      ...scene.requests.flatMap((request) => checkRequest(request, scene)),
      ...scene.refused.flatMap((asked) => checkRefused(asked, history)),
      ...listFields.flatMap((field) => checkField(onField(onSession(history.operations, scene.sid), field))),
      ...checkDeadlines(history.operations, defaultDeadlines),
    ]
  },
}

interface Scene {
  readonly hosts: readonly Host[]
  readonly systems: readonly SimulatedSessions[]
  /** The session that the visitor began with. */
  readonly sid: string
  readonly jar: { cookie: string }
  readonly requests: Request[]
  /** The rotations that were acknowledged, in order. */
  readonly rotations: Rotation[]
  /** Rotations of unknown outcome that were called again, and found another secret. */
  readonly refused: (readonly [first: Operation, last: Operation])[]
  /** How long the secret before works on after a login, in whole seconds. */
  readonly grace: number
  /** An answer with a newer cookie was lost or came very late, or nobody can tell whether there is a newer one. */
  isCookieLost: boolean
}

interface Rotation {
  /** The cookie that it made an old one. */
  readonly old: string
  /** When it was asked for and when it was acknowledged, in virtual time. */
  readonly beganAt: number
  readonly endedAt: number
  /** When it was acknowledged, in the order of all beginnings and ends. */
  readonly ended: number
}

interface Request {
  readonly cookie: string
  readonly arrived: number
  readonly arrivedAt: number
  readonly operations: Operation[]
  /** What the answer does to the jar; undefined leaves it as it is. */
  setCookie: string | undefined
}

/** For how long an old secret is a superseded one, and what two processes' readings of the server's clock may differ by. */
const supersededFor = 60_000
const clockSlack = 2_500
/** The patience of a call, and the flight in which it ends. */
const longestCall = 2_500

async function begin(world: World, history: History): Promise<Scene> {
  const { random } = world
  const traits = { reportsTtl: random.chance(0.5) }
  const hosts = Array.from({ length: 1 + random.below(3) }, () => world.host({ traits, skew: random.pick([-3.6e6, 0, 3.6e6]) }))
  const systems = hosts.map((host) => sessionsOn(host))
  const session = (systems[0] as SimulatedSessions).resume()
  await new Visitor(hosts[0] as Host, history, session).set('a')
  const visitor = { sid: session.id as string, jar: { cookie: session.token as string }, isCookieLost: false }
  return { hosts, systems, requests: [], rotations: [], refused: [], ...visitor, grace: random.pick([0, 0, 0, 10]) }
}

async function clickAround(world: World, history: History, scene: Scene): Promise<void> {
  const { random } = world
  const underWay: Promise<void>[] = []
  for (let clicks = 2 + random.below(7); clicks > 0; clicks--) {
    const page = random.weighted({ look: 3, write: 3, login: 3 })
    const times = random.chance(0.3) ? 2 : 1
    for (let time = 0; time < times; time++) underWay.push(click(world, history, scene, page))
    if (random.chance(0.4)) await underWay.at(-1)
    await world.sleep(random.pick([0, 5, 50, 500, 5_000, 90_000]) * random.next())
  }
  await Promise.all(underWay)
}

type Page = 'look' | 'write' | 'login'

/** One request with the cookie of this moment; it arrives and is answered some time later, or is lost on either way. */
async function click(world: World, history: History, scene: Scene, page: Page): Promise<void> {
  const { random } = world
  const { cookie } = scene.jar
  await travel(world)
  const index = random.below(scene.hosts.length)
  const host = scene.hosts[index] as Host
  if (random.chance(0.05) || host.crashed) return
  const request: Request = {
    cookie,
    arrived: history.moment(),
    arrivedAt: world.now,
    operations: [],
    setCookie: undefined,
  }
  scene.requests.push(request)
  await answer(world, scene, page, request, new Visitor(host, history, sessionFor(scene, index, request)))
  // Headers leave with the answer: what changes later sets no cookie any more.
  const { setCookie } = request
  await travel(world)
  if (setCookie === undefined) return
  if (random.chance(0.1) || host.crashed) scene.isCookieLost = true
  else takeCookie(world, scene, setCookie)
}

function takeCookie(world: World, scene: Scene, cookie: string): void {
  world.log(() => `browser  puts cookie …${cookie.slice(-6)} in the place of …${scene.jar.cookie.slice(-6)}`)
  scene.jar.cookie = cookie
}

function travel(world: World): Promise<void> {
  return world.sleep(world.random.pick([1, 20, 200, 2_000, 15_000]) * world.random.next())
}

async function answer(world: World, scene: Scene, page: Page, request: Request, visitor: Visitor): Promise<void> {
  const { random } = world
  // A request may come long before its session is used: an upload, for one.
  if (random.chance(0.1)) await world.sleep(random.between(0, 40_000))
  const did = async (operation: Promise<Operation>) => {
    request.operations.push(await operation)
  }
  if (page === 'look') await did(visitor.get('a'))
  if (page === 'write') await did(random.chance(0.5) ? visitor.update('a') : visitor.set('b'))
  if (page === 'login') {
    await did(logIn(scene, request, visitor))
    if (random.chance(0.7)) await did(visitor.set('c'))
  }
  if (random.chance(0.5)) await did(visitor.get('a'))
  if (random.chance(0.3)) await world.sleep(random.between(0, 100))
}

/** Changes the secret and, where it cannot be told whether that was done, asks once more. */
async function logIn(scene: Scene, request: Request, visitor: Visitor): Promise<Operation> {
  const options = scene.grace > 0 ? { grace: `${scene.grace}s` as const } : {}
  const first = await visitor.regenerate(options)
  const last = first.outcome === 'unknown' ? await visitor.regenerate(options) : first
  if (first.outcome === 'unknown' && last.outcome !== 'ok') scene.isCookieLost = true
  if (last.reason === 'superseded' && first !== last) scene.refused.push([first, last])
  if (last.outcome === 'ok' && request.setCookie && sidOf(request.setCookie) === sidOf(request.cookie)) {
    scene.rotations.push({ old: request.cookie, beganAt: first.beganAt, endedAt: last.endedAt, ended: last.ended })
  }
  return last
}

/** As an adapter does it: the answer sets a cookie where the token has changed. */
function sessionFor(scene: Scene, index: number, request: Request): SimulatedSession {
  return resumeFor(scene.systems[index] as SimulatedSessions, [request.cookie], {
    beforeChange: () => {},
    changed: (change) => {
      if (change.type === 'ended') return
      request.setCookie = change.token
    },
  })
}

/** The visitor is still logged in, unless a newer cookie was lost; and whoever lost one can begin anew. */
async function lookAtTheEnd(world: World, history: History, scene: Scene): Promise<string[]> {
  const host = world.host()
  const sessions = sessionsOn(host)
  const found: string[] = []
  const opened = await sessions.open(scene.jar.cookie)
  const mayBeLost = scene.isCookieLost || scene.requests.some((request) => mayBeginAnew(request, scene))
  if (opened?.id !== scene.sid && !mayBeLost)
    found.push('logged out: every answer has arrived, but the cookie does not open the session')
  const session = sessions.resume(scene.jar.cookie)
  const write = await new Visitor(host, history, session).set('d')
  if (write.outcome !== 'ok') found.push(`locked out: #${write.id} ${write.code} ${write.reason} long after the last rotation`)
  else if (!(await sessions.open(session.token as string))) found.push('locked out: what was begun anew does not open')
  return found
}

/** Whether a request came so late with an old cookie that it is right to begin a new session, which takes the place of the other. */
function mayBeginAnew(request: Request, scene: Scene): boolean {
  return rotationsOf(request.cookie, scene).some((rotation) => request.arrivedAt > rotation.beganAt + supersededFor - clockSlack)
}

function rotationsOf(cookie: string, scene: Scene): Rotation[] {
  return scene.rotations.filter((rotation) => sidOf(rotation.old) === sidOf(cookie))
}

function checkRequest(request: Request, scene: Scene): string[] {
  return [...checkVerified(request, scene), ...checkOld(request, scene)]
}

/** Whoever was verified before a rotation goes on for as long as a call may take; but does not change the secret a second time. */
function checkVerified(request: Request, scene: Scene): string[] {
  const first = request.operations.findIndex(
    (operation) => operation.outcome === 'ok' && operation.session === sidOf(request.cookie),
  )
  const later = first === -1 ? [] : request.operations.slice(first + 1)
  const refused = later.find((operation) => operation.reason === 'superseded')
  if (refused === undefined || later.some((operation) => operation.kind === 'regenerate')) return []
  const rotations = scene.requests.flatMap(({ operations }) => operations).filter(({ kind }) => kind === 'regenerate')
  const isDue = rotations.some(({ beganAt }) => beganAt + longestCall <= refused.endedAt)
  return isDue ? [] : [`interrupted: #${refused.id} was superseded in a request that had been verified`]
}

/** A rotation that is asked for again is refused by those of others, never by its own. */
function checkRefused([first, last]: Scene['refused'][number], { operations }: History): string[] {
  const others = operations.filter((one) => one.kind === 'regenerate' && one !== first && one !== last)
  const isOthers = others.some((one) => one.outcome !== 'gone' && one.outcome !== 'failed' && one.beganAt < last.endedAt)
  return isOthers ? [] : [`logged out: #${last.id} was refused by what #${first.id} had stored`]
}

/** What a request with an old cookie may do: nothing; for a minute it sets no cookie either; afterwards it begins anew. */
function checkOld(request: Request, scene: Scene): string[] {
  const replaced = scene.rotations.find((rotation) => rotation.old === request.cookie)
  if (!replaced || request.arrived < replaced.ended) return []
  const isInGrace = request.arrivedAt < replaced.endedAt + scene.grace * 1_000 + clockSlack && scene.grace > 0
  if (isInGrace) return []
  const found: string[] = []
  const sid = sidOf(request.cookie)
  const entered = request.operations.find((operation) => operation.outcome === 'ok' && operation.session === sid)
  if (entered) found.push(`an old cookie opened the session: #${entered.id} ${entered.kind}`)
  const seen = request.operations.find(
    (operation) => operation.kind === 'get' && operation.value !== undefined && !operation.session,
  )
  if (seen) found.push(`an old cookie showed a value: #${seen.id}`)
  return [...found, ...checkMinute(request, scene)]
}

function checkMinute(request: Request, scene: Scene): string[] {
  const found: string[] = []
  const rotations = rotationsOf(request.cookie, scene).filter((rotation) => rotation.ended < request.arrived)
  const isSuperseded = rotations.some((rotation) => request.arrivedAt < rotation.beganAt + supersededFor - clockSlack)
  const everyEnd = Math.max(...scene.rotations.map((rotation) => rotation.endedAt))
  const isStranger = request.arrivedAt > everyEnd + supersededFor + clockSlack && !scene.isCookieLost
  if (isSuperseded && request.setCookie) found.push(`a superseded request set a cookie over the newer one: ${listOf(request)}`)
  const wrote = request.operations.find((operation) => operation.kind !== 'get' && operation.outcome === 'ok')
  if (isSuperseded && wrote) found.push(`a superseded request wrote: #${wrote.id} ${wrote.kind}`)
  const refused = request.operations.find((operation) => operation.reason === 'superseded')
  if (isStranger && refused) found.push(`locked out: #${refused.id} more than a minute after the last rotation`)
  return found
}

function listOf(request: Request): string {
  return request.operations.map((operation) => `#${operation.id} ${operation.kind}`).join(', ')
}

function sidOf(token: string): string {
  return token.slice(0, token.indexOf('.'))
}
