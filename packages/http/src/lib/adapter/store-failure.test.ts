import { isFieldwiseError, OutcomeUnknownError, SessionGoneError, StoreUnavailableError, UpdateConflictError } from 'fieldwise'
import { expect, test } from 'vitest'
import { withHttpStatus } from './store-failure.js'

const failure = new StoreUnavailableError(
  "memcached 'a' (10.1.2.3:11211) refuses connections",
  new Error('ECONNREFUSED 10.1.2.3'),
)

test('the failure itself is left as it was: it may be shared by callers, or frozen', () => {
  const before = Object.getOwnPropertyNames(failure)
  expect(withHttpStatus(Object.freeze(failure))).not.toBe(failure)
  expect(Object.getOwnPropertyNames(failure)).toEqual(before)
})

test('what is thrown instead is of its class, with its code, and leads to it', () => {
  const conflict = new UpdateConflictError('cart', 32)
  const shown = withHttpStatus(conflict) as UpdateConflictError
  expect(shown).toBeInstanceOf(UpdateConflictError)
  expect(shown).toMatchObject({
    name: 'UpdateConflictError',
    code: 'UPDATE_CONFLICT',
    field: 'cart',
    status: 503,
    statusCode: 503,
  })
  expect(isFieldwiseError(shown, 'UPDATE_CONFLICT')).toBe(true)
  expect(shown.cause).toBe(conflict)
})

test('neither its message nor its stack tells where a server is, and the stack is that of the call', () => {
  const { message, stack = '' } = withHttpStatus(failure) as Error
  expect(`${message} ${stack}`).not.toContain('10.1.2.3')
  expect(stack.split('\n').slice(1)).toEqual(failure.stack?.split('\n').slice(1))
})

test('a failure that was made ready comes back as it is', () => {
  const shown = withHttpStatus(new OutcomeUnknownError('this write'))
  expect(withHttpStatus(shown)).toBe(shown)
})

test.each([
  ['an error of the session', new SessionGoneError('destroyed')],
  ['an error of the app', new Error('mine')],
  ['what is no error', 'thrown'],
])('%s comes back as it is', (_, error) => {
  expect(withHttpStatus(error)).toBe(error)
})
