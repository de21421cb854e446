import type { Edit } from './edit.js'

/** The edits of one field, of which one write at a time takes all that wait. */
export class WriteQueue {
  readonly sid: string
  readonly key: string
  readonly waiting: Edit[] = []
  /** A write is under way, or about to be. */
  isBusy = false

  constructor(sid: string, key: string) {
    this.sid = sid
    this.key = key
  }

  /** True where nothing waits. Then it is not busy from this very step on: an edit that comes next would wait for nobody. */
  rest(): boolean {
    this.isBusy = this.waiting.length > 0
    return !this.isBusy
  }
}

/**
 * The lanes of fields that were written lately. They are not deleted one by one: a Map that grows and shrinks with each write leaves tables
 * behind that lead from one to the next, and whatever was in them outlives several collections.
 */
export class WriteQueues {
  #byKey = new Map<string, WriteQueue>()
  /** With this many of them, those that are idle are forgotten. */
  #most = mostIdle

  of(sid: string, key: string): WriteQueue {
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    if (this.#byKey.size >= this.#most) this.#forgetIdle()
    const queue = new WriteQueue(sid, key)
    this.#byKey.set(key, queue)
    return queue
  }

  #forgetIdle(): void {
    this.#byKey = new Map([...this.#byKey].filter(([, queue]) => queue.isBusy))
    this.#most = mostIdle + 2 * this.#byKey.size
  }
}

const mostIdle = 2_048
