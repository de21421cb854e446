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
  /** How long calls took, in milliseconds, to within a tenth; all 0 before the first call. */
  readonly latency: { readonly p50: number; readonly p90: number; readonly p99: number; readonly max: number }
}
