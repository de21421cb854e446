import { isFieldwiseError } from './errors.js'

/**
 * The error that one call is rejected with: what one event meant for several calls is an object of its own for each of them, since callers
 * write on what they catch. Errors of the application's own are handed on as they are.
 */
export function ownError(error: unknown): unknown {
  if (!isFieldwiseError(error)) return error
  const own = Object.setPrototypeOf(new Error(error.message), Object.getPrototypeOf(error))
  return Object.defineProperties(own, Object.getOwnPropertyDescriptors(error))
}
