import { BadArgumentError, BadConfigError } from './errors.js'
import type { OperationName } from './events.js'
import type { OperationOptions } from './session.js'

/** The error class for a bad option: of one call (`BAD_ARGUMENT`), or of the configuration (`BAD_CONFIG`). */
export type Refusal = typeof BadConfigError | typeof BadArgumentError

/**
 * Checks that `value` is an object with no properties but `names`, since a misspelt option would silently mean its default. `owner` names
 * the function in the message.
 *
 * @throws `BAD_CONFIG`, or the error class given as `Refusal`, for what is not an object and for an option that is not among `names`.
 *
 * @example
 * assertOptions('visitorCounter', { limit: 5 }, ['limit', 'window'])
 */
export function assertOptions(owner: string, value: unknown, names: readonly string[], Refusal: Refusal = BadConfigError): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new Refusal(`${owner} takes an object with ${names.join(', ')}`)
  }
  const unknown = Object.keys(value).find((name) => !names.includes(name))
  if (unknown !== undefined) throw new Refusal(`${owner} has no option '${unknown.slice(0, 40)}'; it has ${names.join(', ')}`)
}

/** Checks the options that every public method takes last. @throws {BadArgumentError} */
export function assertCallOptions(
  operation: OperationName,
  options: OperationOptions,
  names: readonly string[] = optionsOf[operation] ?? ['signal'],
): void {
  assertOptions(operation, options, names, BadArgumentError)
  const { signal } = options
  if (signal !== undefined && !isSignal(signal)) throw new BadArgumentError(`${operation}: signal must be an AbortSignal`)
}

const optionsOf: { readonly [K in OperationName]?: readonly string[] } = {
  create: ['user', 'lifetime', 'persist', 'signal'],
  open: ['preload', 'signal'],
  'user.list': ['current', 'preload', 'signal'],
  'user.end': ['except', 'signal'],
  regenerate: ['user', 'lifetime', 'persist', 'grace', 'signal'],
}

/** Not `instanceof`: the signal may be of another realm or of a polyfill. */
function isSignal(value: unknown): value is AbortSignal {
  const signal = value as Partial<AbortSignal> | null
  return typeof signal?.throwIfAborted === 'function' && typeof signal.addEventListener === 'function'
}
