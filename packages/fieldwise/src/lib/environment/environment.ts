import { randomBytes } from 'node:crypto'
import { runningClock } from './running-clock.js'

/** Where the core takes time, chance and waiting from, so that a test can decide them. The clock of stored times is the store's. */
export interface Environment {
  /** Milliseconds that only ever grow; for the time since something (D4). */
  monotonic(): number
  /** Milliseconds that only grow while this process runs; for deadlines (D1). */
  running(): number
  /** Cryptographically strong random bytes. */
  bytes(size: number): Buffer
  /** A number in [0, 1) for jitter. */
  random(): number
  /** Waits on the running clock. With `idly` the wait does not keep the process alive, as for a timeout. */
  sleep(milliseconds: number, idly?: boolean): Promise<void>
}

export const systemEnvironment: Environment = {
  monotonic: () => performance.now(),
  running: () => runningClock.now(),
  bytes: (size) => randomBytes(size),
  random: () => Math.random(),
  sleep: (milliseconds, idly = false) => runningClock.sleep(milliseconds, idly),
}

/**
 * The same with the global `performance` of this moment, which may be a test's. It is looked up once: the global is a getter, and each look-up
 * would cost a quarter of a reading.
 */
export function currentEnvironment(): Environment {
  const clock = performance
  return { ...systemEnvironment, monotonic: () => clock.now() }
}
