/** Something to be remembered, and about how many bytes it takes in memory. */
export interface Weighed {
  readonly weight: number
}

/**
 * A cache that is bounded in bytes. It has two generations: when the young one is full it becomes the old one, and the old one is dropped with
 * whatever was not used since. A list in order of use would have to move an entry at each look-up, which costs more than it saves when
 * most look-ups miss.
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
