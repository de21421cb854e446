import { checkDeadlines } from '../checker.js'
import type { Scenario } from '../scenario.js'
import { loseSome, restartBetween } from '../users/accidents.js'
import { act, lookAtTheEnd } from '../users/acts.js'
import { check } from '../users/checks.js'
import { begin } from '../users/scene.js'
import { defaultDeadlines } from '../visitor.js'
import { clearUp, drawFaults, scheduleAccidents } from '../weather.js'

/**
 * Users log in on several servers, use their sessions, list them, end them all or all but one, while servers evict and restart. What was
 * ended does not work any more, what logged in later does, lists say what is so, and nobody keeps more sessions than the limit allows.
 */
export const users: Scenario = {
  name: 'users',
  play: async (world, history) => {
    const faults = drawFaults(world.random)
    const scene = begin(world, faults.lose === 0 && world.random.chance(0.5))
    if (scene.isUnsafe && scene.systems.length > 1 && world.random.chance(0.3)) await restartBetween(world, history, scene)
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
