import type { Duration } from './duration.js'
import type { NumberFields, Read, SetArguments, UpdatedValue, UpdateResult, Updates } from './fields.js'

/**
 * What a session object stands for. `unopened`: a token that was not verified yet. `new`: nothing is stored yet. `stored`: the token was
 * verified, or the session was created. `gone`: the session was used through this object, and has ended.
 */
export type SessionState = 'unopened' | 'new' | 'stored' | 'gone'

/** How long a session lives. A part that is left out keeps its present value. */
export interface LifetimeOptions {
  /**
   * How long it lives without being used. Default `'30m'`. An unused session lives for at least this long, and at most for a tenth of it
   * (1 s at least) and 3 s more.
   */
  readonly idle?: Duration | undefined
  /**
   * How long it lives in all, whether it is used or not. Default `'12h'`. Measured on the memcached server's clock, which counts whole
   * seconds, so two processes may disagree about the end by one second.
   */
  readonly absolute?: Duration | undefined
}

/** The options of every operation. */
export interface OperationOptions {
  /** Aborts the call, which then rejects with the signal's reason. A write that was sent by then may still be stored. */
  readonly signal?: AbortSignal | undefined
}

/** The options of `create`. */
export interface CreateOptions extends OperationOptions {
  /**
   * Whose session this is, for good: an id of 1 to 256 bytes that is never given to another user. `sessions.user(id)` then lists the session
   * and ends it. Default: nobody's.
   */
  readonly user?: string | undefined
  /** Default: the `lifetime` that `createSessions` was given. */
  readonly lifetime?: LifetimeOptions | undefined
  /** Whether the browser keeps the cookie when it is closed ("remember me"). Default `false`. */
  readonly persist?: boolean | undefined
}

/** The options of `regenerate`. For a stored session, an option that is left out keeps its present value. */
export interface RegenerateOptions extends CreateOptions {
  /** How long the old token stays valid, for requests that still carry it. Default: not at all. */
  readonly grace?: Duration | undefined
}

/**
 * The session of one request. Each field is stored, read and changed on its own; changing one never touches another.
 *
 * `F` holds the types of the fields, `D` the names of those that have a default. A function that needs only some fields can say so:
 * `function audit(session: Session<{ username: string }>)`.
 *
 * Every operation may reject with `SESSION_GONE` (the session ended while this request was using it), `STORE_UNAVAILABLE`,
 * `BAD_ARGUMENT` (a name that is not a field) or `CLOSED`. Each method names the codes that it adds.
 *
 * @example
 * const session = await sessions.create({ username: 'ada' })
 * await session.update('cart', (cart) => [...cart, 'tea'])
 * await session.get('cart') // ['tea']
 */
export interface Session<F extends object, D extends keyof F = never> {
  /** What is known of the session so far, without asking the store. */
  readonly state: SessionState
  /** The public id, which may be logged. Undefined until the session is verified or stored. */
  readonly id: string | undefined
  /** What the cookie carries: the id and the secret. Keep it out of logs. Undefined until the session is verified or stored. */
  readonly token: string | undefined
  /** When the session was created, on the store's clock. Undefined until the session is verified or stored. */
  readonly createdAt: Date | undefined
  /** When the session ends unless it is used again, as far as this request knows. Undefined until the session is verified or stored. */
  readonly expiresAt: Date | undefined

  /**
   * Reads a field. An unset field gives its default, or `undefined` where it has none. Takes one round trip, which also checks that the
   * session still lives. The value is a fresh copy: changing it changes nothing that is stored.
   *
   * @throws `FIELD_INVALID` when the stored value does not fit the schema, `SEAL_BROKEN` when it cannot be trusted.
   *
   * @example
   * const session = await sessions.create({ username: 'ada' })
   * await session.get('username') // 'ada'
   */
  get<K extends keyof F & string>(name: K, options?: OperationOptions): Promise<Read<F, D>[K]>

  /** Reads several fields in one round trip. An unset field gives its default, or `undefined`. Rejects as `get` does. */
  getMany<K extends keyof F & string>(names: readonly K[], options?: OperationOptions): Promise<Pick<Read<F, D>, K>>

  /**
   * Reads all fields: the declared ones in one round trip, those of a catchall in a second one. An unset field gives its default, or
   * `undefined`. Rejects as `get` does.
   */
  getAll(options?: OperationOptions): Promise<Read<F, D>>

  /** Whether this field has a stored value. A default does not count. */
  has(name: keyof F & string, options?: OperationOptions): Promise<boolean>

  /**
   * Replaces a value: `set('username', 'ada')`. The last writer wins, for this field alone. The first write of a new session creates it.
   *
   * Replaces several: `set({ username: 'ada', visits: 1 })`. All values are validated before any is sent, but they are not stored
   * atomically: what must change together belongs in one field.
   *
   * @throws `FIELD_INVALID` (nothing is stored), `VALUE_TOO_LARGE` (the old value is intact), `OUTCOME_UNKNOWN`, `UPDATE_CONFLICT`.
   */
  set<T extends (keyof F & string) | Partial<F>>(nameOrValues: T, ...rest: SetArguments<F, T, OperationOptions>): Promise<void>

  /**
   * Changes a field atomically. `change` gets the current value (the default, or `undefined`, where the field is unset) and returns the
   * new one. It must be synchronous, and may run several times. It may also change an object or array in place and return nothing. If it
   * throws, nothing is stored and the error is rethrown here. Resolves with the new value.
   *
   * @throws `UPDATE_CONFLICT` (nothing is stored), `OUTCOME_UNKNOWN`, `FIELD_INVALID`, `VALUE_TOO_LARGE`; `BAD_ARGUMENT` for a function
   * that returns a promise.
   *
   * @example
   * await session.update('cart', (cart) => { cart.push('tea') })
   */
  update<K extends keyof F & string, R>(
    name: K,
    change: (value: Read<F, D>[K]) => Updates<F>[K] | UpdateResult<R, Updates<F>[K]>,
    options?: OperationOptions,
  ): Promise<UpdatedValue<R, F[K], Read<F, D>[K]>>

  /** Adds `by` (default 1) to a number atomically. An unset field without a default counts as 0. Resolves with the new number. Rejects as `update` does. */
  increment(name: NumberFields<F>, by?: number, options?: OperationOptions): Promise<number>

  /**
   * Reads a field and removes it, atomically: of several concurrent calls exactly one gets the value. Resolves with `undefined` where
   * nothing is stored; a default does not count. Rejects as `update` does.
   */
  take<K extends keyof F & string>(name: K, options?: OperationOptions): Promise<F[K] | undefined>

  /** Removes a field, which is unset from then on. Removing an unset field is not an error. Rejects as `set` does. */
  delete(name: keyof F & string, options?: OperationOptions): Promise<void>

  /**
   * Issues a new token for the same session. Call it after a login and after any change of rights, before writing anything: what is
   * written earlier can be read by whoever holds the old token.
   *
   * The id and the fields stay. The old token is refused from then on. Calls of other requests that are under way end well; sockets and
   * streams that were verified with the old token are cut off some seconds later. A new session is stored by this call. After `destroy`
   * in the same request it begins a new session, with another id.
   *
   * @throws `SESSION_GONE` with `reason: 'superseded'` when another request has changed the secret. Of two concurrent calls one issues
   * the cookie; the other rejects, and its session object reads and writes nothing more. `OUTCOME_UNKNOWN`: call it again, and it
   * continues with the same token. `TOO_MANY_SESSIONS` when the user has `users.max` sessions already and
   * `whenFull` is `'refuse'`. `BAD_ARGUMENT` when the session is another user's.
   *
   * @example
   * await session.regenerate()
   * await session.set('username', 'ada')
   */
  regenerate(options?: RegenerateOptions): Promise<void>

  /**
   * Ends the session, for every request on every server. Resolves when the store has confirmed it. Afterwards this session object is
   * `gone`; `regenerate` begins a new session.
   *
   * @throws `OUTCOME_UNKNOWN` when the store did not confirm it: call it again.
   */
  destroy(options?: OperationOptions): Promise<void>
}

/**
 * A session that `create` stored or `open` found. Its id, token and times are known, so they are never undefined.
 *
 * @example
 * const session = await sessions.create({ username: 'ada' })
 * const again = await sessions.open(session.token)
 */
export interface StoredSession<F extends object, D extends keyof F = never> extends Session<F, D> {
  readonly id: string
  readonly token: string
  readonly createdAt: Date
  readonly expiresAt: Date
}
