/**
 * Sessions that several servers share, kept field by field. Begin with {@link createSessions}.
 *
 * @module fieldwise
 */

export { bigintCodec, bytesCodec, dateCodec, type MapCodec, mapCodec, type SetCodec, setCodec } from './lib/api/codecs.js'
export { type Duration, parseDuration } from './lib/api/duration.js'
export {
  BadArgumentError,
  BadConfigError,
  ClosedError,
  type ErrorCode,
  type ErrorsByCode,
  FieldInvalidError,
  type FieldIssue,
  FieldwiseError,
  type GoneReason,
  HeadersSentError,
  isFieldwiseError,
  OutcomeUnknownError,
  SealBrokenError,
  SessionGoneError,
  StoreUnavailableError,
  TooManySessionsError,
  UpdateConflictError,
  ValueTooLargeError,
} from './lib/api/errors.js'
export type {
  FieldEvent,
  FieldwiseEvents,
  FlightEvent,
  OperationEvent,
  OperationName,
  SessionEvent,
  WriteEvent,
} from './lib/api/events.js'
export type {
  Defaulted,
  Fields,
  NumberFields,
  Read,
  SetArguments,
  Updated,
  UpdatedValue,
  UpdateResult,
  Updates,
} from './lib/api/fields.js'
export type {
  CreateOptions,
  LifetimeOptions,
  OperationOptions,
  RegenerateOptions,
  Session,
  SessionState,
  StoredSession,
} from './lib/api/session.js'
export type { CheckOptions, OpenOptions, SessionOf, Sessions } from './lib/api/sessions.js'
export type { SessionsStats } from './lib/api/stats.js'
export type { Store } from './lib/api/store.js'
export type { EndedSessions, EndOptions, ListedSession, ListOptions, UserSessions } from './lib/api/user.js'
export type { SealingOptions } from './lib/format/sealing.js'
export { type MemoryStoreOptions, memoryStore } from './lib/memory/memory-store.js'
export { createSessions } from './lib/session/sessions.js'
export type { Lost, SessionsOptions, UsersOptions } from './lib/session/settings.js'
