/** Something whose events wait while it is paused and are dropped once it has crashed: a process. */
export interface Owner {
  readonly pausedUntil: number
  readonly crashed: boolean
}

export interface Timer {
  cancel(): void
}

interface Event extends Timer {
  at: number
  readonly order: number
  readonly owner: Owner | undefined
  run: (() => void) | undefined
}

/**
 * Virtual time: events in the order of their times, and after each one everything that it set going in a process runs to its end.
 * No real timer is ever used, so an hour costs what its events cost.
 */
export class Scheduler {
  now = 0
  #order = 0
  readonly #heap: Event[] = []
  readonly #shuffle: () => number

  /** `shuffle` decides in which order a process that was paused finds what happened meanwhile. */
  constructor(shuffle: () => number) {
    this.#shuffle = shuffle
  }

  /** Runs something later. Without an owner it is the network's or the server's: it resolves no promise, so nothing has to be drained. */
  after(delay: number, run: () => void, owner?: Owner): Timer {
    return this.at(this.now + delay, run, owner)
  }

  at(time: number, run: () => void, owner?: Owner): Timer {
    const event: Event = { at: Math.max(time, this.now), order: this.#order++, owner, run, cancel: cancelEvent }
    this.#push(event)
    return event
  }

  /** Runs until nothing is left to happen or `finished` says so. */
  async run(finished: () => boolean): Promise<void> {
    await drain()
    while (!finished()) {
      const event = this.#pop()
      if (event === undefined) return
      if (event.run === undefined || event.owner?.crashed) continue
      if (event.owner && event.owner.pausedUntil > event.at) {
        // A process that wakes finds expired timers and arrived answers at once: either may come first.
        event.at = event.owner.pausedUntil + this.#shuffle()
        this.#push(event)
        continue
      }
      this.now = event.at
      event.run()
      if (event.owner) await drain()
    }
  }

  #push(event: Event): void {
    const heap = this.#heap
    let at = heap.push(event) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!isBefore(event, heap[above] as Event)) break
      heap[at] = heap[above] as Event
      at = above
    }
    heap[at] = event
  }

  #pop(): Event | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (heap.length === 0 || last === undefined) return first
    let at = 0
    for (;;) {
      let below = 2 * at + 1
      if (below >= heap.length) break
      if (below + 1 < heap.length && isBefore(heap[below + 1] as Event, heap[below] as Event)) below++
      if (!isBefore(heap[below] as Event, last)) break
      heap[at] = heap[below] as Event
      at = below
    }
    heap[at] = last
    return first
  }
}

function cancelEvent(this: Event): void {
  this.run = undefined
}

function isBefore(one: Event, other: Event): boolean {
  return one.at === other.at ? one.order < other.order : one.at < other.at
}

/** An immediate runs only when no microtask and no tick is left, however long their chains were. */
function drain(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
