import type { CheckOptions } from '../api/sessions.js'
import type { SharedBase, SharedStats } from '../api/shared.js'
import { leastOf } from '../engine/common-options.js'
import { readDeadline } from '../engine/context.js'
import { Operation } from '../engine/operation.js'
import type { SharedEngine } from './engine.js'

/** The implementation of what every `Shared` has besides its kinds. */
export class SharedFacade implements SharedBase {
  readonly #engine: SharedEngine

  constructor(engine: SharedEngine) {
    this.#engine = engine
  }

  check(options: CheckOptions = {}): Promise<void> {
    const operation = new Operation<void>(this.#engine, { name: 'check', entry: this.check }, [], { sid: undefined })
    return operation.runAsync(undefined, () => {
      return this.#engine.store.check(readDeadline(this.#engine, operation.started), leastOf(options))
    })
  }

  stats(): SharedStats {
    return this.#engine.telemetry.sharedStats()
  }

  close(): Promise<void> {
    return this.#engine.calls.close(this.#engine.store)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }
}
