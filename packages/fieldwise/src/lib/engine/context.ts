import { StoreUnavailableError } from '../api/errors.js'
import type { Flight, Store, StoreRequest } from '../api/store.js'
import type { Environment } from '../environment/environment.js'
import type { Keys } from '../format/keys.js'
import type { Sealer } from '../format/sealing.js'
import type { WriteIds } from '../format/write-ids.js'
import type { CompiledSchema } from '../schema/schema.js'
import type { Lifetime } from './lifetime.js'
import type { Telemetry } from './telemetry.js'

/** What every part of one `createSessions` works with. */
export interface Context {
  readonly store: Store
  readonly environment: Environment
  readonly schema: CompiledSchema
  readonly sealer: Sealer
  readonly keys: Keys
  readonly ids: WriteIds
  readonly settings: Settings
  readonly telemetry: Telemetry
}

/** The options of `createSessions`, checked and in milliseconds. */
export interface Settings {
  readonly lifetime: Lifetime
  readonly attempts: number
  /** How long one writing call may take. */
  readonly retryDeadline: number
  /** A field's own life from its last write; undefined is as long as the session. */
  expires(field: string): number | undefined
  /** Whether an evicted item of this field means "unset" instead of the end of the session. */
  mayBeAbsent(field: string): boolean
}

/** A point on the running clock by which a call has to end (W9, D1). */
export type Deadline = number

/** The deadline of a call that only reads. */
export function readDeadline(context: Context, started = context.environment.running()): Deadline {
  return started + context.store.traits.timeout
}

/** The deadline of a call that writes. */
export function writeDeadline(context: Context, started = context.environment.running()): Deadline {
  return started + context.settings.retryDeadline
}

/** The longest that one call can still be sending: its retry deadline, and the flight in which it ends. */
export function longestCall(context: Context): number {
  return context.settings.retryDeadline + context.store.traits.timeout
}

/**
 * Sends a flight for a call that ends at `deadline`. The store always has its full timeout, since a flight that it gives up costs a
 * connection that others use too; a call with less time left stops waiting earlier, and its requests are then `unanswered`.
 */
export function send<const R extends readonly StoreRequest[]>(
  context: Context,
  sid: string,
  requests: R,
  deadline: Deadline,
  now = context.environment.running(),
): Promise<Flight<R>> {
  // A store answers each request as the contract says, which gives the answers their types here and for everybody behind.
  return fly(context, sid, requests, deadline, now) as Promise<Flight<R>>
}

function fly(
  { environment, store, telemetry }: Context,
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
