import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { describeFailure, type Failure } from './scenario.js'
import { scenarios } from './scenarios/index.js'
import type { Played, Share } from './worker.js'

const fullSize = 100_000
const mostFailures = 10

/** Plays each scenario at full size, on as many threads as there are processors, and prints a table. */
export async function main([size = `${fullSize}`, ...names]: string[]): Promise<number> {
  const runSeed = seedFromEnvironment()
  const chosen = scenarios.filter((scenario) => names.length === 0 || names.includes(scenario.name))
  console.log(`seed ${runSeed}: repeat with FIELDWISE_SEED=${runSeed}\n`)
  console.log(row('scenario', 'histories', 'violations', 'a second'))
  let failed = 0
  for (const { name } of chosen) {
    const start = performance.now()
    const failures = await playOnThreads(name, runSeed, Number(size))
    const rate = Math.round(Number(size) / ((performance.now() - start) / 1000))
    console.log(row(name, size, failures.length < mostFailures ? `${failures.length}` : `>= ${failures.length}`, `${rate}`))
    for (const failure of failures.slice(0, 3)) console.log(describeFailure(failure))
    failed += failures.length
  }
  return failed === 0 ? 0 : 1
}

export function seedFromEnvironment(): number {
  return Number(process.env.FIELDWISE_SEED ?? Math.floor(Math.random() * 0x1_0000_0000))
}

async function playOnThreads(scenario: string, runSeed: number, count: number): Promise<Failure[]> {
  const threads = availableParallelism()
  const share = Math.ceil(count / threads)
  const shares = Array.from({ length: threads }, (_, thread): Share => {
    const first = thread * share
    return { scenario, runSeed, first, count: Math.max(0, Math.min(share, count - first)), most: mostFailures }
  })
  return (await Promise.all(shares.map((one) => playOnThread(one)))).flat()
}

/** Plays a share of a run in a thread. `folder` holds the compiled simulation: this one's own, or one with another core. */
export function playOnThread(share: Share, folder = new URL('.', import.meta.url)): Promise<readonly Failure[]> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('worker.js', folder), { workerData: share })
    worker.once('message', (played: Played) => resolve(played.failures))
    worker.once('error', reject)
  })
}

function row(...cells: string[]): string {
  return cells.map((cell, index) => (index === 0 ? cell.padEnd(18) : cell.padStart(12))).join('')
}
