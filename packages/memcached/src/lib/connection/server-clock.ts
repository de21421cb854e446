import type { Clocks, Moment } from './clocks.js'

/**
 * A server's clock, as it is known over one connection: read now and then, and extrapolated by the monotonic clock in between (L1). It is in
 * doubt until it was read, and again when this machine seems to have slept. Nothing is decided by a clock in doubt (D6).
 */
export class ServerClock {
  /** The server's time minus the monotonic clock. A lower bound, less than a second too low. */
  offset = Number.NaN
  readonly #clocks: Pick<Clocks, 'monotonic' | 'wall'>
  /** As learned over an earlier connection. */
  readonly #earlier: number | undefined
  #readAt = Number.NaN
  /** The wall clock minus the monotonic clock, when the time was read. */
  #apart = Number.NaN
  #isInDoubt = true

  constructor(clocks: Pick<Clocks, 'monotonic' | 'wall'>, earlier: number | undefined) {
    this.#clocks = clocks
    this.#earlier = earlier
  }

  get isInDoubt(): boolean {
    return this.#isInDoubt
  }

  /** The server's time in milliseconds since 1970. */
  now(): number {
    return this.#clocks.monotonic() + this.offset
  }

  moment(): Moment {
    return { monotonic: this.#clocks.monotonic(), wall: this.#clocks.wall() }
  }

  /**
   * Whether it is to be read again: two clocks drift apart by seconds a day, and a connection may live for months. Where the wall clock and the
   * monotonic clock have parted, one was set, or the other has stood still while this machine slept. `monotonic` is the present.
   */
  isDue(monotonic: number): boolean {
    if (Math.abs(this.#clocks.wall() - monotonic - this.#apart) > tolerance) this.#isInDoubt = true
    return this.#isInDoubt || monotonic - this.#readAt > readEvery
  }

  /**
   * Takes the time that the server has told, in whole seconds, in answer to a question of `asked`. False for an answer that took more than a
   * second: it may have lain unread for as long, and does not count (D5).
   *
   * Each reading is a lower bound, less than a second too low. The highest of several is the best; one that is lower by a second or more shows
   * that the clock was set or the server is another one.
   */
  learn(seconds: number, asked: Moment): boolean {
    const { monotonic, wall } = this.moment()
    if (monotonic - asked.monotonic > tolerance || Math.abs(wall - asked.wall) > tolerance) return false
    const read = seconds * 1_000 - monotonic
    const best = Number.isNaN(this.offset) ? this.#earlier : this.offset
    this.offset = best !== undefined && best > read && best - read < 1_000 ? best : read
    this.#readAt = monotonic
    this.#apart = wall - monotonic
    this.#isInDoubt = false
    return true
  }
}

/** How long a reading may take, and how far two clocks may part, in milliseconds. */
const tolerance = 1_000
/** How many milliseconds a reading is used for. */
const readEvery = 600_000
