import { performance } from 'node:perf_hooks'
import type { StoreHost } from 'fieldwise/store-contract'

/** The clocks that a connection uses. */
export interface Clocks extends Pick<StoreHost, 'running' | 'sleep'> {
  /** Milliseconds that only ever grow, for the time since something. It may stand still while the machine sleeps. */
  monotonic(): number
  /** This machine's time of day, in milliseconds since 1970. Somebody may set it. */
  wall(): number
}

/** A point in time on the two clocks that do not stand still with the process. */
export interface Moment {
  readonly monotonic: number
  readonly wall: number
}

const { now } = Date

/** The clocks of this process, without those for deadlines. Taken when this is loaded, so that a test's fake clocks do not reach them. */
export const systemClocks: Pick<Clocks, 'monotonic' | 'wall'> = { monotonic: () => performance.now(), wall: now }
