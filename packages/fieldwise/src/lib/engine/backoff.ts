import type { Core, Deadline } from './context.js'

/** Waits between the attempts of one call: a little and at random at first, twice as long each time, never past its deadline. */
export class Patience {
  readonly #core: Core
  readonly #deadline: Deadline
  #pauses = 0

  constructor(core: Core, deadline: Deadline) {
    this.#core = core
    this.#deadline = deadline
  }

  /** Waits before the next attempt. False when there is no time for one. */
  async pause(): Promise<boolean> {
    const { runtime } = this.#core
    const left = this.#deadline - runtime.running()
    if (left <= 0) return false
    const ceiling = Math.min(longestPause, firstPause * 2 ** this.#pauses++)
    await runtime.sleep(Math.min(left, ceiling * runtime.random()))
    return runtime.running() < this.#deadline
  }
}

const firstPause = 1
const longestPause = 50
