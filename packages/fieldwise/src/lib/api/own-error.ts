import { isFieldwiseError } from './errors.js'

/**
 * The error that one call is rejected with. Where one event fails several calls, each is handed an error object of its own, since callers write
 * onto what they catch. Errors of the application are handed on as they are.
 */
export function ownError(error: unknown): unknown {
  if (!isFieldwiseError(error)) return error
  const own = Object.setPrototypeOf(new Error(error.message), Object.getPrototypeOf(error))
  return Object.defineProperties(own, Object.getOwnPropertyDescriptors(error))
}
