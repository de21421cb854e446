import { AsyncResource } from 'node:async_hooks'
import { ClosedError } from '../api/errors.js'
import type { OperationName } from '../api/events.js'
import { assertCallOptions } from '../api/options.js'
import { ownError } from '../api/own-error.js'
import type { OperationOptions } from '../api/session.js'
import { calledAt, fromCaller, type PublicFunction, rejectAtCaller } from '../api/stack.js'
import type { CallsInFlight } from './calls-in-flight.js'
import type { ItemContext } from './context.js'
import { disobey, obey } from './signals.js'

/** The public method that was called. */
export interface Called {
  readonly name: OperationName
  /** The method itself: the stacks of its errors begin at its caller. */
  readonly entry: PublicFunction
  /** The options that it takes, where it is not the method of a session. */
  readonly takes?: readonly string[]
}

/** The session that a call is about. Its id is read when the call ends, since it may not be known before. */
export interface Subject {
  readonly sid: string | undefined
}

/** What all operations of one `createSessions` or `createShared` run in. */
export interface OperationContext extends ItemContext {
  readonly calls: CallsInFlight
}

/**
 * One call of a public method: owns the caller's promise, the start of the deadline and the abort signal. It is counted, so that `close` waits
 * for it, and timed. It ends once; later ends are ignored.
 */
export class Operation<T> {
  readonly fields: readonly string[]
  /** On the running clock, for its deadline; set when it begins. */
  started = 0
  readonly #context: OperationContext
  readonly #called: Called
  readonly #subject: Subject
  /** On the monotonic clock, for events and statistics. */
  #startedAt = 0
  #resolve!: (value: T | PromiseLike<T>) => void
  #reject!: (error: unknown) => void
  /** The async context of the caller, in which the end is published. Undefined without subscribers. */
  #async: AsyncResource | undefined
  #signal: AbortSignal | undefined
  #isOver = false

  /** @param fields what was asked for by name */
  constructor(context: OperationContext, called: Called, fields: readonly string[], subject: Subject) {
    this.#context = context
    this.#called = called
    this.fields = fields
    this.#subject = subject
  }

  /** It has ended: nobody waits for it any more. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** Begins it. `work` sees to it that {@link succeed} or {@link fail} is called; what it throws fails the operation. */
  run(options: OperationOptions | undefined, work: () => void): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
      this.#admit(options)
      this.#begin()
      try {
        if (options?.signal) this.#obey(options.signal)
        work()
      } catch (error) {
        this.fail(error)
      }
    })
  }

  /** Begins it, and ends as `work` does. */
  runAsync(options: OperationOptions | undefined, work: () => T | Promise<T>): Promise<T> {
    return this.run(options, () => {
      Promise.resolve(work()).then(
        (value) => this.succeed(value),
        (error) => this.fail(error),
      )
    })
  }

  succeed(value: T): void {
    if (this.#isOver) return
    this.#end(undefined)
    this.#resolve(value)
  }

  fail(error: unknown): void {
    if (this.#isOver) return
    this.#end(error)
    rejectAtCaller(ownError(error), this.#called.entry, { resolve: this.#resolve, reject: this.#reject })
  }

  /** @throws {ClosedError} after `close`, {BadArgumentError} for options that are none, and the signal's reason where it is aborted already. */
  #admit(options: OperationOptions | undefined): void {
    const { name, entry, takes } = this.#called
    if (this.#context.calls.isClosed) throw calledAt(new ClosedError(this.#context.calls.owner), entry)
    if (options === undefined) return
    fromCaller(entry, () => assertCallOptions(name, options, takes))
    options.signal?.throwIfAborted()
  }

  #begin(): void {
    const { telemetry, environment, calls } = this.#context
    this.#async = telemetry.isWatched ? new AsyncResource('fieldwise') : undefined
    this.started = environment.running()
    this.#startedAt = environment.monotonic()
    calls.enter()
  }

  /** It ends with the signal's reason as soon as that is aborted. */
  #obey(signal: AbortSignal): void {
    this.#signal = signal
    obey(signal, this)
  }

  #end(error: unknown): void {
    this.#isOver = true
    if (this.#signal) disobey(this.#signal, this)
    this.#context.calls.leave()
    if (this.#async) this.#async.runInAsyncScope(() => this.#tell(error))
    else this.#tell(error)
  }

  #tell(error: unknown): void {
    const { telemetry, environment } = this.#context
    telemetry.ended(this.#called.name, this.#subject.sid, this.fields, this.#startedAt, environment.monotonic(), error)
  }
}
