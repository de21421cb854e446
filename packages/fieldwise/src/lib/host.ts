/** What an adapter of a web framework does for the session of one request. */
export interface SessionHost {
  /**
   * How many milliseconds ago the request arrived, for an adapter that asks for the session when it is first used. What its token meant
   * is judged as of then (T2). Without it: no time ago.
   */
  waited?(): number
  /**
   * Called before anything is stored, rotated or ended that will change the token.
   *
   * @throws {HeadersSentError} when the response's headers are gone, so that no cookie could be set any more.
   */
  beforeChange(): void
  /** Called when the token has changed: set the cookie, or clear it. */
  changed(change: TokenChange): void
}

/** A change of the token that the visitor has to hear of. */
export type TokenChange =
  /** The session was created, or its secret was changed. */
  | IssuedToken<'issued'>
  /** Its idle life was renewed: a cookie with a `Max-Age` is to be sent anew, if the headers are not gone. */
  | IssuedToken<'renewed'>
  /** The session was ended by this request. */
  | { readonly type: 'ended' }

export interface IssuedToken<T extends string> {
  readonly type: T
  readonly token: string
  /** Whether the visitor asked to stay logged in beyond the end of the browser's run. */
  readonly persist: boolean
  /** When the session ends if it is not used again. */
  readonly expiresAt: Date
  /** How long that is from now, in milliseconds. */
  readonly maxAge: number
}
