/** What one `createSessions` has done since it was made. Counts only grow; a difference of two is a rate. */
export interface SessionsStats {
  /** Calls that have ended, well or not. */
  readonly operations: number
  /** Round trips to the store. */
  readonly flights: number
  /** Reads that cost no request of their own: served from what `open` had preloaded, or by another call's flight. */
  readonly hits: number
  /** Times a compare-and-swap found that somebody else was first. */
  readonly conflicts: number
  /** Attempts of a write after its first, for whatever reason. */
  readonly retries: number
  /** Waiting updates that went out with another one's compare-and-swap. */
  readonly combined: number
  /** Sessions that ended because an item that they list is gone. */
  readonly lost: number
  /** Calls that ended in `OUTCOME_UNKNOWN`. */
  readonly unknown: number
  /** Renewals that the store did not confirm in time. The next use of the session tries again; many in a row will end it. */
  readonly failedRenewals: number
  /** How long calls took, in milliseconds, to within a tenth; all 0 before the first call. */
  readonly latency: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number }
}

/**
 * Durations by their logarithm, eight steps to a doubling, so that any number of them takes the same room.
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

/** The first eight steps are whole microseconds; from there on each doubling has eight. */
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
