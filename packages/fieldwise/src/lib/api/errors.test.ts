import { describe, expect, test, vi } from 'vitest'
import {
  BadArgumentError,
  BadConfigError,
  ClosedError,
  FieldInvalidError,
  FieldwiseError,
  HeadersSentError,
  isFieldwiseError,
  OutcomeUnknownError,
  SealBrokenError,
  SessionGoneError,
  StoreUnavailableError,
  UpdateConflictError,
  ValueTooLargeError,
} from './errors.js'

const errors = [
  ['SESSION_GONE', new SessionGoneError('lost', 'cart')],
  ['FIELD_INVALID', new FieldInvalidError('cart', [{ code: 'invalid_type', path: [0, 'sku'] }])],
  ['UPDATE_CONFLICT', new UpdateConflictError('cart', 32)],
  ['OUTCOME_UNKNOWN', new OutcomeUnknownError('this change', new Error('reset'))],
  ['STORE_UNAVAILABLE', new StoreUnavailableError('down')],
  ['VALUE_TOO_LARGE', new ValueTooLargeError('cart', 2, 1)],
  ['SEAL_BROKEN', new SealBrokenError('cart', 'it was changed')],
  ['BAD_CONFIG', new BadConfigError('write this instead')],
  ['BAD_ARGUMENT', new BadArgumentError('not a field')],
  ['HEADERS_SENT', new HeadersSentError()],
  ['CLOSED', new ClosedError('It')],
] as const

describe('every error', () => {
  test.each(errors)('%s has its code, its name and a message', (code, error) => {
    expect(error.code).toBe(code)
    expect(error).toBeInstanceOf(FieldwiseError)
    expect(error).toBeInstanceOf(Error)
    expect(error.name).toBe(error.constructor.name)
    expect(error.message.length).toBeGreaterThan(0)
    expect(String(error)).toBe(`${error.name}: ${error.message}`)
  })

  test.each(errors)('%s is told apart by its code alone', (code, error) => {
    expect(errors.filter(([other]) => isFieldwiseError(error, other)).map(([other]) => other)).toEqual([code])
    expect(isFieldwiseError(error)).toBe(true)
  })
})

describe('isFieldwiseError', () => {
  test('knows errors of another copy of this package', async () => {
    vi.resetModules()
    const copy = await import('./errors.js')
    const foreign = new copy.StoreUnavailableError('down')
    expect(foreign).not.toBeInstanceOf(FieldwiseError)
    expect(isFieldwiseError(foreign, 'STORE_UNAVAILABLE')).toBe(true)
    expect(isFieldwiseError(foreign, 'CLOSED')).toBe(false)
  })

  test.each([
    Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
    Object.assign(new Error('of another library'), { code: 'STORE_UNAVAILABLE' }),
    Object.assign(new Error('inherited'), { code: 'toString' }),
    Object.assign(new Error('number'), { code: 7 }),
    new Error('plain'),
    { code: 'CLOSED' },
    'CLOSED',
    null,
    undefined,
  ])('does not take %s for one', (value) => {
    expect(isFieldwiseError(value)).toBe(false)
  })
})

describe('SESSION_GONE', () => {
  test.each(['destroyed', 'expired', 'lost', 'superseded'] as const)('says how: %s', (reason) => {
    expect(new SessionGoneError(reason).reason).toBe(reason)
  })

  test('names the field that was lost', () => {
    const error = new SessionGoneError('lost', 'cart')
    expect(error.field).toBe('cart')
    expect(error.message).toContain("'cart'")
  })
})

describe('causes', () => {
  test('are kept where there is one, and there is no empty one', () => {
    const cause = new Error('reset')
    expect(new StoreUnavailableError('down', cause).cause).toBe(cause)
    expect('cause' in new StoreUnavailableError('down')).toBe(false)
    expect('cause' in new OutcomeUnknownError('it')).toBe(false)
    expect('cause' in new FieldInvalidError('cart', [])).toBe(false)
  })
})

describe('VALUE_TOO_LARGE says what to change', () => {
  test('for a field: the field', () => {
    expect(new ValueTooLargeError('cart', 2, 1).message).toMatch(/'cart' takes 2 bytes.* Store less, or split the field$/)
  })

  test('for the header, which lists the fields: how many there are', () => {
    expect(new ValueTooLargeError('header', 2, 1).message).toMatch(/header takes 2 bytes.* Use fewer fields, or shorter names$/)
  })
})

test('FIELD_INVALID says where and what was expected, without the value', () => {
  const error = new FieldInvalidError('cart', [
    { code: 'invalid_type', path: [0, 'sku'], expected: 'string' },
    { code: 'too_big', path: [] },
  ])
  expect(error.message).toBe(
    "The value of field 'cart' does not fit its schema: invalid_type at 0.sku (expected string); too_big",
  )
})
