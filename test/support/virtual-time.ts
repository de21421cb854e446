import { randomBytes } from 'node:crypto'
import type { Environment } from '../../packages/fieldwise/src/lib/environment/environment.js'

/** Time that passes only when a test says so, for the clock of a store and the timers of the core alike. */
export class VirtualTime {
  readonly clock = { now: () => this.#now }
  readonly runtime: Environment = {
    monotonic: () => this.#now - start,
    running: () => this.#now - start,
    bytes: (size) => randomBytes(size),
    random: () => 0.5,
    sleep: (milliseconds) => this.#sleep(milliseconds),
  }
  #now = start
  #sleepers: Sleeper[] = []

  /** Everything that is due by then happens, in order. */
  async advance(milliseconds: number): Promise<void> {
    const until = this.#now + milliseconds
    await turn()
    for (let next = this.#nextUp(); next !== undefined && next.at <= until; next = this.#nextUp()) {
      this.#wake(next)
      await turn()
    }
    this.#now = until
  }

  /** Lets time pass only for those who sleep, until `work` settles. */
  async run<T>(work: Promise<T>): Promise<T> {
    let isSettled = false
    const settled = () => {
      isSettled = true
    }
    work.then(settled, settled)
    for (await turn(); !isSettled; await turn()) if (!this.wakeNext()) throw new Error('It waits for something that never comes')
    return work
  }

  /** Wakes who sleeps shortest. False when nobody sleeps. */
  wakeNext(): boolean {
    const next = this.#nextUp()
    if (next !== undefined) this.#wake(next)
    return next !== undefined
  }

  #sleep(milliseconds: number): Promise<void> {
    return new Promise((wake) => this.#sleepers.push({ at: this.#now + milliseconds, wake }))
  }

  #nextUp(): Sleeper | undefined {
    return this.#sleepers.reduce<Sleeper | undefined>((first, one) => (first && first.at <= one.at ? first : one), undefined)
  }

  #wake(sleeper: Sleeper): void {
    this.#sleepers = this.#sleepers.filter((one) => one !== sleeper)
    this.#now = Math.max(this.#now, sleeper.at)
    sleeper.wake()
  }
}

/** Lets everything run that waits for nothing but its turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

interface Sleeper {
  readonly at: number
  readonly wake: () => void
}

const start = Date.UTC(2026, 0, 1)
