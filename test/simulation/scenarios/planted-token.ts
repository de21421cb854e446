import { checkDeadlines } from '../checker.js'
import type { History, Operation } from '../history.js'
import type { Scenario } from '../scenario.js'
import { defaultDeadlines, type SimulatedSession, type SimulatedSessions, sessionsOn, Visitor } from '../visitor.js'
import { clearUp, drawFaults, scheduleAccidents } from '../weather.js'
import type { Host, World } from '../world.js'

/**
 * Session fixation by a race: an attacker plants a valid token of his own in the victim's browser. The login touches that session, computes,
 * changes the secret and writes whose session it is, while the attacker changes the secret at any moment. Whatever he holds in the end
 * opens no session that the victim has logged in to.
 */
export const plantedToken: Scenario = {
  name: 'planted-token',
  play: async (world, history) => {
    const scene = await begin(world, history)
    world.setFaults(drawFaults(world.random))
    scheduleAccidents(world, scene.hosts, 2_000)
    const clicks = Array.from({ length: world.random.weighted({ '1': 3, '2': 1 }) === '1' ? 1 : 2 }, () =>
      click(world, history, scene),
    )
    await Promise.all([...clicks, ...Array.from({ length: 1 + world.random.below(3) }, () => attack(world, history, scene))])
    await clearUp(world)
    return [...(await lookAtTheEnd(world, history, scene)), ...checkDeadlines(history.operations, defaultDeadlines)]
  },
}

interface Scene {
  readonly hosts: readonly Host[]
  readonly systems: readonly SimulatedSessions[]
  /** The token that both have. */
  readonly planted: string
  /** All sessions that the attacker holds. */
  readonly attackers: { readonly session: SimulatedSession; readonly host: Host }[]
  /** The cookies that the victim's logins have issued, of logins that were carried out to the end. */
  readonly logins: string[]
}

async function begin(world: World, history: History): Promise<Scene> {
  const { random } = world
  const traits = { reportsTtl: random.chance(0.5), comparesVersions: random.chance(0.5) }
  const hosts = Array.from({ length: 1 + random.below(3) }, () => world.host({ traits }))
  const systems = hosts.map((host) => sessionsOn(host))
  const session = (systems[0] as SimulatedSessions).resume()
  await new Visitor(hosts[0] as Host, history, session).set('a')
  return { hosts, systems, planted: session.token as string, attackers: [{ session, host: hosts[0] as Host }], logins: [] }
}

/** One click on "log in", with the planted cookie. An app that is told of an error answers with it, and writes nothing. */
async function click(world: World, history: History, scene: Scene): Promise<void> {
  const { random } = world
  await world.sleep(random.pick([0, 50, 1_000]) * random.next())
  const { visitor } = request(world, history, scene)
  if (random.chance(0.8)) await visitor.get('a')
  await world.sleep(random.pick([1, 20, 250, 4_000]) * random.next())
  const rotation = visitor.regenerate()
  // Somebody who forgets to wait for it.
  const isAwaited = random.chance(0.8)
  const writing = isAwaited ? undefined : logIn(world, visitor)
  let rotated = await rotation
  if (isAwaited && rotated.outcome === 'unknown') rotated = await visitor.regenerate()
  if (isAwaited && rotated.outcome !== 'ok') return
  const written = await (writing ?? logIn(world, visitor))
  if (written.outcome === 'ok' && visitor.session.token) scene.logins.push(visitor.session.token)
}

/** Writes whose session it is from now on. */
function logIn(world: World, visitor: Visitor): Promise<Operation> {
  return world.random.chance(0.5) ? visitor.set('d') : visitor.update('d')
}

/** Some calls with the planted token, by a request that came before the login or comes in the middle of it. */
async function attack(world: World, history: History, scene: Scene): Promise<void> {
  const { random } = world
  const { visitor, host } = request(world, history, scene)
  scene.attackers.push({ session: visitor.session, host })
  if (random.chance(0.5)) await visitor.get('a')
  await world.sleep(random.pick([5, 100, 1_000, 4_000]) * random.next())
  for (let left = 1 + random.below(3); left > 0 && !host.crashed; left--) {
    const call = random.weighted({ regenerate: 4, get: 1, set: 1 })
    if (call === 'regenerate') await visitor.regenerate(random.chance(0.3) ? { grace: '1m' } : {})
    else await visitor[call](call === 'get' ? 'd' : 'a')
    await world.sleep(random.pick([0, 20, 1_000]) * random.next())
  }
}

function request(world: World, history: History, { hosts, systems, planted }: Scene): { visitor: Visitor; host: Host } {
  const index = world.random.below(hosts.length)
  const host = hosts[index] as Host
  return { visitor: new Visitor(host, history, (systems[index] as SimulatedSessions).resume(planted)), host }
}

/** What the attacker holds, continued where its outcome was unknown, opens nothing that a login has written to. */
async function lookAtTheEnd(world: World, history: History, scene: Scene): Promise<string[]> {
  const host = world.host()
  const sessions = sessionsOn(host)
  const found: string[] = []
  for (const { session, host: own } of scene.attackers) {
    if (!own.crashed) await session.regenerate().catch(() => {})
    for (const token of new Set([scene.planted, session.token])) {
      const seen = token && (await new Visitor(host, history, sessions.resume(token)).get('d'))
      if (seen && seen.value !== undefined) found.push(`takeover: #${seen.id} shows the attacker a session that was logged in to`)
    }
    const shown = own.crashed ? undefined : await session.get('d').catch(() => undefined)
    if (shown !== undefined) found.push('takeover: what the attacker kept open shows it')
  }
  for (const token of scene.logins) {
    const seen = await new Visitor(host, history, sessions.resume(token)).get('d')
    if (seen.value === undefined && scene.logins.length === 1) found.push('logged out: the cookie of the login does not open it')
  }
  return found
}
