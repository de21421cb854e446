import type { WriteEvent } from 'fieldwise'
import type { LaneSecond } from './frame.js'
import { secondOf } from './seconds.js'

type Lane = { -readonly [name in keyof LaneSecond]: LaneSecond[name] }

/** Who wrote which field when: one entry for each field and second, however many writes there were. */
export class Lanes {
  readonly #names = new Set<string>()
  readonly #seconds = new Map<number, Map<string, Lane>>()
  readonly #length: number

  constructor(length: number) {
    this.#length = length
  }

  add(now: number, { field, deleted, combined }: WriteEvent): void {
    const lane = this.#lane(secondOf(now), this.#nameOf(field))
    lane.writes++
    lane.combined += combined - 1
    if (deleted) lane.deleted++
  }

  /** The whole seconds after `since`, oldest first. */
  after(since: number, now: number): LaneSecond[] {
    this.#forget(secondOf(now))
    const [from, to] = [secondOf(since), secondOf(now)]
    return [...this.#seconds]
      .filter(([second]) => second > from && second < to)
      .flatMap(([, lanes]) => [...lanes.values()].map((lane) => ({ ...lane })))
  }

  #lane(second: number, field: string): Lane {
    let lanes = this.#seconds.get(second)
    if (lanes === undefined) {
      this.#forget(second)
      lanes = new Map()
      this.#seconds.set(second, lanes)
    }
    let lane = lanes.get(field)
    if (lane === undefined) {
      lane = { at: second * 1_000, field, writes: 0, deleted: 0, combined: 0 }
      lanes.set(field, lane)
    }
    return lane
  }

  /** A schema with a catchall has no end of names. */
  #nameOf(field: string): string {
    if (this.#names.size < mostNames) this.#names.add(field)
    return this.#names.has(field) ? field : otherFields
  }

  #forget(newest: number): void {
    for (const second of this.#seconds.keys()) {
      if (second > newest - this.#length) return
      this.#seconds.delete(second)
    }
  }
}

/** How many fields have a lane of their own. */
export const mostNames = 11
/** No field can have this name. */
export const otherFields = '(other fields)'
