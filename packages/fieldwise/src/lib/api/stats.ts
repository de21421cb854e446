/** What one `createSessions` has done since it was called. Counts only grow, so the difference between two readings is a rate. */
export interface SessionsStats {
  /** Calls that have ended, successfully or not. */
  readonly operations: number
  /** Round trips to the store. */
  readonly flights: number
  /** Reads that needed no request of their own: `open` had preloaded them, or another call's round trip brought the same fields. */
  readonly hits: number
  /** Times that a compare-and-swap failed because another write came first. */
  readonly conflicts: number
  /** Attempts of a write after its first, for whatever reason. */
  readonly retries: number
  /** Updates that were stored by another update's compare-and-swap. */
  readonly combined: number
  /** Sessions that ended because an item that they list is gone. */
  readonly lost: number
  /** Calls that ended in `OUTCOME_UNKNOWN`. */
  readonly unknown: number
  /** Renewals of a session's time to live that the store did not confirm. The next use of the session tries again; without any, it ends. */
  readonly failedRenewals: number
  /** How long calls took, in milliseconds, accurate to a tenth of the value. All are 0 before the first call. */
  readonly latency: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number }
}

/**
 * A histogram of durations with eight buckets to a doubling, so that any number of them takes the same memory.
 *
 * @internal
 */
export class Latencies {
  readonly #counts = new Float64Array(steps)
  #total = 0
  #max = 0

  /** @param duration in milliseconds */
  add(duration: number): void {
    this.#total++
    if (duration > this.#max) this.#max = duration
    const step = stepOf(duration)
    this.#counts[step] = (this.#counts[step] as number) + 1
  }

  quantiles(): SessionsStats['latency'] {
    return { p50: this.#quantile(0.5), p90: this.#quantile(0.9), p99: this.#quantile(0.99), max: this.#max }
  }

  #quantile(share: number): number {
    const wanted = Math.ceil(this.#total * share)
    let seen = 0
    let step = -1
    while (seen < wanted) seen += this.#counts[++step] as number
    return step === -1 ? 0 : Math.min(middleOf(step), this.#max)
  }
}

const steps = 240

/** The first eight steps are single microseconds; after that, each doubling has eight steps. */
function stepOf(duration: number): number {
  const microseconds = Math.min(duration * 1000, 0x7fff_ffff) | 0
  if (microseconds < 8) return Math.max(0, microseconds)
  const doublings = 31 - Math.clz32(microseconds)
  return (doublings - 2) * 8 + ((microseconds >>> (doublings - 3)) & 7)
}

/** In milliseconds. */
function middleOf(step: number): number {
  if (step < 8) return (step + 0.5) / 1000
  const width = 2 ** ((step >>> 3) - 1)
  return (width * (8 + (step & 7)) + width / 2) / 1000
}
