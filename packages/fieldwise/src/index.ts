/**
 * Sessions that several servers share, kept field by field. Begin with {@link createSessions}.
 *
 * @module fieldwise
 */

export { bigintCodec, bytesCodec, dateCodec, type MapCodec, mapCodec, type SetCodec, setCodec } from './lib/codecs.js'
export { type Duration, parseDuration } from './lib/duration.js'
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
  UpdateConflictError,
  ValueTooLargeError,
} from './lib/errors.js'
export type {
  FieldEvent,
  FieldwiseEvents,
  FlightEvent,
  OperationEvent,
  OperationName,
  SessionEvent,
  WriteEvent,
} from './lib/events.js'
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
} from './lib/fields.js'
export { type MemoryStoreOptions, memoryStore } from './lib/memory-store.js'
export type { SealingOptions } from './lib/sealing.js'
export type {
  CreateOptions,
  LifetimeOptions,
  OperationOptions,
  RegenerateOptions,
  Session,
  StoredSession,
} from './lib/session.js'
export { type CheckOptions, createSessions, type OpenOptions, type SessionOf, type Sessions } from './lib/sessions.js'
export type { Lost, SessionsOptions } from './lib/settings.js'
export type { SessionsStats } from './lib/stats.js'
export type { Store } from './lib/store.js'
export type { SessionState } from './lib/visit.js'
