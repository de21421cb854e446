import type { Environment } from '../environment/environment.js'
import type { Deadline } from './context.js'

/** Ends what is still waiting for its turn when its deadline comes (W9). One timer serves all that wait, and keeps no process alive. */
export class DeadlineWatch<T extends { readonly deadline: Deadline }> {
  readonly #environment: Environment
  readonly #expire: (one: T) => void
  readonly #waiting = new Set<T>()
  #wakeAt: Deadline = Number.POSITIVE_INFINITY

  constructor(environment: Environment, expire: (one: T) => void) {
    this.#environment = environment
    this.#expire = expire
  }

  add(one: T): void {
    this.#waiting.add(one)
    if (one.deadline < this.#wakeAt) void this.#sleepUntil(one.deadline)
  }

  /** Its turn has come. */
  remove(one: T): void {
    this.#waiting.delete(one)
  }

  async #sleepUntil(deadline: Deadline): Promise<void> {
    this.#wakeAt = deadline
    await this.#environment.sleep(Math.max(0, deadline - this.#environment.running()), true)
    // One with an earlier deadline has come since; it has its own waking.
    if (this.#wakeAt !== deadline) return
    this.#wakeAt = Number.POSITIVE_INFINITY
    this.#expireLate()
  }

  #expireLate(): void {
    const now = this.#environment.running()
    let next = Number.POSITIVE_INFINITY
    for (const one of this.#waiting) {
      if (one.deadline > now) {
        next = Math.min(next, one.deadline)
        continue
      }
      this.#waiting.delete(one)
      this.#expire(one)
    }
    if (next !== Number.POSITIVE_INFINITY) void this.#sleepUntil(next)
  }
}
