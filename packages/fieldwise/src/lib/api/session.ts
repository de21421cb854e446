import type { Duration } from './duration.js'
import type { NumberFields, Read, SetArguments, UpdatedValue, UpdateResult, Updates } from './fields.js'

/** `unopened`: a token that nobody has verified yet. `new`: nothing is stored. `gone`: it was there, and has ended. */
export type SessionState = 'unopened' | 'new' | 'stored' | 'gone'

/** How long a session lives. What is left out stays as it is. */
export interface LifetimeOptions {
  /** How long it lives without being used. Kept at least as asked, and at most a tenth (1 s at least) and 3 s longer. Default `'30m'`. */
  readonly idle?: Duration | undefined
  /** How long it lives, used or not, on the memcached server's clock, which tells seconds: two processes differ by one at most. Default `'12h'`. */
  readonly absolute?: Duration | undefined
}

/** For every operation. An aborted call rejects with the signal's reason; a write that had left by then may still be stored. */
export interface OperationOptions {
  readonly signal?: AbortSignal | undefined
}

/** For `create`. */
export interface CreateOptions extends OperationOptions {
  readonly lifetime?: LifetimeOptions | undefined
  /** Keep the cookie beyond the end of the browser's run ("remember me"). Default false. */
  readonly persist?: boolean | undefined
}

/** For `regenerate`. What is left out stays as it is. */
export interface RegenerateOptions extends CreateOptions {
  /** How long the secret before works on, for requests that are under way. Default: not at all. */
  readonly grace?: Duration | undefined
}

/**
 * One visitor's state, as one request sees it. Each field is stored, read and changed on its own; a change of one never touches another.
 *
 * `F` is what the fields hold, `D` names those that have a default. A function that needs a part of a session asks for that part:
 * `function audit(session: Session<{ username: string }>)`.
 *
 * All operations may reject with `SESSION_GONE` (the session ended while this request was using it), `STORE_UNAVAILABLE`, `BAD_ARGUMENT`
 * (a name that is not a field) and `CLOSED`; other codes are named where they can come.
 *
 * @example
 * const session = await sessions.create({ username: 'ada' })
 * await session.update('cart', (cart) => [...cart, 'tea'])
 * await session.get('cart') // ['tea']
 */
export interface Session<F extends object, D extends keyof F = never> {
  /** `unopened`: not verified yet. `new`: nothing is stored. `gone`: it was there and has ended. */
  readonly state: SessionState
  /** The public id; undefined until the session is verified or stored. */
  readonly id: string | undefined
  /** What the cookie carries: the id and the secret. Undefined until the session is verified or stored. */
  readonly token: string | undefined
  readonly createdAt: Date | undefined
  /** When the session ends if it is not used again, as far as this request knows. */
  readonly expiresAt: Date | undefined

  /**
   * The value of a field; where it is unset, its default, or `undefined`. One round trip, in which the session is checked too. The value
   * is the caller's own: changing it changes nothing else.
   *
   * @throws `FIELD_INVALID` when the stored value does not fit the schema (any more), `SEAL_BROKEN`.
   */
  get<K extends keyof F & string>(name: K, options?: OperationOptions): Promise<Read<F, D>[K]>

  /** The values of several fields, read in one round trip. A field that is unset and has no default is `undefined`. */
  getMany<K extends keyof F & string>(names: readonly K[], options?: OperationOptions): Promise<Pick<Read<F, D>, K>>

  /** The values of all fields. */
  getAll(options?: OperationOptions): Promise<Read<F, D>>

  /** Whether a value of this field is stored; a default does not count. */
  has(name: keyof F & string, options?: OperationOptions): Promise<boolean>

  /**
   * Stores a value, whatever was there: `set('username', 'ada')`. The last writer wins, for this field alone. In a new session it creates
   * the session.
   *
   * Or several values: `set({ username: 'ada', visits: 1 })`. All are validated before any is sent. Not atomic across fields: what changes
   * together is one field.
   *
   * @throws `FIELD_INVALID` (nothing is stored), `VALUE_TOO_LARGE` (the old value is intact), `OUTCOME_UNKNOWN`, `UPDATE_CONFLICT`.
   */
  set<T extends (keyof F & string) | Partial<F>>(nameOrValues: T, ...rest: SetArguments<F, T, OperationOptions>): Promise<void>

  /**
   * Changes a field atomically: `change` gets the present value and returns the new one. It must be synchronous and may run several
   * times. An object or array may be changed in place; then nothing needs to be returned. What it throws is thrown here, and nothing is
   * stored. Resolves with the new value.
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

  /** Adds to a number atomically; an unset field without a default counts as 0. Resolves with the new number. */
  increment(name: NumberFields<F>, by?: number, options?: OperationOptions): Promise<number>

  /** Reads a field and removes it, atomically: of any number of takers exactly one gets it. `undefined` where nothing is stored. */
  take<K extends keyof F & string>(name: K, options?: OperationOptions): Promise<F[K] | undefined>

  /** Removes a field. What is not there is removed already. */
  delete(name: keyof F & string, options?: OperationOptions): Promise<void>

  /**
   * Issues a new secret for the same session: after login, and on any change of rights. Fields stay, and calls of other requests that are
   * under way end well; the old token is refused, and whoever is connected with it is cut off some seconds later. Rotate first, and write
   * afterwards: what is written before is written for whoever holds the old token.
   * A session that is still new is stored by it. After a `destroy` of one's own it begins a new session, with another id.
   *
   * @throws `SESSION_GONE` with `reason: 'superseded'`: another request has changed the secret. Of two that do it at once one issues the
   * cookie; the other is rejected, and nothing more is read or written through it. `OUTCOME_UNKNOWN`: call again, and it is continued.
   *
   * @example
   * await session.regenerate()
   * await session.set('username', 'ada')
   */
  regenerate(options?: RegenerateOptions): Promise<void>

  /** Ends the session, for every request and server. Resolves when the store has confirmed it. `regenerate` begins another one. */
  destroy(options?: OperationOptions): Promise<void>
}

/**
 * A session that `create` has stored or `open` has found: what is undefined before a session is verified is certain here.
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
