/** Counts the calls that are under way, so that closing can wait for them. */
export class CallsInFlight {
  /** What is closed, as its callers would name it. */
  readonly owner: string
  #count = 0
  #isClosed = false
  #waiting: (() => void)[] = []

  constructor(owner: string) {
    this.owner = owner
  }

  get isClosed(): boolean {
    return this.#isClosed
  }

  close(): void {
    this.#isClosed = true
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
}
