import type { Runtime } from '../environment/environment.js'
import type { Deadline } from './context.js'

/** Ends what is still waiting for its turn when its deadline comes (W9). One timer serves all that wait, and keeps no process alive. */
export class Watch<T extends { readonly deadline: Deadline }> {
  readonly #runtime: Runtime
  readonly #expire: (one: T) => void
  readonly #waiting = new Set<T>()
  #wakeAt: Deadline = Number.POSITIVE_INFINITY

  constructor(runtime: Runtime, expire: (one: T) => void) {
    this.#runtime = runtime
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
    await this.#runtime.sleep(Math.max(0, deadline - this.#runtime.running()), true)
    // One with an earlier deadline has come since; it has its own waking.
    if (this.#wakeAt !== deadline) return
    this.#wakeAt = Number.POSITIVE_INFINITY
    this.#expireLate()
  }

  #expireLate(): void {
    const now = this.#runtime.running()
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
