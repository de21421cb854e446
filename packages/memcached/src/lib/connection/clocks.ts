import { performance } from 'node:perf_hooks'
import type { StoreHost } from 'fieldwise/store-contract'

/** The clocks that a connection goes by. */
export interface Clocks extends Pick<StoreHost, 'running' | 'sleep'> {
  /** Milliseconds that only ever grow, for the time since something. It may stand still while the machine sleeps. */
  monotonic(): number
  /** The time of day as this machine has it. It may be set. */
  wall(): number
}

/** A point in time on both clocks that go on by themselves. */
export interface Moment {
  readonly monotonic: number
  readonly wall: number
}

const { now } = Date

/** Those of this process, deadlines apart, whatever a test has put in the place of the global ones. */
export const systemClocks: Pick<Clocks, 'monotonic' | 'wall'> = { monotonic: () => performance.now(), wall: now }
