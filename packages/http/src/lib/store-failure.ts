import { type ErrorCode, type FieldwiseError, isFieldwiseError } from 'fieldwise'

/** Whether the session's store failed, or had to give up: the same request may well succeed a moment later. */
export function isStoreFailure(error: unknown): error is FieldwiseError {
  return isFieldwiseError(error) && failures.has(error.code)
}

const failures: ReadonlySet<ErrorCode> = new Set(['STORE_UNAVAILABLE', 'OUTCOME_UNKNOWN', 'UPDATE_CONFLICT', 'CLOSED'])

/**
 * Gives a failure of the store what a framework's own error path looks for: `status` (Express, Koa), `statusCode` (Express, Fastify),
 * `headers` (Express, Fastify) and `getResponse` (Hono). Any other error comes back as it was.
 */
export function withHttpStatus<E>(error: E): E {
  if (!isStoreFailure(error)) return error
  Object.assign(error, { status: 503, statusCode: 503, headers: { 'Retry-After': retryAfter } })
  return Object.defineProperty(error, 'getResponse', { value: serviceUnavailable, configurable: true })
}

/** The answer for a failure of the store, where there is no framework to make one. */
export function serviceUnavailable(): Response {
  return new Response('Service Unavailable', { status: 503, headers: { 'Retry-After': retryAfter } })
}

/** In seconds. A memcached server that was lost is tried again after one. */
const retryAfter = '1'
