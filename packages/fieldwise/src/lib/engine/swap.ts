import { isFieldwiseError, OutcomeUnknownError } from '../api/errors.js'
import { Backoff } from './backoff.js'
import type { Deadline, ItemContext } from './context.js'
import type { Waiting } from './write-queue.js'

/** What came of one attempt. `retry`: it is to be made again, over what is there by then. */
export type Verdict = 'settled' | 'retry'

/**
 * Several changes of one item, made together: the item is read, the changes are applied, and the result is stored by compare-and-swap, over
 * and over until that succeeds. Its subclasses know the item, a header or a field.
 */
export abstract class Swap<T extends Waiting, Seen, C extends ItemContext> {
  readonly context: C
  /** The changes that have not ended yet. */
  waiting: readonly T[]
  /** Attempts so far that did not settle it. */
  attempts = 0

  constructor(context: C, waiting: readonly T[]) {
    this.context = context
    this.waiting = waiting
  }

  /** Whether an attempt's answer was lost: it may be applied, or may still be (W4, W5). */
  abstract get isUnanswered(): boolean
  /** Reads the item. */
  abstract read(): Promise<Seen>
  /** One attempt over what was read. If it throws, all that wait fail. */
  abstract attempt(seen: Seen): Verdict | Promise<Verdict>
  /** The error of a change whose time is up, where nothing of it can be stored. */
  abstract late(): Error
  /** Called before another attempt. Throws where no more are allowed. */
  abstract again(): void
  /** What `change` is called in an `OUTCOME_UNKNOWN`. */
  abstract nameOf(change: T): string

  /** Attempts until every change has ended. `seen` saves the first read. */
  async attemptAll(seen?: Seen): Promise<void> {
    let backoff: Backoff | undefined
    let first = seen
    while (this.dropSettled()) {
      try {
        const verdict = this.attempt(first ?? (await this.read()))
        if (verdict === 'settled' || (await verdict) === 'settled') return
      } catch (error) {
        if (!this.#isOutageToWaitOut(error)) throw error
      }
      first = undefined
      this.attempts++
      this.again()
      backoff ??= new Backoff(this.context, latest(this.waiting))
      await backoff.pause()
    }
  }

  /** While an attempt is unanswered, another one may find out what became of it. */
  #isOutageToWaitOut(error: unknown): boolean {
    return this.isUnanswered && isFieldwiseError(error, 'STORE_UNAVAILABLE')
  }

  /** Drops the changes whose callers gave up, and ends those whose time is up (W9). False when none is left. */
  dropSettled(): boolean {
    const now = this.context.environment.running()
    for (const one of this.waiting) if (now >= one.deadline) this.failOne(one, this.late())
    this.keepUnsettled()
    return this.waiting.length > 0
  }

  keepUnsettled(): void {
    if (this.waiting.some(isSettled)) this.waiting = this.waiting.filter((one) => !one.isSettled)
  }

  /** The earliest of its changes' deadlines: none of them waits for the others beyond its own. */
  get deadline(): Deadline {
    let deadline = Number.POSITIVE_INFINITY
    for (const one of this.waiting) if (one.deadline < deadline) deadline = one.deadline
    return deadline
  }

  /** Fails all that wait. */
  failAll(error: unknown): void | Promise<void> {
    for (const one of this.waiting) this.failOne(one, error)
  }

  /** After an attempt that may be stored, no error may say that nothing was (W5). */
  failOne(one: T, error: unknown): void {
    one.fail(this.isUnanswered ? afterUnanswered(this.nameOf(one), error) : error)
  }
}

/** After an attempt whose outcome is unknown, no error but `SESSION_GONE` may say that nothing was stored (W5). */
export function afterUnanswered(what: string, error: unknown): unknown {
  return isFieldwiseError(error, 'SESSION_GONE') ? error : new OutcomeUnknownError(what, error)
}

function isSettled(one: Waiting): boolean {
  return one.isSettled
}

function latest(waiting: readonly Waiting[]): Deadline {
  return Math.max(...waiting.map((one) => one.deadline))
}
