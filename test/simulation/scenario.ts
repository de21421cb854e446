import { History } from './history.js'
import { historySeed } from './random.js'
import { World } from './world.js'

/** One kind of history. `play` runs it in virtual time and says what was wrong. */
export interface Scenario {
  readonly name: string
  play(world: World, history: History): Promise<string[]>
}

export interface Failure {
  readonly scenario: string
  readonly seed: number
  /** Which history of the run it was, from 1. */
  readonly history: number
  readonly violations: readonly string[]
}

/** Plays the history of one seed. The same seed always gives the same history. */
export async function playHistory(scenario: Scenario, seed: number, trace?: (line: string) => void): Promise<string[]> {
  const world = new World(trace ? { seed, trace } : { seed })
  const history = new History(world)
  const violations: string[] = []
  const unhandled = (reason: unknown) => violations.push(`unhandled rejection: ${String(reason)}`)
  const { stackTraceLimit } = Error
  process.on('unhandledRejection', unhandled)
  // Stack traces of the many errors that are meant to happen cost a tenth of the time.
  if (!trace) Error.stackTraceLimit = 0
  try {
    const play = scenario.play(world, history).then((found) => {
      violations.push(...found)
    })
    if (!(await world.play(play))) violations.push('hung: nothing is left to happen, but calls are still waiting')
  } finally {
    Error.stackTraceLimit = stackTraceLimit
    process.off('unhandledRejection', unhandled)
  }
  return [...history.surprises, ...violations]
}

/** Plays `count` histories of a run, from the `first`; stops at `most` failures. */
export async function playHistories(
  scenario: Scenario,
  runSeed: number,
  first: number,
  count: number,
  most = 1,
): Promise<Failure[]> {
  const failures: Failure[] = []
  for (let index = first; index < first + count && failures.length < most; index++) {
    const seed = historySeed(runSeed, scenario.name, index)
    const violations = await playHistory(scenario, seed)
    if (violations.length > 0) failures.push({ scenario: scenario.name, seed, history: index + 1, violations })
  }
  return failures
}

export function describeFailure(failure: Failure): string {
  const { scenario, seed, history, violations } = failure
  return [
    `${scenario}, seed ${seed} (history ${history}):`,
    ...violations.map((violation) => `  ${violation}`),
    `  replay: node test/simulation/launch.mjs replay ${scenario} ${seed}`,
  ].join('\n')
}
