import { type Context, longestCall } from '../engine/context.js'
import { expiry } from '../engine/lifetime.js'
import { type SeenAt, type Snapshot, serverTimeNow } from '../engine/snapshot.js'
import { cutOffAt } from '../format/classification.js'
import type { Header } from '../format/header.js'
import { type Secret, sameHash, type Token } from '../format/token.js'

/**
 * A session whose token was verified, as one request knows it: the token, and the header as it was last seen. Every header that is read is
 * compared with the token. Once somebody else's rotation is longer ago than the longest call may take, and its grace is over, the token is
 * cut off (T5).
 */
export class Verified {
  /** The secret of a rotation whose outcome is unknown: calling `regenerate` again continues with it (T3). A header with this hash is ours. */
  pending: Secret | undefined
  readonly #context: Context
  #token: Token
  #header: Header
  /** When the header was seen. One object that is written over, since each read would make another one. */
  readonly #seenAt: { -readonly [K in keyof SeenAt]: SeenAt[K] }
  /** On the server's clock. The first rotation that was seen counts: those that follow give no more time. */
  #cutOffAt: number

  constructor(context: Context, token: Token, header: Header, { serverTime, readAt, askedAt }: SeenAt) {
    this.#context = context
    this.#token = token
    this.#header = header
    this.#seenAt = { serverTime, readAt, askedAt }
    this.#cutOffAt = this.#cutOffBy(header)
  }

  get token(): Token {
    return this.#token
  }

  get header(): Header {
    return this.#header
  }

  /** The server's time now, as far as it is known without asking. */
  get serverTime(): number {
    return serverTimeNow(this.#seenAt, this.#context.environment)
  }

  /** When the session ends if it is not used any more. */
  get expiry(): number {
    return expiry(this.#header, this.#seenAt.serverTime)
  }

  get isCutOff(): boolean {
    return this.#cutOffAt !== never && this.serverTime >= this.#cutOffAt
  }

  /**
   * Whether the header was asked for so lately that a rotation since then cannot have cut this token off: then something may be written or
   * ended without reading first.
   */
  get isFresh(): boolean {
    return this.#context.environment.monotonic() - this.#seenAt.askedAt < longestCall(this.#context)
  }

  /** Takes note of a header that was read, unless a later one was seen already. */
  see(header: Header, { serverTime, readAt, askedAt }: SeenAt): void {
    if (readAt < this.#seenAt.readAt) return
    // The very same object as long as nobody has changed it.
    if (header !== this.#header) this.#cutOffAt = Math.min(this.#cutOffAt, this.#cutOffBy(header))
    this.#header = header
    this.#seenAt.serverTime = serverTime
    this.#seenAt.readAt = readAt
    this.#seenAt.askedAt = askedAt
  }

  /** Whether the token still opens the session that a snapshot shows. A snapshot older than what was seen since says nothing against it. */
  admits({ header, serverTime, readAt }: Snapshot): boolean {
    return header === undefined || readAt < this.#seenAt.readAt || this.isGoodFor(header.value, serverTime)
  }

  /** The same for a header as it stands. */
  isGoodFor(header: Header, at: number): boolean {
    return at < Math.min(this.#cutOffAt, header === this.#header ? never : this.#cutOffBy(header))
  }

  /** This request has changed the header; the secret too, if one is given. */
  changed(header: Header, secret = this.#token.secret): void {
    if (secret !== this.#token.secret) {
      this.#token = { ...this.#token, secret }
      this.#cutOffAt = never
      this.pending = undefined
    }
    const serverTime = Math.max(this.serverTime, header.rotated)
    this.see(header, { serverTime, readAt: this.#context.environment.monotonic(), askedAt: this.#seenAt.askedAt })
  }

  #cutOffBy(header: Header): number {
    if (this.pending && sameHash(header.hash, this.pending.hash)) return never
    return cutOffAt(header, this.#token.secret.hash, longestCall(this.#context) + this.#context.store.traits.ttlStep)
  }
}

const never = Number.POSITIVE_INFINITY
