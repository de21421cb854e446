/** One candidate: many updaters of one and the same value. */
export interface Updater {
  /** Adds one visit. Resolves with the number of conflicts that came before. */
  update(slot: number): Promise<number>
  /** How many visits are stored. */
  visits(): Promise<number>
}

/** What one process did to the hot field in one repeat. */
export interface HotSample {
  readonly acknowledged: number
  readonly conflicts: number
  /** Updates that ended with an error, such as `UPDATE_CONFLICT`. */
  readonly refused: number
  readonly seconds: number
  readonly cpuSeconds: number
  /** Of the acknowledged ones, in milliseconds. */
  readonly latencies: Float64Array
}

export const hotKey = 'bench:hot:profile'
