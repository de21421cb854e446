import { AsyncResource } from 'node:async_hooks'
import { ClosedError } from '../api/errors.js'
import type { OperationName } from '../api/events.js'
import { assertCallOptions } from '../api/options.js'
import { ownError } from '../api/own-error.js'
import type { OperationOptions } from '../api/session.js'
import { calledAt, fromCaller, type PublicFunction, rejectAtCaller } from '../api/stack.js'
import type { Engine } from './engine.js'
import type { Receiver } from './receiver.js'
import { disobey, obey } from './signals.js'

/** What one call of the public surface is, for those who watch. */
export interface Operation {
  readonly name: OperationName
  readonly fields: readonly string[]
  /** The method that was called. */
  readonly entry: PublicFunction
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
    if (engine.calls.isClosed) throw calledAt(new ClosedError('The store of these sessions'), operation.entry)
    if (options !== undefined) admit(operation, options)
    const call = new Call(engine, operation, resolve, reject)
    try {
      if (options?.signal) call.obey(options.signal)
      work(call)
    } catch (error) {
      call.fail(error)
    }
  })
}

/** @throws the signal's reason where it is aborted already. */
function admit({ name, entry }: Operation, options: OperationOptions): void {
  fromCaller(entry, () => assertCallOptions(name, options))
  options.signal?.throwIfAborted()
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
export class Call<T> implements Receiver<T> {
  /** On the running clock, for its deadline. */
  readonly started: number
  /** On the monotonic clock, for those who watch. */
  readonly #startedAt: number
  readonly #engine: Engine
  readonly #operation: Operation
  readonly #resolve: (value: T | PromiseLike<T>) => void
  readonly #reject: (error: unknown) => void
  /** The async context of its caller, where somebody wants to be told in it. */
  readonly #context: AsyncResource | undefined
  #signal: AbortSignal | undefined
  #isOver = false

  constructor(
    engine: Engine,
    operation: Operation,
    resolve: (value: T | PromiseLike<T>) => void,
    reject: (error: unknown) => void,
  ) {
    this.#engine = engine
    this.#operation = operation
    this.#resolve = resolve
    this.#reject = reject
    this.#context = engine.context.telemetry.isWatched ? new AsyncResource('fieldwise') : undefined
    this.started = engine.context.environment.running()
    this.#startedAt = engine.context.environment.monotonic()
    engine.calls.enter()
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
    rejectAtCaller(ownError(error), this.#operation.entry, { resolve: this.#resolve, reject: this.#reject })
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
    this.#signal = signal
    obey(signal, this)
  }

  #end(error: unknown): void {
    this.#isOver = true
    if (this.#signal) disobey(this.#signal, this)
    this.#engine.calls.leave()
    if (this.#context) this.#context.runInAsyncScope(() => this.#tell(error))
    else this.#tell(error)
  }

  #tell(error: unknown): void {
    const { telemetry, environment } = this.#engine.context
    const { name, fields, subject } = this.#operation
    telemetry.ended(name, subject.sid, fields, this.#startedAt, environment.monotonic(), error)
  }
}
