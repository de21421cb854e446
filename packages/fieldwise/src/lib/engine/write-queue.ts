import type { Environment } from '../environment/environment.js'
import type { Deadline } from './context.js'
import { DeadlineWatch } from './deadline-watch.js'

/** A change that waits for its turn, and is told once how it ends. */
export interface Waiting {
  readonly deadline: Deadline
  /** It has ended, or nobody waits for it any more. */
  readonly isSettled: boolean
  fail(error: unknown): void
}

/** The changes of one item, of which one write at a time takes all that wait. */
export class WriteQueue<T extends Waiting, Write> {
  readonly sid: string
  readonly key: string
  readonly waiting: T[] = []
  /** A write is under way, or about to be. */
  isBusy = false
  /** The write before, as long as the queue is busy. */
  previous: Write | undefined

  constructor(sid: string, key: string) {
    this.sid = sid
    this.key = key
  }

  /** Called after each write. True if nothing waits: the queue is idle from this very step on, so the next change starts a write. */
  rest(): boolean {
    this.isBusy = this.waiting.length > 0
    if (!this.isBusy) this.previous = undefined
    return !this.isBusy
  }
}

/**
 * Combines changes of the same item in this process: while one write of it is under way, those that come wait, and the next write takes all
 * of them. They run in the order in which they came.
 */
export class WriteQueues<T extends Waiting, Write> {
  readonly #write: (queue: WriteQueue<T, Write>) => Promise<void>
  /** Over the changes that wait behind a write of their item. */
  readonly #watch: DeadlineWatch<T>
  #byKey = new Map<string, WriteQueue<T, Write>>()
  /** With this many of them, those that are idle are forgotten. */
  #most = mostIdle

  /**
   * @param write takes what waits ({@link take}) and writes it. Never rejects: each change is told how it ends.
   * @param late the error of a change whose time ran out while it waited
   */
  constructor(environment: Environment, write: (queue: WriteQueue<T, Write>) => Promise<void>, late: () => Error) {
    this.#write = write
    this.#watch = new DeadlineWatch(environment, (one) => one.fail(late()))
  }

  submit(sid: string, key: string, change: T): void {
    const queue = this.of(sid, key)
    queue.waiting.push(change)
    // It waits for a write that may last longer than itself (W9).
    if (queue.isBusy) this.#watch.add(change)
    else void this.#drive(queue)
  }

  /** All that waits. A change that comes later joins the next write (W8). */
  take(queue: WriteQueue<T, Write>): T[] {
    const changes = queue.waiting.splice(0)
    for (const change of changes) this.#watch.remove(change)
    return changes
  }

  /**
   * The queue of a key. Idle queues are kept for a while: a Map to which each write adds a key and from which it removes one leaves old hash
   * tables behind, which keep their entries alive for several garbage collections.
   */
  of(sid: string, key: string): WriteQueue<T, Write> {
    const known = this.#byKey.get(key)
    if (known !== undefined) return known
    if (this.#byKey.size >= this.#most) this.#forgetIdle()
    const queue = new WriteQueue<T, Write>(sid, key)
    this.#byKey.set(key, queue)
    return queue
  }

  async #drive(queue: WriteQueue<T, Write>): Promise<void> {
    queue.isBusy = true
    // Changes of one tick are combined.
    await undefined
    do await this.#write(queue)
    while (!queue.rest())
  }

  #forgetIdle(): void {
    this.#byKey = new Map([...this.#byKey].filter(([, queue]) => queue.isBusy))
    this.#most = mostIdle + 2 * this.#byKey.size
  }
}

const mostIdle = 2_048
