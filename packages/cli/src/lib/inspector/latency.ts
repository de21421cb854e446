import type { Latency } from './frame.js'

/** Durations of one second, in buckets that are each a tenth wider than the one before. */
export class LatencyBuckets {
  readonly #counts = new Uint32Array(bucketCount)
  #total = 0

  /** @param duration in milliseconds */
  add(duration: number): void {
    const bucket = bucketOf(duration)
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1
    this.#total++
  }

  clear(): void {
    this.#counts.fill(0)
    this.#total = 0
  }

  quantiles(): Latency | null {
    if (this.#total === 0) return null
    return { p50: this.#quantile(0.5), p90: this.#quantile(0.9), p99: this.#quantile(0.99) }
  }

  #quantile(part: number): number {
    const wanted = Math.ceil(this.#total * part)
    let passed = 0
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      passed += this.#counts[bucket] as number
      if (passed >= wanted) return middleOf(bucket)
    }
    return middleOf(bucketCount - 1)
  }
}

/** From a microsecond to more than a minute. */
const smallest = 0.001
const step = 1.1
const bucketCount = Math.ceil(Math.log(100_000 / smallest) / Math.log(step))

function bucketOf(duration: number): number {
  if (!(duration > smallest)) return 0
  return Math.min(bucketCount - 1, Math.floor(Math.log(duration / smallest) / Math.log(step)))
}

function middleOf(bucket: number): number {
  return Number((smallest * step ** (bucket + 0.5)).toPrecision(3))
}
