/** First in, first out, in constant time: an array that is read from a moving head. */
export class Fifo<T> {
  #items: (T | undefined)[] = []
  #head = 0

  get size(): number {
    return this.#items.length - this.#head
  }

  get first(): T | undefined {
    return this.#items[this.#head]
  }

  push(item: T): void {
    this.#items.push(item)
  }

  shift(): void {
    // Otherwise the array would keep alive what was taken out.
    this.#items[this.#head++] = undefined
    if (this.#head === this.#items.length) this.#reset()
    else if (this.#head > wornOut && this.#head * 2 > this.#items.length) this.#compact()
  }

  *[Symbol.iterator](): Generator<T> {
    for (let index = this.#head; index < this.#items.length; index++) yield this.#items[index] as T
  }

  /** Empties it and returns what was in it. */
  drain(): T[] {
    const items = this.#items.slice(this.#head) as T[]
    this.#reset()
    return items
  }

  #reset(): void {
    this.#items = []
    this.#head = 0
  }

  #compact(): void {
    this.#items = this.#items.slice(this.#head)
    this.#head = 0
  }
}

const wornOut = 1_024
