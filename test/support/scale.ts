/**
 * How large the tests of promises are: a tenth for `npm test`, 1 for `.ci/run`, 10 for the figures that are promised, which
 * `npm run torture` reaches. Set by `FIELDWISE_SIZE`.
 */
const size = Number(process.env.FIELDWISE_SIZE ?? 0.1)

/** Whether each case is tried: from size 1 on. */
export const isFull = size >= 1

/** A tenth of the promised figure, at size 1; at least one at any. */
export function scaled(atSizeOne: number): number {
  return Math.max(1, Math.round(atSizeOne * size))
}

/** `npm test` tries some of the cases that take long and differ little; from size 1 on each is tried. */
export function sized<T>(all: readonly T[], some: readonly T[]): readonly T[] {
  return isFull ? all : some
}

/** What chance is drawn from. The suite draws the same each time; `npm run torture` draws anew, and says what it drew. */
export const runSeed = Number(process.env.FIELDWISE_SEED ?? 20_261_122)

/** Random numbers from a seed that is printed, so that a failure can be repeated with `FIELDWISE_SEED`. */
export class Chance {
  #state: number

  constructor(what: string) {
    console.log(`${what}: repeat with FIELDWISE_SEED=${runSeed}`)
    this.#state = runSeed >>> 0
  }

  /** In [0, 1). The generator is Mulberry32. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }

  below(end: number): number {
    return Math.floor(this.next() * end)
  }

  pick<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T
  }
}

/** Prints a figure that was measured, for those who read the log of a run. */
export function report(figure: string): void {
  console.log(figure)
}
