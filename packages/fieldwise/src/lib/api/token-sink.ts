/** What a web adapter provides for the session of one request, so that changes of the token reach the visitor's cookie. */
export interface TokenSink {
  /**
   * How many milliseconds ago the request arrived. The token is judged as of then (T2). For adapters that create the session object
   * lazily, some time after the request came; without this method the request is taken to have just arrived.
   */
  waited?(): number
  /** Called when more than one of the request's tokens opens a session. Then none of them counts, and the session is new. */
  ambiguous?(): void
  /**
   * Called before a session is created, rotated or ended, which will change the token.
   *
   * @throws {HeadersSentError} when the response's headers were sent already, so that the cookie can no longer be set.
   */
  beforeChange(): void
  /** Called when the token has changed: set the cookie (`issued`), or clear it (`ended`). */
  changed(change: TokenChange): void
}

/** A change of the token, which the cookie has to follow. */
export type TokenChange =
  /** The session was created, or its secret was changed. */
  | IssuedToken
  /** The session was ended by this request. */
  | { readonly type: 'ended' }

/** A new token for the visitor. */
export interface IssuedToken {
  readonly type: 'issued'
  readonly token: string
  /** Whether the cookie outlives the browser's run ("remember me"). */
  readonly persist: boolean
  /**
   * The time from now until the session's absolute end, in milliseconds: the `Max-Age` of a persistent cookie. The idle time is enforced by
   * the store alone. A cookie that was sent again at each renewal could overtake the newer cookie of a login.
   */
  readonly maxAge: number
}
