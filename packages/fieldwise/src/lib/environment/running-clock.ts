import { performance } from 'node:perf_hooks'
import { clearTimeout, setImmediate, setTimeout } from 'node:timers'

/** What a running clock is made of: the clock and the timers of this process, or those of a test. */
export interface Clockwork {
  /** Milliseconds that only ever grow, whether this process runs or not. */
  monotonic(): number
  /** Calls `ring` once, after `milliseconds`. */
  after(milliseconds: number, ring: () => void): Alarm
  /** Calls `ring` once the event loop has looked at its sockets again. */
  afterPoll(ring: () => void): void
}

/** Does not keep the process alive unless it is told to. */
export interface Alarm {
  keepAlive(): void
  cancel(): void
}

/**
 * A clock that stands still while this process does: while its event loop is busy, the process is stopped, or its machine frozen. Deadlines
 * are points on it (D1), since nobody else is slow then.
 *
 * While somebody waits on it, it beats every 25 ms. From one beat to the next it advances by at most 50 ms, however late the next one comes: a
 * late beat shows that the event loop did not turn.
 */
export class RunningClock {
  readonly #clockwork: Clockwork
  /** How long this process did not run while somebody waited. */
  #lost = 0
  /** How far it may advance before the next beat, and when that beat is due; both on the monotonic clock. */
  #limit = Number.POSITIVE_INFINITY
  #due = Number.POSITIVE_INFINITY
  #alarm: Alarm | undefined
  /** In the order in which they are to be woken. There may be thousands, and a beat touches those alone whose time has come. */
  readonly #sleepers: Sleeper[] = []
  /** How many of them keep the process alive. */
  #awaited = 0

  constructor(clockwork: Clockwork) {
    this.#clockwork = clockwork
  }

  /** Milliseconds that only ever grow. Whoever reads it may be about to wait, so it begins to beat. */
  now(): number {
    const now = this.#clockwork.monotonic()
    if (this.#limit === Number.POSITIVE_INFINITY) this.#beatAfter(now)
    return Math.min(now, this.#limit) - this.#lost
  }

  /**
   * Waits until `milliseconds` have passed on this clock and the event loop has looked at its sockets after that (D2). With `idly` the wait
   * does not keep the process alive, as for a timeout.
   */
  sleep(milliseconds: number, idly: boolean): Promise<void> {
    const at = this.now() + milliseconds
    return new Promise((wake) => {
      this.#sleepers.splice(this.#firstAfter(at), 0, { at, isAwaited: !idly, wake })
      if (!idly) this.#awaited++
      if (at + this.#lost < this.#due) this.#setAlarm(at + this.#lost, this.#clockwork.monotonic())
      else if (!idly) this.#alarm?.keepAlive()
    })
  }

  #beatAfter(now: number): void {
    this.#limit = now + longestTurn
    const first = this.#sleepers[0]
    this.#setAlarm(first ? Math.min(first.at + this.#lost, now + beat) : now + beat, now)
  }

  #setAlarm(due: number, now: number): void {
    this.#alarm?.cancel()
    this.#due = due
    this.#alarm = this.#clockwork.after(Math.max(0, Math.ceil(due - now)), this.#ring)
    if (this.#awaited > 0) this.#alarm.keepAlive()
  }

  /** Answers that arrived while this process did not run are read before anybody gives them up (D2). */
  readonly #ring = (): void => {
    this.#alarm = undefined
    // Until the beat itself there is no earlier one.
    this.#due = Number.NEGATIVE_INFINITY
    this.#clockwork.afterPoll(this.#beat)
  }

  readonly #beat = (): void => {
    const now = this.#clockwork.monotonic()
    this.#lost += Math.max(0, now - this.#limit)
    const woken = this.#sleepers.splice(0, this.#firstAfter(now - this.#lost))
    for (const { isAwaited } of woken) if (isAwaited) this.#awaited--
    if (this.#sleepers.length > 0) this.#beatAfter(now)
    else this.#limit = this.#due = Number.POSITIVE_INFINITY
    for (const { wake } of woken) wake()
  }

  /** The place of the first sleeper that is to be woken after `at`. */
  #firstAfter(at: number): number {
    let [from, to] = [0, this.#sleepers.length]
    while (from < to) {
      const middle = (from + to) >> 1
      if ((this.#sleepers[middle] as Sleeper).at <= at) from = middle + 1
      else to = middle
    }
    return from
  }
}

interface Sleeper {
  readonly at: number
  readonly isAwaited: boolean
  readonly wake: () => void
}

/**
 * Milliseconds from beat to beat, and how many of them count at most: no more than that is charged for a stall. A turn of the event loop that
 * is no longer than a beat is no stall and counts in full.
 */
const beat = 25
const longestTurn = 2 * beat

/**
 * The running clock of this process. There is one, so that a deadline means the same to all who share a store. Its timers are those of Node,
 * whatever a test has put in the place of the global ones: an answer over the network does not wait for a test's clock.
 */
export const runningClock = new RunningClock({
  monotonic: () => performance.now(),
  after: (milliseconds, ring) => {
    const timer = setTimeout(ring, milliseconds).unref()
    return { keepAlive: () => timer.ref(), cancel: () => clearTimeout(timer) }
  },
  afterPoll: (ring) => void setImmediate(ring),
})
