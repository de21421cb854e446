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

/** What one history came to. */
export interface Outcome {
  readonly violations: readonly string[]
  readonly calls: number
  /** How many of the calls ended in `OUTCOME_UNKNOWN`. */
  readonly unknown: number
}

/** Plays the history of one seed. The same seed always gives the same history. */
export async function playHistory(scenario: Scenario, seed: number, trace?: (line: string) => void): Promise<Outcome> {
  const world = new World(trace ? { seed, trace } : { seed })
  const history = new History(world)
  const violations = await playOut(scenario, world, history, trace !== undefined)
  const unknown = history.operations.filter((operation) => operation.code === 'OUTCOME_UNKNOWN').length
  return { violations: [...history.surprises, ...violations], calls: history.operations.length, unknown }
}

async function playOut(scenario: Scenario, world: World, history: History, isTraced: boolean): Promise<string[]> {
  const violations: string[] = []
  const unhandled = (reason: unknown) => violations.push(`unhandled rejection: ${String(reason)}`)
  const { stackTraceLimit } = Error
  process.on('unhandledRejection', unhandled)
  // Stack traces of the many errors that are meant to happen cost a tenth of the time.
  if (!isTraced) Error.stackTraceLimit = 0
  try {
    const play = scenario.play(world, history).then((found) => {
      violations.push(...found)
    })
    if (!(await world.play(play))) violations.push('hung: nothing is left to happen, but calls are still waiting')
  } catch (error) {
    violations.push(`broke off: ${error instanceof Error ? error.stack : String(error)}`)
  } finally {
    Error.stackTraceLimit = stackTraceLimit
    process.off('unhandledRejection', unhandled)
  }
  return violations
}

/** What many histories came to. */
export interface Played {
  readonly failures: readonly Failure[]
  readonly histories: number
  readonly calls: number
  readonly unknown: number
}

/** Plays `count` histories of a run, from the `first`, counted from 0; stops at `most` failures. */
export async function playHistories(
  scenario: Scenario,
  runSeed: number,
  first: number,
  count: number,
  most: number,
): Promise<Played> {
  const failures: Failure[] = []
  let [calls, unknown, index] = [0, 0, first]
  while (index < first + count && failures.length < most) {
    const seed = historySeed(runSeed, scenario.name, index++)
    const outcome = await playHistory(scenario, seed)
    calls += outcome.calls
    unknown += outcome.unknown
    if (outcome.violations.length === 0) continue
    failures.push({ scenario: scenario.name, seed, history: index, violations: outcome.violations })
  }
  return { failures, histories: index - first, calls, unknown }
}

export function describeFailure(failure: Failure): string {
  const { scenario, seed, history, violations } = failure
  return [
    `${scenario}, seed ${seed} (history ${history}):`,
    ...violations.map((violation) => `  ${violation}`),
    `  replay: npm run replay -- ${scenario} ${seed}`,
  ].join('\n')
}
