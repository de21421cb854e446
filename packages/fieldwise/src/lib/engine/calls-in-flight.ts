import type { Store } from '../api/store.js'
import { release } from './store-users.js'

/** Counts the calls that are under way, so that closing can wait for them. */
export class CallsInFlight {
  /** What is closed, as its callers would name it. */
  readonly owner: string
  #count = 0
  #closing: Promise<void> | undefined
  #waiting: (() => void)[] = []

  constructor(owner: string) {
    this.owner = owner
  }

  get isClosed(): boolean {
    return this.#closing !== undefined
  }

  /** Lets no call begin any more, waits for those under way, and then closes the store, unless others use it. */
  close(store: Store): Promise<void> {
    this.#closing ??= this.#close(store)
    return this.#closing
  }

  /** Each call of it is followed by one of {@link leave}. */
  enter(): void {
    this.#count++
  }

  leave(): void {
    this.#count--
    if (this.#count > 0 || this.#waiting.length === 0) return
    for (const resolve of this.#waiting.splice(0)) resolve()
  }

  /** Resolves when nothing is under way. */
  idle(): Promise<void> {
    if (this.#count === 0) return Promise.resolve()
    return new Promise((resolve) => this.#waiting.push(resolve))
  }

  async #close(store: Store): Promise<void> {
    await this.idle()
    if (release(store)) await store.close()
  }
}
