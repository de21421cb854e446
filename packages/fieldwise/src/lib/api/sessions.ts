import type { CreateOptions, OperationOptions, Session, StoredSession } from './session.js'
import type { SessionsStats } from './stats.js'

/** For `open`. */
export interface OpenOptions<F extends object> extends OperationOptions {
  /** Fields to read in the same round trip; the first `get` of each is then served without another. */
  readonly preload?: readonly (keyof F & string)[] | undefined
}

/** For `check`. */
export interface CheckOptions {
  /**
   * Whether all servers have to answer, or one that takes new sessions is enough. Default `'all'`. Take `'one'` for the readiness of a web
   * server: while one of several memcached servers is down, new sessions go to the others, and no web server is better off than another.
   */
  readonly least?: 'all' | 'one' | undefined
}

/** All sessions of one application. Made by `createSessions`. */
export interface Sessions<F extends object, D extends keyof F = never> extends AsyncDisposable {
  /**
   * Stores a new session.
   *
   * @throws `FIELD_INVALID`, `VALUE_TOO_LARGE`, `STORE_UNAVAILABLE`; nothing that anybody could open is stored then.
   */
  create(values?: Partial<F>, options?: CreateOptions): Promise<StoredSession<F, D>>

  /**
   * Opens the session of a token. `null` where there is none: the token is unknown, expired, ended, superseded, forged or malformed; what is
   * not even a token costs no request to the store.
   *
   * @throws `STORE_UNAVAILABLE`: an outage is never taken for "no session".
   */
  open(token: string, options?: OpenOptions<F>): Promise<StoredSession<F, D> | null>

  /**
   * The session of a token, or a new one, without any input or output yet. The first read opens it in its own round trip. A token that
   * opens nothing makes it a new session, under an id of its own; a new session is stored by its first write.
   */
  resume(token?: string): Session<F, D>

  /** Ends a session by its id, without its token: for "log out everywhere". Ending what is not there is fine. */
  revoke(sid: string, options?: OperationOptions): Promise<void>

  /**
   * Resolves when every server answers, or with `least: 'one'` when a new session could be stored on one of them.
   *
   * @throws `STORE_UNAVAILABLE` naming those that do not answer.
   *
   * @example
   * await sessions.check({ least: 'one' })
   */
  check(options?: CheckOptions): Promise<void>

  /**
   * What has been done since the beginning, and how long it took. What happens to single sessions is told on channels of
   * `node:diagnostics_channel`: see `FieldwiseEvents`.
   *
   * @example
   * const { operations, conflicts, latency } = sessions.stats()
   */
  stats(): SessionsStats

  /** Refuses new calls (`CLOSED`), waits for those under way, and closes the store when no other `createSessions` uses it. */
  close(): Promise<void>
}

/** The type of the sessions that a `createSessions` makes: `type MySession = SessionOf<typeof sessions>`. */
export type SessionOf<T> = T extends Sessions<infer F, infer D> ? Session<F, D> : never
