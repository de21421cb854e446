import type { Deadline, ItemContext } from './context.js'

/** Waits between the attempts of one call: a little and at random at first, twice as long each time, never past its deadline. */
export class Backoff {
  readonly #context: ItemContext
  readonly #deadline: Deadline
  #pauses = 0

  constructor(context: ItemContext, deadline: Deadline) {
    this.#context = context
    this.#deadline = deadline
  }

  /** Waits before the next attempt. False when there is no time for one. */
  async pause(): Promise<boolean> {
    const { environment } = this.#context
    const left = this.#deadline - environment.running()
    if (left <= 0) return false
    const ceiling = Math.min(longestPause, firstPause * 2 ** this.#pauses++)
    await environment.sleep(Math.min(left, ceiling * environment.random()))
    return environment.running() < this.#deadline
  }
}

const firstPause = 1
const longestPause = 50
