import type { Engine } from './engine.js'
import { ClosedError } from './errors.js'
import type { OperationName } from './events.js'
import type { OperationOptions } from './session.js'

/** What one call of the public surface is, for those who watch. */
export interface Operation {
  readonly name: OperationName
  readonly fields: readonly string[]
  /** Whose session it is, as far as that is known when it ends. */
  readonly subject: { readonly sid: string | undefined }
}

/** Runs one call whose work tells the call itself how it ends: of all that happens on the way only the caller waits for a promise. */
export function perform<T>(
  engine: Engine,
  operation: Operation,
  options: OperationOptions | undefined,
  work: (call: Call<T>) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    if (engine.activity.isClosed) throw new ClosedError('The store of these sessions')
    options?.signal?.throwIfAborted()
    const call = new Call(engine, operation, resolve, reject)
    if (options?.signal) call.obey(options.signal)
    try {
      work(call)
    } catch (error) {
      call.fail(error)
    }
  })
}

/** Runs one call whose work is a promise, or is done at once. */
export function performAsync<T>(
  engine: Engine,
  operation: Operation,
  options: OperationOptions | undefined,
  work: (call: Call<T>) => T | Promise<T>,
): Promise<T> {
  return perform(engine, operation, options, (call: Call<T>) => call.follow(work(call)))
}

/** One call that is under way: counted, so that `close` waits for it, measured, and given up when its signal says so. Its first end counts. */
export class Call<T> {
  /** On the monotonic clock. */
  readonly started: number
  readonly #engine: Engine
  readonly #operation: Operation
  readonly #resolve: (value: T) => void
  readonly #reject: (error: unknown) => void
  #stopObeying: (() => void) | undefined
  #isOver = false

  constructor(engine: Engine, operation: Operation, resolve: (value: T) => void, reject: (error: unknown) => void) {
    this.#engine = engine
    this.#operation = operation
    this.#resolve = resolve
    this.#reject = reject
    this.started = engine.core.runtime.monotonic()
    engine.activity.enter()
  }

  get isOver(): boolean {
    return this.#isOver
  }

  succeed(value: T): void {
    if (this.#isOver) return
    this.#end(undefined)
    this.#resolve(value)
  }

  fail(error: unknown): void {
    if (this.#isOver) return
    this.#end(error)
    this.#reject(error)
  }

  /** Ends as `work` does. */
  follow(work: T | Promise<T>): void {
    Promise.resolve(work).then(
      (value) => this.succeed(value),
      (error) => this.fail(error),
    )
  }

  /** Ends with the signal's reason as soon as it is aborted. */
  obey(signal: AbortSignal): void {
    const abort = () => this.fail(signal.reason)
    signal.addEventListener('abort', abort, { once: true })
    this.#stopObeying = () => signal.removeEventListener('abort', abort)
  }

  #end(error: unknown): void {
    this.#isOver = true
    this.#stopObeying?.()
    const { activity, core } = this.#engine
    const { name, fields, subject } = this.#operation
    activity.leave()
    core.telemetry.ended(name, subject.sid, fields, this.started, core.runtime.monotonic(), error)
  }
}
