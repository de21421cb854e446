import { randomBytes, randomUUID } from 'node:crypto'
import { memcachedStore } from '@fieldwise/memcached'
import type { MemcachedOptions, Servers } from '@fieldwise/memcached/servers'
import { createSessions } from 'fieldwise'
import { endNaive, raceSchema, readNaive, startNaive, visitor } from './contender.js'
import type { Course, Side } from './course.js'
import { Runner } from './runner.js'

export interface RaceOptions {
  readonly workers: number
  /** For each side, all workers together. */
  readonly increments: number
  /** For each worker. */
  readonly inFlight: number
  readonly signal: AbortSignal
  /** Called now and then with how many of `increments` are done. */
  readonly onProgress: (side: Side, done: number) => void
}

/** What became of one side's increments. */
export interface Outcome {
  readonly side: Side
  readonly sent: number
  /** What the session holds in the end. */
  readonly kept: number
  /** Acknowledged to the visitor and not kept. */
  readonly lost: number
  /** Answered with an error: the visitor knows. */
  readonly failed: number
  readonly milliseconds: number
}

/**
 * Runs one side after the other, so that neither slows the other down. Whatever happens, what it has stored is deleted in the end.
 *
 * @throws {AbortError} when the signal says so.
 */
export async function race(servers: Servers | undefined, options: MemcachedOptions, race: RaceOptions): Promise<Outcome[]> {
  const prefix = `fieldwise-race-${randomBytes(4).toString('hex')}:`
  await using sessions = createSessions({ schema: raceSchema, store: memcachedStore(servers, options), prefix })
  await using store = closing(memcachedStore(servers, options))
  const sid = store.place(randomUUID())
  const naive = { sid, key: `${prefix}${sid}:whole` }
  const session = await sessions.create({ ...visitor, visits: 0 })
  try {
    await startNaive(store, naive)
    const course: Course = { servers, options, prefix, token: session.token as string, naive }
    return [
      await run('naive', course, race, async () => (await readNaive(store, naive)).visits),
      await run('fieldwise', course, race, () => session.get('visits')),
    ]
  } finally {
    // One after the other, so that the second is tried whatever becomes of the first.
    await endNaive(store, naive).catch(() => {})
    await sessions.revoke(session.id as string)
  }
}

async function run(side: Side, course: Course, options: RaceOptions, visits: () => Promise<number>): Promise<Outcome> {
  const { workers, increments, inFlight, signal, onProgress } = options
  const tell = () => onProgress(side, sent(runners))
  const runners: Runner[] = shares(increments, workers).map(
    (share) => new Runner({ course, side, increments: share, inFlight }, signal, tell),
  )
  try {
    await Promise.all(runners.map((runner) => runner.ready))
    const started = performance.now()
    for (const runner of runners) runner.start()
    await Promise.all(runners.map((runner) => runner.done))
    const milliseconds = Math.round(performance.now() - started)
    return { ...outcomeOf(side, runners, await visits()), milliseconds }
  } finally {
    // Before anything is deleted, so that nobody writes after it.
    await Promise.all(runners.map((runner) => runner.stop()))
  }
}

function outcomeOf(side: Side, runners: readonly Runner[], kept: number) {
  const acknowledged = sum(runners.map(({ progress }) => progress.acknowledged))
  const failed = sum(runners.map(({ progress }) => progress.failed))
  return { side, sent: acknowledged + failed, kept, lost: Math.max(0, acknowledged - kept), failed }
}

function sent(runners: readonly Runner[]): number {
  return sum(runners.map(({ progress }) => progress.acknowledged + progress.failed))
}

/** As equal as whole numbers can be. */
function shares(whole: number, parts: number): number[] {
  return Array.from({ length: parts }, (_, index) => Math.floor((whole + index) / parts))
}

function sum(figures: readonly number[]): number {
  return figures.reduce((total, figure) => total + figure, 0)
}

function closing<T extends { close(): Promise<void> }>(store: T): T & AsyncDisposable {
  return Object.assign(store, { [Symbol.asyncDispose]: () => store.close() })
}
