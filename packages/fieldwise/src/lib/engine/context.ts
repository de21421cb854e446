import { StoreUnavailableError } from '../api/errors.js'
import type { Flight, Store, StoreRequest } from '../api/store.js'
import type { Environment } from '../environment/environment.js'
import type { Keys } from '../format/keys.js'
import type { Sealer } from '../format/sealing.js'
import type { WriteIds } from '../format/write-ids.js'
import type { CompiledSchema } from '../schema/schema.js'
import type { Lifetime } from './lifetime.js'
import type { Telemetry } from './telemetry.js'

/** What items are read and changed with, whatever they belong to. */
export interface ItemContext {
  readonly store: Store
  readonly environment: Environment
  readonly sealer: Sealer
  readonly ids: WriteIds
  readonly settings: RetrySettings
  readonly telemetry: Telemetry
}

/** What all parts of one `createSessions` share. */
export interface Context extends ItemContext {
  readonly schema: CompiledSchema
  readonly keys: Keys
  readonly settings: Settings
}

/** How one writing call tries. */
export interface RetrySettings {
  readonly attempts: number
  /** How long it may take. */
  readonly retryDeadline: number
}

/** The options of `createSessions`, checked and in milliseconds. */
export interface Settings extends RetrySettings {
  readonly lifetime: Lifetime
  /** How many sessions a user may have, and what becomes of one more; undefined: any number. */
  readonly userLimit: UserLimit | undefined
  /** How long a field lasts after its last write, in milliseconds; undefined: as long as the session. */
  expires(field: string): number | undefined
  /** Whether an evicted item of this field means "unset" instead of the end of the session. */
  mayBeAbsent(field: string): boolean
}

export interface UserLimit {
  readonly max: number
  readonly whenFull: 'end-oldest' | 'refuse'
}

/** A point on the running clock by which a call has to end (W9, D1). */
export type Deadline = number

/** The deadline of a call that only reads. */
export function readDeadline(context: ItemContext, started = context.environment.running()): Deadline {
  return started + context.store.traits.timeout
}

/** The deadline of a call that writes. */
export function writeDeadline(context: ItemContext, started = context.environment.running()): Deadline {
  return started + context.settings.retryDeadline
}

/** How long a packet of one call may still be sent after the call began: the retry deadline, and the timeout of its last flight. */
export function longestCall(context: ItemContext): number {
  return context.settings.retryDeadline + context.store.traits.timeout
}

/**
 * Sends a flight for a call that ends at `deadline`. The store always gets its full timeout, since it closes the connection when it gives a
 * flight up, and other calls use that connection too. A call with less time left stops waiting earlier, and takes its requests for
 * `unanswered`.
 */
export function send<const R extends readonly StoreRequest[]>(
  context: ItemContext,
  sid: string,
  requests: R,
  deadline: Deadline,
  now = context.environment.running(),
): Promise<Flight<R>> {
  // A store answers each request as the contract says, which gives the answers their types here and for everybody behind.
  return fly(context, sid, requests, deadline, now) as Promise<Flight<R>>
}

function fly(
  { environment, store, telemetry }: ItemContext,
  sid: string,
  requests: readonly StoreRequest[],
  deadline: Deadline,
  now: number,
): Promise<Flight> {
  if (now >= deadline) return Promise.resolve(allLate(requests, 'unsent'))
  const limit = now + store.traits.timeout
  const flight = telemetry.flew(sid, requests.length, store.flight(sid, requests, limit))
  if (limit - deadline < tolerance) return flight
  const givenUp = environment.sleep(deadline - now, true).then(() => allLate(requests, 'unanswered'))
  return Promise.race([flight, givenUp])
}

function allLate(requests: readonly StoreRequest[], result: 'unsent' | 'unanswered'): Flight {
  return { answers: requests.map(() => ({ result, error: late() })), serverTime: undefined }
}

const tolerance = 10

function late(): StoreUnavailableError {
  return new StoreUnavailableError('The store did not answer before the deadline of this call')
}
