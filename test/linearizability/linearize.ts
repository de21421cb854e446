/** What a register holds, as text. */
export type State = string

/** A call on a register: what it makes of the state that it finds. */
export interface Step {
  readonly id: string
  readonly began: number
  /** Infinity: nobody can tell whether it took effect, and if so, when. All others did. */
  readonly ended: number
  /** Whether it leaves every state as it is. */
  readonly isRead: boolean
  /** The state that it leaves behind; undefined where it could not have ended as it did. */
  apply(state: State): State | undefined
}

/** Where the longest order that could be found ends: what the register then held, and the calls of which none can be next. */
export interface DeadEnd {
  readonly state: State
  readonly placed: number
  readonly next: readonly string[]
  /** False: the search was given up before all orders had been tried. */
  readonly isCertain: boolean
}

/**
 * Whether there is an order of the steps that a register could have gone through: every step takes effect at one moment between its
 * beginning and its end, and one that has no end at some moment after its beginning, or never. Undefined if there is one.
 *
 * The search is that of Wing and Gong (Testing and verifying concurrent objects, 1993), with Lowe's memory of what was tried (Testing for
 * linearizability, 2017). It is complete: what it refuses has no order, what it accepts has one.
 */
export function deadEndOf(steps: readonly Step[], initial: State, most = 20_000): DeadEnd | undefined {
  return new Search(steps).run(initial, most)
}

interface Move {
  readonly step: Step
  readonly state: State
}

class Search {
  /** Both in the order of their beginnings. */
  readonly #required: readonly Step[]
  readonly #optional: readonly Step[]
  readonly #indexes: ReadonlyMap<Step, number>
  readonly #tried = new Set<string>()
  readonly #placed = new Set<Step>()
  /** One bit for each step that is placed. */
  #requiredMask = 0n
  #optionalMask = 0n
  /** The first required step that is not placed. */
  #first = 0
  #deepest: DeadEnd = { state: '', placed: -1, next: [], isCertain: true }

  constructor(steps: readonly Step[]) {
    const sorted = [...steps].sort((one, other) => one.began - other.began)
    this.#required = sorted.filter(isRequired)
    this.#optional = sorted.filter((step) => !isRequired(step))
    this.#indexes = new Map([...this.#required.entries(), ...this.#optional.entries()].map(([index, step]) => [step, index]))
  }

  run(initial: State, most: number): DeadEnd | undefined {
    const path: Step[] = []
    const choices = [this.#moves(initial)]
    while (choices.length > 0) {
      if (this.#first === this.#required.length) return undefined
      if (this.#tried.size > most) return { ...this.#deepest, isCertain: false }
      const move = choices.at(-1)?.next().value
      if (move) {
        this.#place(move.step)
        if (this.#isNew(move.state)) {
          path.push(move.step)
          choices.push(this.#moves(move.state))
        } else this.#takeBack(move.step)
      } else {
        choices.pop()
        const last = path.pop()
        if (last) this.#takeBack(last)
      }
    }
    return this.#deepest
  }

  /** What may come next. The required ones come first: most steps without an end never took effect. */
  *#moves(state: State): Generator<Move, undefined> {
    const horizon = this.#horizon()
    const required = [...this.#candidates(this.#required, this.#first, horizon)]
    this.#note(state, required)
    const read = required.find((step) => step.isRead && step.apply(state) !== undefined)
    if (read) {
      // It takes nothing away from what may follow, so no order without it needs to be tried.
      yield { step: read, state }
      return
    }
    for (const step of required) {
      const next = step.apply(state)
      if (next !== undefined) yield { step, state: next }
    }
    for (const step of this.#candidates(this.#optional, 0, horizon)) {
      const next = step.apply(state)
      // What changes nothing need not have been, and may still come later.
      if (next !== undefined && next !== state) yield { step, state: next }
    }
  }

  /** The first end of a step that is still to be placed: what began later comes after it. */
  #horizon(): number {
    let horizon = Number.POSITIVE_INFINITY
    for (let index = this.#first; index < this.#required.length; index++) {
      const step = this.#required[index] as Step
      if (step.began > horizon) break
      if (!this.#placed.has(step)) horizon = Math.min(horizon, step.ended)
    }
    return horizon
  }

  *#candidates(steps: readonly Step[], from: number, horizon: number): Generator<Step> {
    for (let index = from; index < steps.length; index++) {
      const step = steps[index] as Step
      if (step.began > horizon) return
      if (!this.#placed.has(step)) yield step
    }
  }

  #place(step: Step): void {
    this.#placed.add(step)
    this.#flip(step)
    while (this.#placed.has(this.#required[this.#first] as Step)) this.#first++
  }

  #takeBack(step: Step): void {
    this.#placed.delete(step)
    this.#flip(step)
    if (isRequired(step)) this.#first = Math.min(this.#first, this.#indexes.get(step) as number)
  }

  #flip(step: Step): void {
    const bit = 1n << BigInt(this.#indexes.get(step) as number)
    if (isRequired(step)) this.#requiredMask ^= bit
    else this.#optionalMask ^= bit
  }

  /** Whether these steps have not left this state behind before. */
  #isNew(state: State): boolean {
    const ahead = this.#requiredMask >> BigInt(this.#first)
    const key = `${this.#first} ${ahead.toString(36)} ${this.#optionalMask.toString(36)} ${state}`
    if (this.#tried.has(key)) return false
    this.#tried.add(key)
    return true
  }

  #note(state: State, next: readonly Step[]): void {
    const placed = this.#placed.size
    if (placed > this.#deepest.placed) this.#deepest = { state, placed, next: next.map(({ id }) => id), isCertain: true }
  }
}

function isRequired({ ended }: Step): boolean {
  return ended !== Number.POSITIVE_INFINITY
}
