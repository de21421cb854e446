import type { Header } from './header.js'
import { type Secret, sameHash } from './token.js'

/**
 * What a secret is to a session. `current`: it opens it, as the current secret or as the one before within its grace. `superseded`: the
 * secret was changed less than a minute before the request came, or its grace has ended since, so this is most likely a request that left
 * with the old cookie; it reads as unset and may not write, and no cookie is set over the newer one (T2). `unknown`: it opens nothing.
 */
export type Classification = 'current' | 'superseded' | 'unknown'

/**
 * @param at the present time, on the server's clock
 * @param arrived when the request with this secret came, on the same clock
 *
 * @internal
 */
export function classify(header: Header, secret: Secret, at: number, arrived: number): Classification {
  if (sameHash(header.hash, secret.hash)) return 'current'
  const graceEnd = graceOf(header, secret.hash)
  if (at < graceEnd) return 'current'
  const isLate = header.rotated !== 0 && arrived < Math.max(header.rotated + supersededFor, graceEnd)
  return isLate ? 'superseded' : 'unknown'
}

/**
 * From when on, on the server's clock, a header cuts off those who were verified with `hash` (T5). Never, as long as it is the hash;
 * otherwise once the rotation is `longest` ago, so that calls under way end well, and its grace is over.
 */
export function cutOffAt(header: Header, hash: Buffer, longest: number): number {
  if (sameHash(header.hash, hash)) return Number.POSITIVE_INFINITY
  return Math.max(header.rotated + longest, graceOf(header, hash))
}

/** Until when a secret before works on; 0 if it does not. */
function graceOf({ previous }: Header, hash: Buffer): number {
  return previous && sameHash(previous.hash, hash) ? previous.until : 0
}

const supersededFor = 60_000
