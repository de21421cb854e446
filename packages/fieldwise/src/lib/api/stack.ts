import { type FieldwiseError, isFieldwiseError } from './errors.js'

/** A function of the public surface, which users call. */
// biome-ignore lint/complexity/noBannedTypes: as `Error.captureStackTrace` takes it
export type PublicFunction = Function

/**
 * Runs the work of a public function, and returns its result. If it throws an error of Fieldwise, the error's stack begins at the line that
 * called `entry`. Otherwise the frames of the library could fill the ten that Node keeps, and the user's line would be missing.
 *
 * @example
 * function resumeVisitor(token: string) {
 *   return fromCaller(resumeVisitor, () => sessions.resume(token))
 * }
 */
export function fromCaller<T>(entry: PublicFunction, work: () => T): T {
  try {
    return work()
  } catch (error) {
    throw calledAt(error, entry)
  }
}

/** Returns `error`. The stack of an error of Fieldwise is made to begin at the caller of `entry`, which must be running. */
export function calledAt<E>(error: E, entry: PublicFunction): E {
  if (isFieldwiseError(error)) beginBelow(error, entry)
  return error
}

/** The functions that settle a promise which a public method has returned. */
export interface PromiseEnds {
  resolve(outcome: PromiseLike<never>): void
  reject(error: unknown): void
}

/**
 * Rejects the promise that `entry` returns. The stack of an error of Fieldwise begins where `entry` was called if that call is still
 * running, and otherwise where the promise is awaited.
 */
export function rejectAtCaller(error: unknown, entry: PublicFunction, outcome: PromiseEnds): void {
  if (!isFieldwiseError(error) || beginBelow(error, entry)) outcome.reject(error)
  else rejectWhereAwaited(error, outcome)
}

/**
 * V8 can tell who awaits a promise only from within a reaction that the promise depends on. Such a reaction is made here, after the call has
 * failed, so that calls that succeed pay nothing.
 */
function rejectWhereAwaited(error: FieldwiseError, { resolve }: PromiseEnds): void {
  let begin: () => void = () => {}
  const beginning = new Promise<void>((settle) => {
    begin = settle
  })
  const failing = beginning.then(function reaction(): never {
    beginBelow(error, reaction)
    throw error
  })
  // `resolve` makes the promise depend on `failing`, so it comes before the reaction runs.
  resolve(failing)
  begin()
}

/** Makes the stack of `error` begin below `entry`. False where no caller is on the stack: then it is left as it is. */
function beginBelow(error: FieldwiseError, entry: PublicFunction): boolean {
  const probe = { stack: '' }
  Error.captureStackTrace(probe, entry)
  const lines = String(probe.stack).split('\n')
  const first = lines.findIndex((line) => /^ {4}at /.test(line) && !line.includes('(node:internal/process/task_queues:'))
  if (first === -1) return false
  error.stack = [String(error), ...lines.slice(first)].join('\n')
  return true
}
