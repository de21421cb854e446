import type { Header } from './header.js'
import { type Secret, sameHash } from './token.js'

/**
 * What a secret is to a session. `owner`: it opens it, as the current secret or as the one before within its grace. `superseded`: the
 * secret was changed less than a minute before the request came, so this is most likely a request that left with the old cookie; it
 * reads as unset and may not write, and no cookie is set over the newer one (T2). `stranger`: it opens nothing.
 */
export type Recognition = 'owner' | 'superseded' | 'stranger'

/**
 * @param arrived when the request with this secret came, on the server's clock
 *
 * @internal
 */
export function recognise(header: Header, secret: Secret, arrived: number): Recognition {
  if (sameHash(header.hash, secret.hash)) return 'owner'
  const { previous } = header
  if (previous && arrived < previous.until && sameHash(previous.hash, secret.hash)) return 'owner'
  return header.rotated !== 0 && arrived < header.rotated + supersededFor ? 'superseded' : 'stranger'
}

const supersededFor = 60_000
