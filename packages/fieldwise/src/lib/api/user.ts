import type { OperationOptions } from './session.js'

/** One living session of a user. */
export interface ListedSession {
  /** The public id: good for `sessions.revoke`, and for nothing that a token is good for. */
  readonly id: string
  readonly createdAt: Date
  /** When it became this user's: the login. */
  readonly boundAt: Date
  /** When it ends at the latest if it is not used again. */
  readonly expiresAt: Date
  /** Whether it is the session that was given as `current`. */
  readonly isCurrent: boolean
}

/** For `list`. */
export interface ListOptions extends OperationOptions {
  /** The session of this request, which the list is to mark. */
  readonly current?: { readonly id: string | undefined } | undefined
}

/** For `end`. */
export interface EndOptions extends OperationOptions {
  /** A session of the same user that goes on. */
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
export interface UserSessions {
  /** The living sessions, the newest login first. Two round trips to all servers at once. */
  list(options?: ListOptions): Promise<readonly ListedSession[]>

  /** How many there are. */
  count(options?: OperationOptions): Promise<number>

  /**
   * Ends all sessions of the user: no call that starts later succeeds in one that was this user's before, on any web server. Theirs end with
   * `SESSION_GONE`, reason `ended`. A login that starts later is not touched; one under way may be.
   *
   * With `except`, all but that one: after a changed password.
   *
   * @throws `OUTCOME_UNKNOWN` when a server did not confirm: some sessions may work on; call again. `SESSION_GONE` when the session to spare has
   * ended, or is not this user's: nothing was ended then.
   */
  end(options?: EndOptions): Promise<EndedSessions>
}
