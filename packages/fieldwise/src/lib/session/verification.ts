import type { Engine } from '../engine/engine.js'
import type { Snapshot } from '../engine/snapshot.js'
import { type Classification, classify } from '../format/classification.js'
import type { Token } from '../format/token.js'

/** What a snapshot says of a token. `over`: it is the right one, of a session whose absolute end has passed. */
export type Verdict = Classification | 'over'

/** @param arrived when the request with this token came, on the monotonic clock: what its token meant is judged as of then (T2) */
export function judge(engine: Engine, token: Token, snapshot: Snapshot, arrived: number): Verdict {
  const header = snapshot.header?.value ?? snapshot.over
  if (header === undefined) return 'unknown'
  const waited = engine.environment.monotonic() - arrived
  const classification = classify(header, token.secret, snapshot.serverTime, snapshot.serverTime - waited)
  if (classification === 'unknown') engine.telemetry.forged(token.sid)
  if (snapshot.over) return classification === 'current' ? 'over' : 'unknown'
  if (classification === 'superseded') engine.telemetry.superseded(token.sid)
  return classification
}

/** Of several tokens those that open a session, by what was read of each; where none does, those whose session is over. */
export function ownedOf(tokens: readonly Token[], verdicts: readonly Verdict[]): readonly Token[] {
  const current = tokens.filter((_token, index) => verdicts[index] === 'current')
  return current.length > 0 ? current : tokens.filter((_token, index) => verdicts[index] === 'over')
}

/** The tokens whose server is one of the store's. Others cost no request (and are told to those who watch). */
export function heldHere(engine: Engine, tokens: readonly Token[]): readonly Token[] {
  return tokens.filter(({ sid }) => {
    const isHere = engine.store.holds(sid)
    if (!isHere) engine.telemetry.misrouted(sid)
    return isHere
  })
}
