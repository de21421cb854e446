import { parentPort, workerData } from 'node:worker_threads'
import { type Failure, playHistories } from './scenario.js'
import { scenarioNamed } from './scenarios/index.js'

/** A share of a run, played in a thread of its own. */
export interface Share {
  readonly scenario: string
  readonly runSeed: number
  /** The first history of the share, from 0. */
  readonly first: number
  readonly count: number
  /** How many failures end it. */
  readonly most: number
}

export interface Played {
  readonly failures: readonly Failure[]
}

const { scenario, runSeed, first, count, most } = workerData as Share
const failures = await playHistories(scenarioNamed(scenario), runSeed, first, count, most)
parentPort?.postMessage({ failures } satisfies Played)
