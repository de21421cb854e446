import type { Counts, Second } from './frame.js'
import { LatencyBuckets } from './latency.js'

export type Count = keyof Counts

/** Counts and durations for each of the last seconds. Its size is fixed: an old second makes room for a new one. */
export class Seconds {
  readonly #ring: Slot[]
  readonly #first: number
  #newest: number

  /** @param now in milliseconds since 1970, as all times here */
  constructor(now: number, length: number) {
    this.#first = this.#newest = secondOf(now)
    this.#ring = Array.from({ length }, () => new Slot())
  }

  add(now: number, count: Count, amount: number): void {
    this.#slot(now).counts[count] += amount
  }

  addDuration(now: number, duration: number): void {
    this.#slot(now).latency.add(duration)
  }

  /** The whole seconds after `since` that are still known, oldest first. Seconds in which nothing happened are there too. */
  after(since: number, now: number): Second[] {
    this.#forward(secondOf(now))
    const oldest = Math.max(this.#first, secondOf(since) + 1, this.#newest - this.#ring.length + 1)
    const seconds: Second[] = []
    for (let second = oldest; second < this.#newest; second++) {
      const { counts, latency } = this.#at(second)
      seconds.push({ at: second * 1_000, ...counts, latency: latency.quantiles() })
    }
    return seconds
  }

  #slot(now: number): Slot {
    this.#forward(secondOf(now))
    // A clock that was set back counts into the newest second until it has caught up.
    return this.#at(this.#newest)
  }

  #forward(second: number): void {
    const from = Math.max(this.#newest + 1, second - this.#ring.length + 1)
    for (let cleared = from; cleared <= second; cleared++) this.#at(cleared).clear()
    this.#newest = Math.max(this.#newest, second)
  }

  #at(second: number): Slot {
    return this.#ring[second % this.#ring.length] as Slot
  }
}

class Slot {
  readonly latency = new LatencyBuckets()
  counts = noCounts()

  clear(): void {
    this.latency.clear()
    this.counts = noCounts()
  }
}

export function noCounts(): Record<Count, number> {
  return {
    operations: 0,
    userCalls: 0,
    writes: 0,
    conflicts: 0,
    combined: 0,
    ended: 0,
    lost: 0,
    forged: 0,
    unknown: 0,
    unavailable: 0,
  }
}

export function secondOf(time: number): number {
  return Math.floor(time / 1_000)
}
