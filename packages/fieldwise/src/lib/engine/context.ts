import { StoreUnavailableError } from '../api/errors.js'
import type { Flight, Store, StoreRequest } from '../api/store.js'
import type { Runtime } from '../environment/environment.js'
import type { Keys } from '../format/keys.js'
import type { Sealer } from '../format/sealing.js'
import type { WriteIds } from '../format/write-ids.js'
import type { CompiledSchema } from '../schema/schema.js'
import type { Lifetime } from './lifetime.js'
import type { Telemetry } from './telemetry.js'

/** What every part of one `createSessions` works with. */
export interface Core {
  readonly store: Store
  readonly runtime: Runtime
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
  readonly patience: number
  /** A field's own life from its last write; undefined is as long as the session. */
  expires(field: string): number | undefined
  /** Whether an evicted item of this field means "unset" instead of the end of the session. */
  mayBeAbsent(field: string): boolean
}

/** A point on the running clock by which a call has to end (W9, D1). */
export type Deadline = number

/** The deadline of a call that only reads. */
export function readDeadline(core: Core, started = core.runtime.running()): Deadline {
  return started + core.store.traits.timeout
}

/** The deadline of a call that writes. */
export function writeDeadline(core: Core, started = core.runtime.running()): Deadline {
  return started + core.settings.patience
}

/** The longest that one call can still be sending: its patience, and the flight in which it ends. */
export function longestCall(core: Core): number {
  return core.settings.patience + core.store.traits.timeout
}

/**
 * Sends a flight for a call that ends at `deadline`. The store always has its full timeout, since a flight that it gives up costs a
 * connection that others use too; a call with less time left stops waiting earlier, and its answers are then `open`.
 */
export function send(
  core: Core,
  sid: string,
  requests: readonly StoreRequest[],
  deadline: Deadline,
  now = core.runtime.running(),
): Promise<Flight> {
  if (now >= deadline)
    return Promise.resolve({ answers: requests.map(() => ({ result: 'unsent', error: late() })), at: Number.NaN })
  const limit = now + core.store.traits.timeout
  const flight = core.telemetry.flew(sid, requests.length, core.store.flight(sid, requests, limit))
  if (limit - deadline < tolerance) return flight
  const givenUp = core.runtime
    .sleep(deadline - now, true)
    .then((): Flight => ({ answers: requests.map(() => ({ result: 'open', error: late() })), at: Number.NaN }))
  return Promise.race([flight, givenUp])
}

const tolerance = 10

function late(): StoreUnavailableError {
  return new StoreUnavailableError('The store did not answer before the deadline of this call')
}
