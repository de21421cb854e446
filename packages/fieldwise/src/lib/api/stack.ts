import { type FieldwiseError, isFieldwiseError } from './errors.js'

/** A function that users call. */
// biome-ignore lint/complexity/noBannedTypes: as `Error.captureStackTrace` takes it
export type PublicFunction = Function

/**
 * Runs the work of a public function. The stack of an error of ours that it throws begins where `entry` was called: on the caller's line, and
 * not so many frames further in that Node cuts the caller off.
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

/** Gives `error` back; if it is one of ours, with the stack of whoever called `entry`, which is running. */
export function calledAt<E>(error: E, entry: PublicFunction): E {
  if (isFieldwiseError(error)) beginBelow(error, entry)
  return error
}

/** Both ends of a promise that a public method has returned. */
export interface PromiseEnds {
  resolve(outcome: PromiseLike<never>): void
  reject(error: unknown): void
}

/**
 * Rejects the promise that `entry` has returned, or is about to. The stack of an error of ours begins where `entry` was called, while that
 * is on the stack, and later where the promise is awaited.
 */
export function rejectAtCaller(error: unknown, entry: PublicFunction, outcome: PromiseEnds): void {
  if (!isFieldwiseError(error) || beginBelow(error, entry)) outcome.reject(error)
  else rejectWhereAwaited(error, outcome)
}

/**
 * V8 finds who awaits a promise from a reaction that leads to that promise. One is made here, when the call has failed: nothing needs to
 * be noted for it while a call is under way, and one that succeeds pays nothing.
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
  // The way from `failing` to the promise comes first, then the reaction that looks along it.
  resolve(failing)
  begin()
}

/** False where nobody is found below `entry`: the stack stays that of the place where the error was made. */
function beginBelow(error: FieldwiseError, entry: PublicFunction): boolean {
  const probe = { stack: '' }
  Error.captureStackTrace(probe, entry)
  const lines = String(probe.stack).split('\n')
  const first = lines.findIndex((line) => /^ {4}at /.test(line) && !line.includes('(node:internal/process/task_queues:'))
  if (first === -1) return false
  error.stack = [String(error), ...lines.slice(first)].join('\n')
  return true
}
