/** @import { Counts, Frame, LaneSecond, Second } from '../frame.js' */

/** How many seconds the plots show at most, and at least: a short history would else be a thin line at the right. */
const longest = 300
const shortest = 60

/** What the plots are made of: the seconds and lanes of the last five minutes, gathered from the frames. */
export class History {
  /** @type {Second[]} */
  seconds = []
  /** @type {LaneSecond[]} */
  lanes = []

  /** @param {Frame} frame */
  add(frame) {
    // After the connection was lost the server begins anew, with all that it remembers.
    const newest = this.seconds.at(-1)?.at ?? 0
    this.seconds.push(...frame.seconds.filter(({ at }) => at > newest))
    this.lanes.push(...frame.lanes.filter(({ at }) => at > newest))
    this.seconds = this.seconds.slice(-longest)
    const oldest = this.seconds[0]?.at ?? 0
    this.lanes = this.lanes.filter(({ at }) => at >= oldest)
  }

  /** What the plots show, in seconds since 1970. @returns {[from: number, to: number]} */
  get range() {
    const end = (this.seconds.at(-1)?.at ?? Date.now()) / 1_000
    return [end - Math.max(shortest, this.seconds.length), end]
  }

  /** The lanes, `step` seconds put together. @param {number} step @returns {LaneSecond[]} */
  lanesBy(step) {
    if (step === 1) return this.lanes
    /** @type {Map<string, LaneSecond>} */
    const merged = new Map()
    for (const { at: second, field, writes, deleted, combined } of this.lanes) {
      const at = Math.floor(second / 1_000 / step) * step * 1_000
      const key = `${at} ${field}`
      const sum = merged.get(key) ?? { at, field, writes: 0, deleted: 0, combined: 0 }
      merged.set(key, {
        at,
        field,
        writes: sum.writes + writes,
        deleted: sum.deleted + deleted,
        combined: sum.combined + combined,
      })
    }
    return [...merged.values()]
  }

  /** The last five minutes in parts of half a minute, newest first. @returns {Part[]} */
  parts() {
    /** @type {Map<number, Second[]>} */
    const parts = new Map()
    for (const second of this.seconds) {
      const at = Math.floor(second.at / partLength) * partLength
      parts.set(at, [...(parts.get(at) ?? []), second])
    }
    return [...parts].map(([at, seconds]) => new Part(at, seconds)).reverse()
  }
}

/** In milliseconds. */
const partLength = 30_000

/** Half a minute, for the tables beside the plots. */
export class Part {
  /** @param {number} at @param {readonly Second[]} seconds */
  constructor(at, seconds) {
    this.at = at
    this.seconds = seconds
  }

  /** @param {keyof Counts} name */
  sum(name) {
    return this.seconds.reduce((sum, second) => sum + second[name], 0)
  }

  /** The largest of a quantile, or null where there was no call. @param {'p50' | 'p90' | 'p99'} name */
  largest(name) {
    const known = this.seconds.flatMap(({ latency }) => (latency === null ? [] : [latency[name]]))
    return known.length === 0 ? null : Math.max(...known)
  }
}
