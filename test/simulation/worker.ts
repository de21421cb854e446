import { parentPort, workerData } from 'node:worker_threads'
import { playHistories } from './scenario.js'
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

const { scenario, runSeed, first, count, most } = workerData as Share
parentPort?.postMessage(await playHistories(scenarioNamed(scenario), runSeed, first, count, most))
