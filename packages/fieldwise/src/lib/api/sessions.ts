import type { CreateOptions, OperationOptions, Session, StoredSession } from './session.js'
import type { SessionsStats } from './stats.js'
import type { UserSessions } from './user.js'

/** The options of `open`. */
export interface OpenOptions<F extends object> extends OperationOptions {
  /** Fields to read in the same round trip. The first `get` of each, within a second, then needs no round trip of its own. */
  readonly preload?: readonly (keyof F & string)[] | undefined
}

/** The options of `check`. */
export interface CheckOptions {
  /**
   * `'all'`: every server has to answer. `'one'`: one server that takes new sessions is enough. Default `'all'`. Use `'one'` in a
   * readiness probe: while one of several memcached servers is down, new sessions go to the others, and taking a web server out of service
   * would help nobody.
   */
  readonly least?: 'all' | 'one' | undefined
}

/** All sessions of one application, as `createSessions` returns them. */
export interface Sessions<F extends object, D extends keyof F = never> extends AsyncDisposable {
  /**
   * Stores a new session with these values. Other fields are unset.
   *
   * @throws `FIELD_INVALID`, `VALUE_TOO_LARGE`, `STORE_UNAVAILABLE`. No session exists then.
   *
   * @example
   * const session = await sessions.create({ username: 'ada' })
   * session.state // 'stored'
   */
  create(values?: Partial<F>, options?: CreateOptions): Promise<StoredSession<F, D>>

  /**
   * Opens the session of a token. Resolves with `null` where there is none: the token is unknown, expired, ended, superseded, forged or
   * malformed. A malformed token costs no request to the store.
   *
   * @throws `STORE_UNAVAILABLE`: an outage never looks like "no session".
   *
   * @example
   * const { token } = await sessions.create({ username: 'ada' })
   * const session = await sessions.open(token, { preload: ['username'] })
   * await session?.get('username') // 'ada'
   */
  open(token: string, options?: OpenOptions<F>): Promise<StoredSession<F, D> | null>

  /**
   * The session of a token, or a new session, without any I/O yet. The first operation verifies the token, a read in its own round trip.
   * If the token opens nothing, the session is new and will get an id of its own. A new session is stored by its first write.
   */
  resume(token?: string): Session<F, D>

  /**
   * The sessions that were created or regenerated with this `user`. No I/O.
   *
   * @throws `BAD_ARGUMENT` for what is not a string of 1 to 256 bytes.
   *
   * @example
   * await session.regenerate({ user: 'ada' })
   * await sessions.user('ada').count() // 1
   */
  user(id: string): UserSessions<F, D>

  /**
   * Ends a session by its id, without its token: for "log out everywhere". An id without a session is not an error.
   *
   * @throws `STORE_UNAVAILABLE`, `OUTCOME_UNKNOWN` (call it again), `BAD_ARGUMENT` for what is not an id.
   */
  revoke(sid: string, options?: OperationOptions): Promise<void>

  /**
   * Resolves when every server answers; with `least: 'one'`, when one answers that takes new sessions.
   *
   * @throws `STORE_UNAVAILABLE` naming those that do not answer.
   *
   * @example
   * await sessions.check({ least: 'one' })
   */
  check(options?: CheckOptions): Promise<void>

  /**
   * Counts of what has happened since `createSessions`, and how long calls took. What happens to single sessions is emitted on
   * `node:diagnostics_channel`: see `FieldwiseEvents`.
   *
   * @example
   * const { operations, conflicts, latency } = sessions.stats()
   */
  stats(): SessionsStats

  /**
   * Refuses new calls with `CLOSED`, waits for those under way, and closes the store unless another `createSessions` uses it. Calling it
   * again waits for the same end.
   */
  close(): Promise<void>
}

/**
 * The type of the session objects of a `Sessions`.
 *
 * @example
 * type ShopSession = SessionOf<typeof sessions>
 */
export type SessionOf<T> = T extends Sessions<infer F, infer D> ? Session<F, D> : never
