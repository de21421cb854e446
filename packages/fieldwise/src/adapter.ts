/**
 * What web adapters and tools need beyond `fieldwise`: changes of tokens, sessions under ids of the caller's own, what is stored.
 *
 * @module fieldwise/adapter
 */

export { keepFor, storedJson } from './lib/facade.js'
export type { IssuedToken, SessionHost, TokenChange } from './lib/host.js'
export {
  type FieldInspection,
  type HeaderContents,
  type HeaderInspection,
  type InspectionOptions,
  type ItemInspection,
  inspectSession,
  type SessionInspection,
} from './lib/inspection.js'
export { assertOptions, type Refusal } from './lib/options.js'
export { RunningClock, runningClock } from './lib/running-clock.js'
export { isFieldName } from './lib/schema.js'
export { canCreateUnder, createUnder, resumeFor, tokenUnder, valueOfJson } from './lib/sessions.js'
export { type Entry, fromCaller } from './lib/stack.js'
export { isSid, parseToken } from './lib/token.js'
