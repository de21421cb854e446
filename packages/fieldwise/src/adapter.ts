/**
 * What web adapters and tools need beyond `fieldwise`: changes of tokens, sessions under ids of the caller's own, what is stored.
 *
 * @module fieldwise/adapter
 */

export { assertOptions, type Refusal } from './lib/api/options.js'
export { fromCaller, type PublicFunction } from './lib/api/stack.js'
export type { IssuedToken, TokenChange, TokenSink } from './lib/api/token-sink.js'
export { RunningClock, runningClock } from './lib/environment/running-clock.js'
export { isSid, parseToken } from './lib/format/token.js'
export {
  type FieldInspection,
  type HeaderContents,
  type HeaderInspection,
  type InspectionOptions,
  type ItemInspection,
  inspectSession,
  type SessionInspection,
} from './lib/inspection/inspection.js'
export { isFieldName } from './lib/schema/schema.js'
export { bindUser, keepFor, storedJson } from './lib/session/adapter-operations.js'
export {
  canCreateWithExternalId,
  createWithExternalId,
  resumeFor,
  tokenOfExternalId,
  valueOfJson,
} from './lib/session/sessions.js'
