/** How large the tests of promises are: 1 in the suite, 10 for the figures that are promised. Set by `FIELDWISE_SIZE`. */
const size = Number(process.env.FIELDWISE_SIZE ?? 1)

/** A size that is a tenth of the promised figure in the suite. */
export function scaled(inTheSuite: number): number {
  return Math.round(inTheSuite * size)
}

/** What chance is drawn from. The suite draws the same each time; `pnpm torture` draws anew, and says what it drew. */
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
