/** A seeded source of chance (xoshiro128**). One seed decides everything in a history, so that a printed seed replays it. */
export class Random {
  #a: number
  #b: number
  #c: number
  #d: number

  constructor(seed: number) {
    let state = seed >>> 0
    const draw = () => {
      state = (state + 0x9e3779b9) >>> 0
      return mix(state)
    }
    this.#a = draw()
    this.#b = draw()
    this.#c = draw()
    this.#d = draw()
  }

  /** A number in [0, 1). */
  next(): number {
    return this.bits() / 0x1_0000_0000
  }

  /** A whole number in [0, below). */
  below(below: number): number {
    return Math.floor(this.next() * below)
  }

  between(least: number, most: number): number {
    return least + this.next() * (most - least)
  }

  chance(probability: number): boolean {
    return this.next() < probability
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }

  /** Picks a name by its weight. */
  weighted<N extends string>(weights: Partial<Record<N, number>>): N {
    const entries = Object.entries(weights) as [N, number][]
    let left = this.next() * entries.reduce((sum, [, weight]) => sum + weight, 0)
    for (const [name, weight] of entries) {
      left -= weight
      if (left < 0) return name
    }
    return (entries.at(-1) as [N, number])[0]
  }

  bytes(size: number): Buffer {
    const bytes = Buffer.allocUnsafe(size)
    for (let at = 0; at < size; at++) bytes[at] = this.bits() >>> 24
    return bytes
  }

  /** A source of its own, so that what one part draws does not shift what another part draws. */
  fork(): Random {
    return new Random(this.bits())
  }

  bits(): number {
    const result = Math.imul(rotate(Math.imul(this.#b, 5), 7), 9) >>> 0
    const shifted = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= shifted
    this.#d = rotate(this.#d, 11)
    return result
  }
}

/** The seed of one history of a run: what a failing run prints, and what replays that history alone. */
export function historySeed(runSeed: number, scenario: string, index: number): number {
  let seed = mix(runSeed >>> 0)
  for (const character of scenario) seed = mix(seed ^ character.charCodeAt(0))
  return mix(seed ^ index)
}

function mix(value: number): number {
  let mixed = (value + 0x6d2b79f5) | 0
  mixed = Math.imul(mixed ^ (mixed >>> 16), 0x21f0aaad)
  mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97)
  return (mixed ^ (mixed >>> 15)) >>> 0
}

function rotate(value: number, by: number): number {
  return (value << by) | (value >>> (32 - by))
}
