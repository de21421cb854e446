/** Why the session of a `SESSION_GONE` has ended. */
export type GoneReason =
  /** `destroy` or `revoke` ended it, here or on another server, or memcached evicted its header. */
  | 'destroyed'
  /** Its idle time or its absolute deadline has passed. */
  | 'expired'
  /** memcached evicted one of its fields, or deleted an item that it had no memory to replace. A session comes back whole or not at all. */
  | 'lost'
  /** `regenerate` issued a newer token; this request still carries the old one. The session itself lives on. */
  | 'superseded'
  /** Its user's sessions were ended, or it gave way to a newer one of the same user; or memcached evicted the list of them. */
  | 'ended'

/** Every `code` of a `FieldwiseError`. Codes are stable; messages are for people and may change. */
export type ErrorCode =
  | 'SESSION_GONE'
  | 'FIELD_INVALID'
  | 'UPDATE_CONFLICT'
  | 'OUTCOME_UNKNOWN'
  | 'STORE_UNAVAILABLE'
  | 'VALUE_TOO_LARGE'
  | 'SEAL_BROKEN'
  | 'TOO_MANY_SESSIONS'
  | 'BAD_CONFIG'
  | 'BAD_ARGUMENT'
  | 'HEADERS_SENT'
  | 'CLOSED'

const brand = Symbol.for('fieldwise.error')

/**
 * The base of every error that Fieldwise throws on purpose. Tell errors apart by `code`, never by their text.
 * No message, cause or property ever carries a token, a secret or a stored value.
 *
 * @example
 * try {
 *   await session.set('username', 'ada')
 * } catch (error) {
 *   if (isFieldwiseError(error, 'SESSION_GONE')) return logInAgain()
 *   throw error
 * }
 */
export abstract class FieldwiseError extends Error {
  abstract readonly code: ErrorCode

  /** By this brand, `isFieldwiseError` knows the errors of every copy of this package in one program, where `instanceof` fails. */
  get [brand](): true {
    return true
  }

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
  }
}

/**
 * The session ended while this request was using it. `reason` says why. Where it is `'lost'`, `field` says what was lost: a field's name, or
 * `header`; otherwise it is undefined.
 */
export class SessionGoneError extends FieldwiseError {
  readonly code = 'SESSION_GONE'
  readonly reason: GoneReason
  readonly field: string | undefined

  constructor(reason: GoneReason, field?: string) {
    super(goneMessage(reason, field))
    this.reason = reason
    this.field = field
  }
}

/** What is wrong in one place of a value, without the value itself. */
export interface FieldIssue {
  /** The code of zod's issue, such as `'invalid_type'`; `'not_json'` for what JSON cannot carry. */
  readonly code: string
  /** For `invalid_type`, the type that the schema expects, such as `'string'`. */
  readonly expected?: string | undefined
  /** Where in the field's value: property names and array indexes. Keys of records are data, and are shown as `*`. */
  readonly path: readonly (string | number)[]
}

/** A value does not fit the schema. If it was being written, nothing was stored; if it was being read, what is stored was left as it is. */
export class FieldInvalidError extends FieldwiseError {
  readonly code = 'FIELD_INVALID'
  readonly field: string
  readonly issues: readonly FieldIssue[]

  constructor(field: string, issues: readonly FieldIssue[]) {
    super(`The value of field '${field}' does not fit its schema: ${issues.map(describeIssue).join('; ')}`)
    this.field = field
    this.issues = issues
  }
}

/** Other writers were first in every attempt of this call, until `retry.attempts` or `retry.deadline` was used up. Nothing of it was stored. */
export class UpdateConflictError extends FieldwiseError {
  readonly code = 'UPDATE_CONFLICT'
  readonly field: string

  constructor(field: string, attempts: number) {
    super(
      `Field '${field}' was changed by others in each of ${attempts} attempts; nothing was stored. Split the field, or raise retry.deadline`,
    )
    this.field = field
  }
}

/** The answer to a write was lost, and it cannot be found out whether it was applied. Read the field before deciding what to do. */
export class OutcomeUnknownError extends FieldwiseError {
  readonly code = 'OUTCOME_UNKNOWN'

  constructor(what: string, cause?: unknown) {
    super(`It is unknown whether ${what} was applied: the answer was lost. Read before you try again`, withCause(cause))
  }
}

/** The store did not answer in time, or is known to be down. Nothing of this call was stored. Adapters answer it with a 503. */
export class StoreUnavailableError extends FieldwiseError {
  readonly code = 'STORE_UNAVAILABLE'

  constructor(message: string, cause?: unknown) {
    super(message, withCause(cause))
  }
}

/** A value is too large for an item of the store. It was not stored, and the old value is intact. */
export class ValueTooLargeError extends FieldwiseError {
  readonly code = 'VALUE_TOO_LARGE'
  /** What was too large: a field's name, or `header`. */
  readonly field: string
  /** The size of the item that would have been stored, in bytes. */
  readonly size: number
  /** The largest size that the store takes, in bytes. */
  readonly limit: number

  constructor(field: string, size: number, limit: number) {
    super(tooLargeMessage(field, size, limit))
    this.field = field
    this.size = size
    this.limit = limit
  }
}

/** A stored value was changed or moved by somebody else, or was sealed with a key that is not among `sealing.keys`. */
export class SealBrokenError extends FieldwiseError {
  readonly code = 'SEAL_BROKEN'
  /** The field whose value it was, or `header`. */
  readonly field: string

  constructor(field: string, why: string) {
    super(`The stored value of '${field}' cannot be trusted: ${why}`)
    this.field = field
  }
}

/** This user has as many sessions as `users.max` allows, and `whenFull` is `'refuse'`. Nothing was stored. */
export class TooManySessionsError extends FieldwiseError {
  readonly code = 'TOO_MANY_SESSIONS'
  readonly max: number

  constructor(max: number) {
    super(
      `This user has ${max} living session${max === 1 ? '' : 's'} already, which is users.max; nothing was stored. End one first`,
    )
    this.max = max
  }
}

/** An option is wrong, or contradicts another one. The message says what to write instead. */
export class BadConfigError extends FieldwiseError {
  readonly code = 'BAD_CONFIG'
}

/** An argument of a call is wrong. Nothing was sent. The message says what to pass instead. */
export class BadArgumentError extends FieldwiseError {
  readonly code = 'BAD_ARGUMENT'
}

/** A session was to be created, rotated or ended after the response's headers were sent. Nothing was stored. */
export class HeadersSentError extends FieldwiseError {
  readonly code = 'HEADERS_SENT'

  constructor() {
    super(
      "The response's headers were already sent, so the session's cookie cannot be set; nothing was stored. Write to the session before you answer",
    )
  }
}

/** A session or store was used after `close()`. */
export class ClosedError extends FieldwiseError {
  readonly code = 'CLOSED'

  constructor(what: string) {
    super(`${what} was closed`)
  }
}

/** Each error class by its code. */
export interface ErrorsByCode {
  SESSION_GONE: SessionGoneError
  FIELD_INVALID: FieldInvalidError
  UPDATE_CONFLICT: UpdateConflictError
  OUTCOME_UNKNOWN: OutcomeUnknownError
  STORE_UNAVAILABLE: StoreUnavailableError
  VALUE_TOO_LARGE: ValueTooLargeError
  SEAL_BROKEN: SealBrokenError
  TOO_MANY_SESSIONS: TooManySessionsError
  BAD_CONFIG: BadConfigError
  BAD_ARGUMENT: BadArgumentError
  HEADERS_SENT: HeadersSentError
  CLOSED: ClosedError
}

/**
 * Whether `error` is a `FieldwiseError`; with `code`, whether it is one with that code. Works across two copies of this package in one
 * program, where `instanceof` would not.
 *
 * @example
 * if (isFieldwiseError(error, 'SESSION_GONE')) console.log(error.reason)
 */
export function isFieldwiseError<C extends ErrorCode = ErrorCode>(error: unknown, code?: C): error is ErrorsByCode[C] {
  if (typeof error !== 'object' || error === null || !(brand in error)) return false
  return code === undefined || (error as FieldwiseError).code === code
}

function goneMessage(reason: GoneReason, field: string | undefined): string {
  switch (reason) {
    case 'destroyed':
      return 'This session was ended'
    case 'expired':
      return 'This session has expired'
    case 'lost':
      return `This session has ended because its ${field === 'header' ? field : `field '${field}'`} is no longer in the store`
    case 'superseded':
      return 'This session has a newer token; the token of this request is no longer valid'
    case 'ended':
      return "This session was ended with others of its user, or the list of this user's sessions is no longer in the store"
  }
}

function tooLargeMessage(field: string, size: number, limit: number): string {
  const [what, remedy] =
    field === 'header'
      ? ["The session's header", 'Use fewer fields, or shorter names']
      : [`'${field}'`, 'Store less, or split the field']
  return `${what} takes ${size} bytes, and an item of the store holds at most ${limit}; nothing was stored. ${remedy}`
}

function describeIssue(issue: FieldIssue): string {
  const where = issue.path.length === 0 ? '' : ` at ${issue.path.join('.')}`
  const expected = issue.expected === undefined ? '' : ` (expected ${issue.expected})`
  return `${issue.code}${where}${expected}`
}

function withCause(cause: unknown): ErrorOptions | undefined {
  return cause === undefined ? undefined : { cause }
}
