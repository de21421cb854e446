import { SessionGoneError } from '../api/errors.js'
import type { Deadline } from '../engine/context.js'
import type { Engine } from '../engine/engine.js'
import type { Header } from '../format/header.js'
import { newSecret, sameHash } from '../format/token.js'
import { assertTerms, rotated, type Terms } from './terms.js'
import type { Verified } from './verified.js'

/**
 * Swaps the secret's hash, only from the one that this request was verified with: one that comes second is cut off at once (T1). Where the
 * outcome of an attempt before is open, it is continued with the same secret (T3).
 *
 * @param beforeChange called before anything is sent
 * @throws {SessionGoneError} (superseded), {BadConfigError} for terms that do not fit, and as `Lifetimes.change`
 */
export async function rotate(
  { environment, known, lifetimes, telemetry }: Engine,
  verified: Verified,
  terms: Terms,
  deadline: Deadline,
  beforeChange: () => void,
): Promise<void> {
  assertTerms(verified.header, terms)
  beforeChange()
  verified.pending ??= newSecret(environment)
  const { token, pending: secret } = verified
  const swap = (header: Header, at: number): Header => {
    if (sameHash(header.hash, secret.hash)) return header
    if (!sameHash(header.hash, token.secret.hash)) throw new SessionGoneError('superseded')
    return rotated(header, secret, terms, at)
  }
  const header = await lifetimes.change(token.sid, swap, deadline, 'this rotation')
  verified.changed(header, secret)
  telemetry.rotated(token.sid)
  known.noteLife(token.sid, header, header.rotated)
}

/** Changes how long the session lives unused. No input or output where it is that long already. */
export async function keepFor({ lifetimes }: Engine, verified: Verified, idle: number, deadline: Deadline): Promise<void> {
  if (verified.header.idle === idle) return
  assertTerms(verified.header, { lifetime: { idle } })
  const change = (header: Header, at: number): Header => {
    if (!verified.isGoodFor(header, at)) throw new SessionGoneError('superseded')
    return header.idle === idle ? header : { ...header, idle }
  }
  verified.changed(await lifetimes.change(verified.token.sid, change, deadline, 'this change of the idle time'))
}
