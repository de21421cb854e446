import { type Core, longestCall } from '../engine/context.js'
import { expiry } from '../engine/lifetime.js'
import type { Reading } from '../engine/reader.js'
import { cutOffAt } from '../format/classification.js'
import type { Header } from '../format/header.js'
import { type Secret, sameHash, type Token } from '../format/token.js'

/**
 * What one request holds of a session whose token was verified: that token, and the header as it was last seen. Every header that is read
 * is compared with the token: once somebody else's rotation is longer ago than the longest call may take, and its grace is over, the token
 * is no good any more (T5).
 */
export class Hold {
  /** The secret of a rotation whose outcome is open: asking again continues it (T3). A header that has it is our own. */
  pending: Secret | undefined
  readonly #core: Core
  #token: Token
  #header: Header
  /** The server's time when the header was seen, and the monotonic clock then. */
  #at: number
  #heard: number
  /** The monotonic clock when it was asked for. */
  #asked: number
  /** On the server's clock. The first rotation that was seen counts: those that follow give no more time. */
  #cutOffAt: number

  constructor(core: Core, token: Token, header: Header, { at, heard, asked }: Sight) {
    this.#core = core
    this.#token = token
    this.#header = header
    this.#at = at
    this.#heard = heard
    this.#asked = asked
    this.#cutOffAt = this.#cutOffBy(header)
  }

  get token(): Token {
    return this.#token
  }

  get header(): Header {
    return this.#header
  }

  /** As far as it is known without asking. */
  get serverTime(): number {
    return this.#at + (this.#core.runtime.monotonic() - this.#heard)
  }

  /** When the session ends if it is not used any more. */
  get expiry(): number {
    return expiry(this.#header, this.#at)
  }

  get isCutOff(): boolean {
    return this.#cutOffAt !== never && this.serverTime >= this.#cutOffAt
  }

  /**
   * Whether the header was asked for so lately that a rotation since then cannot have cut this token off: then something may be written or
   * ended without reading first.
   */
  get isFresh(): boolean {
    return this.#core.runtime.monotonic() - this.#asked < longestCall(this.#core)
  }

  /** Takes note of the header of a reading. One that was heard before the last is no news. */
  see(header: Header, { at, heard, asked }: Sight): void {
    if (heard < this.#heard) return
    // The very same object as long as nobody has changed it.
    if (header !== this.#header) this.#cutOffAt = Math.min(this.#cutOffAt, this.#cutOffBy(header))
    this.#header = header
    this.#at = at
    this.#heard = heard
    this.#asked = asked
  }

  /** Whether the token is good for what a reading shows. */
  admits({ header, at, heard }: Reading): boolean {
    return header === undefined || heard < this.#heard || this.isGoodFor(header.value, at)
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
    const at = Math.max(this.serverTime, header.rotated)
    this.see(header, { at, heard: this.#core.runtime.monotonic(), asked: this.#asked })
  }

  #cutOffBy(header: Header): number {
    if (this.pending && sameHash(header.hash, this.pending.hash)) return never
    return cutOffAt(header, this.#token.secret.hash, longestCall(this.#core) + this.#core.store.traits.lifeStep)
  }
}

/** When a header was seen. */
type Sight = Pick<Reading, 'at' | 'heard' | 'asked'>

const never = Number.POSITIVE_INFINITY
