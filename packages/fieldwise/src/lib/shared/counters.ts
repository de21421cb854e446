import { BadArgumentError, FieldInvalidError } from '../api/errors.js'
import type { OperationOptions } from '../api/session.js'
import type { Count, Counter, IncrementOptions } from '../api/shared.js'
import { readDeadline } from '../engine/context.js'
import { serverTimeNow } from '../engine/snapshot.js'
import type { SharedEngine } from './engine.js'
import { type Contents, contentsIn, type WriteOutcome, type Written } from './item-swap.js'
import type { CounterKind } from './kinds.js'
import { deadlineAfter, lifeOf, SharedKind } from './shared-kind.js'

/** The implementation of `Counter`. Its item holds the count, and the end of the window as its deadline (S2). */
export class Counters extends SharedKind implements Counter {
  readonly window: number

  constructor(engine: SharedEngine, name: string, { window }: CounterKind) {
    super(engine, name)
    this.window = window
  }

  increment(id: string, options?: IncrementOptions): Promise<Count> {
    return this.call<Count>(
      'increment',
      id,
      options,
      async (address, operation) => {
        const { by = 1, window } = options ?? {}
        if (!Number.isSafeInteger(by) || by === 0) throw new BadArgumentError('increment adds a whole number that is not 0')
        const life = lifeOf('increment: window', window, this.window)
        let counted: Contents | undefined
        const outcome = await this.change(address, operation, {
          change: (before, at) => {
            counted = this.#increased(before, by, deadlineAfter(at, life))
            return counted
          },
        })
        return this.#count(counted as Contents, outcome)
      },
      ['by', 'window', 'signal'],
    )
  }

  peek(id: string, options?: OperationOptions): Promise<Count | undefined> {
    return this.call<Count | undefined>('peek', id, options, async (address, { started }) => {
      const seen = await this.engine.reader.read(address, readDeadline(this.engine, started))
      if (seen.broken) throw seen.broken
      const contents = contentsIn(seen, this.engine.environment)
      return contents && this.#count(contents, seen)
    })
  }

  reset(id: string, options?: OperationOptions): Promise<void> {
    return this.call<void>('reset', id, options, async (address, operation) => {
      await this.change(address, operation, { change: () => undefined, isBlind: true })
    })
  }

  /** Within its window a count grows and keeps the end; without one, another window begins (S2). */
  #increased(before: Written | undefined, by: number, end: number): Contents {
    const count = Math.max(0, this.#countIn(before) + by)
    if (!Number.isSafeInteger(count))
      throw new BadArgumentError(`increment: the count of '${this.name}' would no longer be exact`)
    return { json: String(count), deadline: before?.deadline || end }
  }

  #count(contents: Contents, seen: WriteOutcome): Count {
    const resetsIn = Math.max(0, contents.deadline - serverTimeNow(seen, this.engine.environment))
    return { count: this.#countIn(contents), resetsAt: new Date(contents.deadline), resetsIn }
  }

  #countIn(contents: Contents | undefined): number {
    const count = Number(contents?.json ?? 0)
    if (Number.isSafeInteger(count)) return count
    throw new FieldInvalidError(this.name, [{ code: 'invalid_type', expected: 'int', path: [] }])
  }
}
