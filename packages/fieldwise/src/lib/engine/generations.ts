/** Something to be remembered, and about how many bytes it takes in memory. */
export interface Weighed {
  readonly weight: number
}

/**
 * Remembers by keys what was used last, within a number of bytes. Two generations: when the young one is full it becomes the old one, and
 * what was not asked for since is forgotten with the one before. No entry is ever moved to keep an order, which would cost more than
 * what is saved as soon as most look-ups are for what is not here.
 */
export class Generations<V extends Weighed> {
  readonly #mostEach: number
  #young = new Map<string, V>()
  #old = new Map<string, V>()
  #youngWeight = 0

  /** @param most of both generations, in bytes */
  constructor(most: number) {
    this.#mostEach = most / 2
  }

  find(key: string): V | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old !== undefined) this.remember(key, old)
    return old
  }

  remember(key: string, value: V): void {
    const added = value.weight - (this.#young.get(key)?.weight ?? 0)
    if (this.#youngWeight + added > this.#mostEach) this.#age()
    this.#youngWeight += value.weight - (this.#young.get(key)?.weight ?? 0)
    this.#young.set(key, value)
  }

  forget(key: string): void {
    this.#youngWeight -= this.#young.get(key)?.weight ?? 0
    this.#young.delete(key)
    this.#old.delete(key)
  }

  #age(): void {
    this.#old = this.#young
    this.#young = new Map()
    this.#youngWeight = 0
  }
}
