/** Why a session that this request was using is not there any more. */
export type GoneReason =
  /** `destroy` or `revoke` ended it, here or on another server, or memcached evicted its header. */
  | 'destroyed'
  /** Its idle time or its absolute deadline has passed. */
  | 'expired'
  /** memcached evicted one of its fields, or deleted an item that it had no memory to replace: a session comes back whole or not at all. */
  | 'lost'
  /** A newer secret was issued for it; this request still carries the one before. */
  | 'superseded'

/** Every `code` that an error of Fieldwise can have. Codes are stable; messages are for people and may change. */
export type ErrorCode =
  | 'SESSION_GONE'
  | 'FIELD_INVALID'
  | 'UPDATE_CONFLICT'
  | 'OUTCOME_UNKNOWN'
  | 'STORE_UNAVAILABLE'
  | 'VALUE_TOO_LARGE'
  | 'SEAL_BROKEN'
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

  /** By this an error is known to every copy of this package in one program, as bundlers and linked folders make them. */
  get [brand](): true {
    return true
  }

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
  }
}

/** The session ended while this request was using it. `reason` says how, `field` what was lost: a field's name, or `header`. */
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

/** What is wrong at one place of a value: the issue's code and the path to it, without the value. */
export interface FieldIssue {
  readonly code: string
  /** For `invalid_type`: the type that the schema has there, such as `'string'`. */
  readonly expected?: string | undefined
  /** Property names and array indexes from the field's value inwards; keys of records read `*`, since they are data. */
  readonly path: readonly (string | number)[]
}

/** A value does not fit the schema. On a write nothing was stored; on a read the stored bytes were left as they are. */
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

/** `update` used up its attempts or its deadline against other writers. Nothing of this call was stored. */
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

/** The store went away and it cannot be told whether the write was applied. Read before deciding what to do. */
export class OutcomeUnknownError extends FieldwiseError {
  readonly code = 'OUTCOME_UNKNOWN'

  constructor(what: string, cause?: unknown) {
    super(`It is unknown whether ${what} was applied: the answer was lost. Read before you try again`, withCause(cause))
  }
}

/** The store did not answer in time, or is known to be down. Nothing of this call was stored. */
export class StoreUnavailableError extends FieldwiseError {
  readonly code = 'STORE_UNAVAILABLE'

  constructor(message: string, cause?: unknown) {
    super(message, withCause(cause))
  }
}

/** Refused before anything was sent; the old value is intact. Sizes are in bytes. */
export class ValueTooLargeError extends FieldwiseError {
  readonly code = 'VALUE_TOO_LARGE'
  /** What was too large: a field's name, or `header`. */
  readonly field: string
  readonly size: number
  readonly limit: number

  constructor(field: string, size: number, limit: number) {
    super(tooLargeMessage(field, size, limit))
    this.field = field
    this.size = size
    this.limit = limit
  }
}

/** A stored value was changed, moved, or sealed with a key that is not among `sealing.keys`. */
export class SealBrokenError extends FieldwiseError {
  readonly code = 'SEAL_BROKEN'
  /** The field whose value it was, or `header`. */
  readonly field: string

  constructor(field: string, why: string) {
    super(`The stored value of '${field}' cannot be trusted: ${why}`)
    this.field = field
  }
}

/** An option contradicts another or cannot work. The message says what to write instead. */
export class BadConfigError extends FieldwiseError {
  readonly code = 'BAD_CONFIG'
}

/** A call that cannot mean anything: the caller's mistake, found before anything was sent. */
export class BadArgumentError extends FieldwiseError {
  readonly code = 'BAD_ARGUMENT'
}

/** A first write, a rotation or an end came after the response's headers were sent. Nothing was stored. */
export class HeadersSentError extends FieldwiseError {
  readonly code = 'HEADERS_SENT'

  constructor() {
    super(
      "The response's headers were already sent, so the session's cookie cannot be set; nothing was stored. Write to the session before you answer",
    )
  }
}

/** Used after `close()`. */
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
  BAD_CONFIG: BadConfigError
  BAD_ARGUMENT: BadArgumentError
  HEADERS_SENT: HeadersSentError
  CLOSED: ClosedError
}

/**
 * Whether `error` came from Fieldwise, and, with a code, whether it is that one. Works across two copies of this
 * package in one program, where `instanceof` would not.
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
