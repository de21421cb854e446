import { type ErrorCode, type FieldwiseError, isFieldwiseError } from 'fieldwise'

/** Whether the session's store failed or gave up, so that the same request may succeed a moment later. */
export function isStoreFailure(error: unknown): error is FieldwiseError {
  return isFieldwiseError(error) && failures.has(error.code)
}

const failures: ReadonlySet<ErrorCode> = new Set(['STORE_UNAVAILABLE', 'OUTCOME_UNKNOWN', 'UPDATE_CONFLICT', 'CLOSED'])

/**
 * A failure of the store as a framework's own error path wants it: with `status` (Express, Koa), `statusCode` (Express, Fastify,
 * NestJS), `headers` (Express, Fastify) and `getResponse` (Hono). Frameworks show an error's message to visitors, and the message of a
 * failure names servers: so this is an error of its own, whose `cause` is the failure. Any other error comes back as it is.
 */
export function withHttpStatus(error: unknown): unknown {
  if (!isStoreFailure(error) || isShown(error)) return error
  const shown = new Error(message, { cause: error })
  const { message: _message, stack: _stack, cause: _cause, ...own } = Object.getOwnPropertyDescriptors(error)
  // Of its class, with its code and whatever else it tells.
  Object.setPrototypeOf(shown, Object.getPrototypeOf(error))
  Object.defineProperties(shown, own)
  Object.defineProperty(shown, 'stack', { value: stackOf(error), writable: true, configurable: true })
  Object.defineProperty(shown, 'getResponse', { value: serviceUnavailable, configurable: true })
  return Object.assign(shown, { status: 503, statusCode: 503, expose: false, headers: { 'Retry-After': retryAfter } })
}

/** Whether this is what {@link withHttpStatus} made. */
export function isShown(error: FieldwiseError): boolean {
  return Object.hasOwn(error, 'getResponse')
}

/** The answer for a failure of the store, where there is no framework to make one. */
export function serviceUnavailable(): Response {
  return new Response('Service Unavailable', { status: 503, headers: { 'Retry-After': retryAfter } })
}

/** In seconds. A memcached server that was lost is tried again after one. */
export const retryAfter = '1'

const message = 'The session is temporarily unavailable'

function stackOf({ stack = '', message: hidden }: Error): string {
  return stack.replace(hidden, message)
}
