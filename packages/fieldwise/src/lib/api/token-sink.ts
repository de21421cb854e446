/** What an adapter of a web framework does for the session of one request. */
export interface TokenSink {
  /**
   * How many milliseconds ago the request arrived, for an adapter that asks for the session when it is first used. What its token meant
   * is judged as of then (T2). Without it: no time ago.
   */
  waited?(): number
  /** Called when several of the tokens open a session, so that none of them counts. */
  ambiguous?(): void
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
  | IssuedToken
  /** The session was ended by this request. */
  | { readonly type: 'ended' }

/** A token that the visitor does not have yet. */
export interface IssuedToken {
  readonly type: 'issued'
  readonly token: string
  /** Whether the visitor asked to stay logged in beyond the end of the browser's run. */
  readonly persist: boolean
  /**
   * How long from now until the session's absolute end, in milliseconds. A cookie is kept for that long and is never sent again: one that
   * is sent anew at renewals could reach the browser after the newer cookie of a login. The idle time is the store's business.
   */
  readonly maxAge: number
}
