import { checkCounter, checkDeadlines, checkField } from '../checker.js'
import { type History, onField } from '../history.js'
import { calm } from '../network.js'
import type { Random } from '../random.js'
import type { Scenario } from '../scenario.js'
import { defaultDeadlines, type SimulatedSession, sessionsOn, Visitor } from '../visitor.js'
import { clearUp } from '../weather.js'
import type { Host, World } from '../world.js'

/**
 * The network and the server do all they should, but the processes stand still again and again: while they connect, before they send, between
 * the arrival of an answer and its reading, between two round trips. None of it is the server's fault, so every call ends well (D1 to D3).
 */
export const stalls: Scenario = {
  name: 'stalls',
  async play(world, history) {
    const { random } = world
    // Of the slower networks of other scenarios one packet in 100,000 takes 240 ms: a few of those use a deadline up by themselves.
    world.setFaults({ ...calm, latency: random.pick([0.2, 1, 5, 10]), split: random.pick([0, 0.4]) })
    const hosts = Array.from({ length: 1 + random.below(3) }, () => world.host({ beats: true }))
    for (const host of hosts) void stallAgainAndAgain(world, host)
    const home = sessionsOn(hosts[0] as Host)
    const begun = await history.record(hosts[0] as Host, 'create', '*', () => home.create({ visits: 0 }))
    if (begun.outcome !== 'ok') return [`false outage: create ended with ${begun.code}`]
    const { token = '' } = begun.value as SimulatedSession
    await Promise.all(hosts.map((host) => callFrom(world, history, host, token)))
    await clearUp(world)
    const last = world.host()
    const end = await new Visitor(last, history, sessionsOn(last).resume(token)).count()
    return [
      ...history.operations
        .filter(({ outcome }) => outcome !== 'ok')
        .map(({ id, kind, code }) => `false outage: #${id} ${kind} ended with ${code}`),
      ...checkField(onField(history.operations, 'a'), []),
      ...checkCounter(onField(history.operations, 'visits'), end.value as number),
      ...checkDeadlines(history.operations, defaultDeadlines),
    ]
  },
}

/** Lengths in milliseconds: below any timeout, above that of a flight, above that of a call. */
const lengths = [3, 40, 600, 2_500, 5_000]

/** Each stall is charged with a little, so that no call outlives any number of them: they come four at a time at most, and then a second of running. */
const mostInARow = 4

async function stallAgainAndAgain(world: World, host: Host): Promise<void> {
  const { random } = world
  const often = random.pick([2, 30, 300])
  for (let count = 0; count < 30; count++) {
    if (count > 0 && count % mostInARow === 0) await world.sleep(1_000)
    await world.sleep(random.between(0, often))
    host.pause(random.pick(lengths))
    while (host.pausedUntil > world.now) await world.sleep(host.pausedUntil - world.now)
  }
}

async function callFrom(world: World, history: History, host: Host, token: string): Promise<void> {
  const sessions = sessionsOn(host)
  for (let left = 8; left > 0; left--) {
    const visitor = new Visitor(host, history, sessions.resume(token))
    await Promise.all(Array.from({ length: 1 + world.random.below(3) }, () => callOne(world.random, visitor)))
    await world.sleep(world.random.between(0, 100))
  }
}

function callOne(random: Random, visitor: Visitor): Promise<unknown> {
  switch (random.weighted({ get: 3, update: 3, set: 1, increment: 2, getAll: 1 })) {
    case 'get':
      return visitor.get('a')
    case 'update':
      return visitor.update('a')
    case 'set':
      return visitor.set('a')
    case 'increment':
      return visitor.increment()
    default:
      return visitor.getAll()
  }
}
