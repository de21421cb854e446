import { availableParallelism } from 'node:os'
import { Worker } from 'node:worker_threads'
import { describeFailure, type Played } from './scenario.js'
import { scenarios } from './scenarios/index.js'
import type { Share } from './worker.js'

const fullSize = 100_000
const mostFailures = 10

/** Plays each scenario at full size, on as many threads as there are processors, and prints a table. */
export async function main([size = `${fullSize}`, ...names]: string[]): Promise<number> {
  const runSeed = seedFromEnvironment()
  const chosen = scenarios.filter((scenario) => names.length === 0 || names.includes(scenario.name))
  console.log(`seed ${runSeed}: repeat with FIELDWISE_SEED=${runSeed}\n`)
  console.log(row('scenario', 'histories', 'violations', 'calls', 'unknown', 'a second'))
  let failed = 0
  for (const { name } of chosen) {
    const start = performance.now()
    const played = await playOnThreads(name, runSeed, Number(size))
    console.log(describePlayed(name, played, performance.now() - start))
    failed += played.failures.length
  }
  return failed === 0 ? 0 : 1
}

function describePlayed(name: string, { failures, histories, calls, unknown }: Played, took: number): string {
  const rate = Math.round(histories / (took / 1000))
  const line = row(name, `${histories}`, `${failures.length}`, `${calls}`, `${unknown}`, `${rate}`)
  return [line, ...failures.slice(0, 3).map(describeFailure)].join('\n')
}

export function seedFromEnvironment(): number {
  return Number(process.env.FIELDWISE_SEED ?? Math.floor(Math.random() * 0x1_0000_0000))
}

/** Each thread plays its share, and stops at {@link mostFailures}. */
async function playOnThreads(scenario: string, runSeed: number, count: number): Promise<Played> {
  const threads = availableParallelism()
  const share = Math.ceil(count / threads)
  const shares = Array.from({ length: threads }, (_, thread): Share => {
    const first = thread * share
    return { scenario, runSeed, first, count: Math.max(0, Math.min(share, count - first)), most: mostFailures }
  })
  return (await Promise.all(shares.map((one) => playOnThread(one)))).reduce(together)
}

function together(one: Played, other: Played): Played {
  return {
    failures: [...one.failures, ...other.failures],
    histories: one.histories + other.histories,
    calls: one.calls + other.calls,
    unknown: one.unknown + other.unknown,
  }
}

/** Plays a share of a run in a thread. `folder` holds the compiled simulation: this one's own, or one with another core. */
export function playOnThread(share: Share, folder = new URL('.', import.meta.url)): Promise<Played> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL('worker.js', folder), { workerData: share })
    worker.once('message', resolve)
    worker.once('error', reject)
  })
}

function row(...cells: string[]): string {
  return cells.map((cell, index) => (index === 0 ? cell.padEnd(18) : cell.padStart(12))).join('')
}
