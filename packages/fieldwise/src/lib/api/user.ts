import type { Read } from './fields.js'
import type { OperationOptions } from './session.js'

/** One living session of a user. `V` holds the types of the fields that were asked for. */
export interface ListedSession<V extends object = object> {
  /** The public id: good for `sessions.revoke`, and for nothing that a token is good for. */
  readonly id: string
  readonly createdAt: Date
  /** When it became this user's: the login. */
  readonly boundAt: Date
  /** When it ends at the latest if it is not used again. */
  readonly expiresAt: Date
  /** Whether it is the session that was given as `current`. */
  readonly isCurrent: boolean
  /** The fields of `preload`, as `getMany` gives them. */
  readonly values: V
}

/** For `list`. */
export interface ListOptions<K extends string = string> extends OperationOptions {
  /** The session of this request, which the list is to mark. */
  readonly current?: { readonly id: string | undefined } | undefined
  /** Fields to read of each session, such as the device. Takes two more round trips, and one where this process knows the sessions. */
  readonly preload?: readonly K[] | undefined
}

/** For `end`. */
export interface EndOptions extends OperationOptions {
  /** A session of the same user that goes on. Default: all end. */
  readonly except?: object | undefined
}

/** What `end` has done. */
export interface EndedSessions {
  /** How many living sessions were ended. */
  readonly ended: number
}

/**
 * The sessions of one user, on all memcached servers: those that were created or regenerated with `{ user }`.
 *
 * All operations may reject with `STORE_UNAVAILABLE`: every server of the store has to answer.
 *
 * @example
 * const session = await sessions.create({}, { user: 'ada' })
 * await sessions.create({}, { user: 'ada' })
 * await sessions.user('ada').end({ except: session })
 * await sessions.user('ada').count() // 1
 */
export interface UserSessions<F extends object = object, D extends keyof F = never> {
  /**
   * The living sessions, the newest login first. Two round trips to all servers at once.
   *
   * @throws with `preload`, also what `getMany` throws.
   *
   * @example
   * await sessions.create({ username: 'ada' }, { user: 'ada' })
   * const [device] = await sessions.user('ada').list({ preload: ['username'] })
   * device?.values.username // 'ada'
   */
  list<K extends keyof F & string = never>(options?: ListOptions<K>): Promise<readonly ListedSession<Pick<Read<F, D>, K>>[]>

  /** How many there are. */
  count(options?: OperationOptions): Promise<number>

  /**
   * Ends all sessions of the user: no call that starts later succeeds in one that was this user's before, on any web server. Theirs end with
   * `SESSION_GONE`, reason `ended`. A login that starts later is not touched; one under way may be.
   *
   * With `except`, all but that one: after a changed password.
   *
   * @throws `OUTCOME_UNKNOWN` when a server did not confirm: some sessions may work on; call again. `SESSION_GONE` when the session to spare has
   * ended, or is not this user's, `BAD_ARGUMENT` when it is no session of this store and prefix: nothing was ended then.
   */
  end(options?: EndOptions): Promise<EndedSessions>
}
