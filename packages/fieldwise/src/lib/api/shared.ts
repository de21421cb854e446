import type { Duration } from './duration.js'
import type { Updated, UpdatedValue, UpdateResult } from './fields.js'
import type { OperationOptions } from './session.js'
import type { CheckOptions } from './sessions.js'
import type { SessionsStats } from './stats.js'

/** Where a counter stands in its present window. */
export interface Count {
  readonly count: number
  /** When the window ends, on the store's clock. */
  readonly resetsAt: Date
  /** How long until then, in milliseconds. Unlike a difference to `resetsAt`, it does not depend on the clock of this machine. */
  readonly resetsIn: number
}

/** The options of `increment`. */
export interface IncrementOptions extends OperationOptions {
  /** How much to add: a whole number, not 0. Less than 0 takes away; a count never falls below 0. Default 1. */
  readonly by?: number | undefined
  /** How long the window is that this call opens, in place of the kind's. A window that is open keeps its end. */
  readonly window?: Duration | undefined
}

/** The options of `put` and `set`. */
export interface KeepOptions extends OperationOptions {
  /** How long this one lives, in place of the kind's `expires`. */
  readonly expires?: Duration | undefined
}

/**
 * Counters with a fixed window: the first increment opens a window, and at its end the counter begins anew. Made by {@link counter}.
 *
 * An evicted counter starts again, so a limit on it fails open. Ids may be personal or secret: only their hashes are stored.
 */
export interface Counter {
  /** How long a window is, in milliseconds. */
  readonly window: number

  /**
   * Adds to a counter. Every acknowledged increment is counted exactly once, and gets a count of its own.
   *
   * @throws `OUTCOME_UNKNOWN` (it is counted once or not at all), `UPDATE_CONFLICT`, `STORE_UNAVAILABLE`, `BAD_ARGUMENT`.
   *
   * @example
   * const shared = createShared({ kinds: { attempts: counter({ window: '1m' }) } })
   * const { count } = await shared.attempts.increment('203.0.113.7')
   * count // 1
   */
  increment(id: string, options?: IncrementOptions): Promise<Count>

  /** Reads a counter. Resolves with `undefined` where no window is open. Rejects with `STORE_UNAVAILABLE`, `BAD_ARGUMENT`. */
  peek(id: string, options?: OperationOptions): Promise<Count | undefined>

  /** Ends the window of a counter: the next increment begins another one. Rejects as `increment` does. */
  reset(id: string, options?: OperationOptions): Promise<void>
}

/**
 * Values that are taken once: links, codes, invitations. Made by {@link ticket}.
 *
 * An evicted ticket is gone, so it fails closed. Its id is the secret of whoever may take it: make it of 16 random bytes at least.
 */
export interface Ticket<T> {
  /**
   * Stores a ticket, in place of one that is there.
   *
   * @throws `OUTCOME_UNKNOWN` (put another one, under another id), `FIELD_INVALID`, `VALUE_TOO_LARGE`, `UPDATE_CONFLICT`,
   * `STORE_UNAVAILABLE`, `BAD_ARGUMENT`.
   */
  put(id: string, value: T, options?: KeepOptions): Promise<void>

  /**
   * Takes a ticket: of any number of concurrent calls, in any number of processes, exactly one gets the value. Resolves with `undefined`
   * where there is none: it never was, was taken, has expired or was evicted.
   *
   * @throws `OUTCOME_UNKNOWN` (nobody else has taken it by this call; treat it as used), and as `put`.
   *
   * @example
   * const shared = createShared({ kinds: { invitation: ticket(z.string(), { expires: '1d' }) } })
   * await shared.invitation.put('a secret', 'ada@example.org')
   * await shared.invitation.take('a secret') // 'ada@example.org'
   * await shared.invitation.take('a secret') // undefined
   */
  take(id: string, options?: OperationOptions): Promise<T | undefined>
}

/**
 * Values that are loaded from elsewhere, by one process of all that ask. Made by {@link cached}.
 *
 * After an acknowledged `invalidate` no `get` resolves with what was loaded before it.
 */
export interface Cached<T> {
  /**
   * The value, loaded where there is no fresh one. `load` runs in one process at a time, and its other callers wait for it; those that may
   * have the old value (`stale`) get that meanwhile. What `load` throws is thrown here, and the next one loads. A value that does not fit the
   * schema, or that can no longer be read, is loaded anew.
   *
   * It has no deadline of its own, since a load may take as long as it takes: pass a `signal`.
   *
   * @throws `STORE_UNAVAILABLE` (load it yourself if what is behind can bear it), `FIELD_INVALID` and `VALUE_TOO_LARGE` for what was
   * loaded, `BAD_ARGUMENT`.
   *
   * @example
   * const shared = createShared({ kinds: { price: cached(z.number(), { expires: '10m' }) } })
   * await shared.price.get('tea', async () => 4) // 4
   * await shared.price.get('tea', async () => 5) // 4
   */
  get(id: string, load: () => T | PromiseLike<T>, options?: OperationOptions): Promise<T>

  /**
   * Removes the value, and makes loads that are under way keep theirs to themselves. Call it once the change that it follows is committed.
   * May be called again.
   *
   * @throws `OUTCOME_UNKNOWN` (call it again: until then the old value may be served), `STORE_UNAVAILABLE`, `BAD_ARGUMENT`.
   */
  invalidate(id: string, options?: OperationOptions): Promise<void>
}

/**
 * Values that all processes change safely: settings, flags. Made by {@link value}. `R` is what reading yields: the value, or `undefined`
 * where nothing is stored and the schema has no default.
 *
 * An evicted value is unset, and so its default.
 */
export interface Value<T, R = T | undefined> {
  /** Reads a value. Rejects with `FIELD_INVALID`, `SEAL_BROKEN`, `STORE_UNAVAILABLE`, `BAD_ARGUMENT`. */
  get(id: string, options?: OperationOptions): Promise<R>

  /**
   * Replaces a value, and when it expires. `update` keeps that, unless its kind has an `expires`.
   *
   * @throws `FIELD_INVALID`, `VALUE_TOO_LARGE`, `OUTCOME_UNKNOWN`, `UPDATE_CONFLICT`, `STORE_UNAVAILABLE`, `BAD_ARGUMENT`.
   */
  set(id: string, value: T, options?: KeepOptions): Promise<void>

  /**
   * Changes a value atomically, as `update` of a session does a field: `change` is synchronous, may run several times, and may change an
   * object in place and return nothing. Resolves with the new value. Rejects as `set` does.
   *
   * @example
   * const shared = createShared({ kinds: { settings: value(z.object({ open: z.boolean() }).default({ open: true })) } })
   * await shared.settings.update('site', (settings) => { settings.open = false })
   * await shared.settings.get('site') // { open: false }
   */
  update<New>(
    id: string,
    change: (value: R) => Updated<T> | UpdateResult<New, Updated<T>>,
    options?: OperationOptions,
  ): Promise<UpdatedValue<New, T, R>>

  /** Reads a value and removes it: exactly one of several concurrent calls gets it. A default does not count. Rejects as `set` does. */
  take(id: string, options?: OperationOptions): Promise<T | undefined>

  /** Removes a value. Removing an unset one is not an error. Rejects as `set` does. */
  delete(id: string, options?: OperationOptions): Promise<void>
}

/** What one `createShared` has done since it was called. Counts only grow. */
export interface SharedStats
  extends Pick<SessionsStats, 'operations' | 'flights' | 'conflicts' | 'retries' | 'combined' | 'unknown' | 'latency'> {
  /** Calls of `get` of a cached value by how they were served: fresh, with the old value meanwhile, by a load of this process. */
  readonly cached: { readonly fresh: number; readonly stale: number; readonly loaded: number }
  /** Loads that were begun, and those of them that failed. */
  readonly loads: number
  readonly failedLoads: number
}

/** What every `Shared` has besides its kinds. */
export interface SharedBase extends AsyncDisposable {
  /** Resolves when every server answers; with `least: 'one'`, when one does. @throws `STORE_UNAVAILABLE` naming those that do not answer. */
  check(options?: CheckOptions): Promise<void>
  /** Counts of what has happened since `createShared`, and how long calls took. */
  stats(): SharedStats
  /**
   * Refuses new calls with `CLOSED`, waits for those under way, and closes the store unless something else uses it. Calling it again waits for
   * the same end.
   */
  close(): Promise<void>
}
