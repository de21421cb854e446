import { type FieldwiseError, OutcomeUnknownError, SessionGoneError } from '../api/errors.js'
import type { Header } from '../format/header.js'
import { type Item, remembers, remembersAllSince } from '../format/item.js'
import { sameWrite, type WriteId } from '../format/write-ids.js'
import { Backoff } from './backoff.js'
import type { FieldSwap, UnansweredAttempt } from './field-swap.js'
import { headerIn } from './snapshot.js'
import type { Verdict } from './swap.js'

/**
 * What became of an attempt whose answer was lost, judged by what is stored now (W4). `same`: nothing has changed, so the same bytes may be
 * sent again. `not applied`: others have written since, so that the lost attempt can never be applied any more. `unknown`: nothing proves
 * either.
 */
export function judgeUnanswered(
  attempt: Pick<UnansweredAttempt, 'base' | 'mayBeAbsent'>,
  item: Item | undefined,
  id: WriteId,
): 'applied' | 'same' | 'not applied' | 'unknown' {
  if (item && remembers(item, id)) return 'applied'
  // An `add` of a field that may be absent could have been stored and evicted (R5).
  if (attempt.base === undefined) return item === undefined && !attempt.mayBeAbsent ? 'same' : 'unknown'
  if (item === undefined) return 'unknown'
  if (sameWrite(item.id, attempt.base.id) && item.birth === attempt.base.birth) return 'same'
  return remembersAllSince(item, attempt.base) ? 'not applied' : 'unknown'
}

/**
 * Finds out about a blind write whose answer was lost. It is never sent again: either its id is stored, or nobody can tell (W6).
 *
 * @throws {OutcomeUnknownError}
 */
export async function findOutBlind(swap: FieldSwap, known: Header): Promise<Verdict> {
  const backoff = new Backoff(swap.context, swap.deadline)
  do {
    const snapshot = await swap.readThroughOutage()
    if (snapshot === undefined) continue
    const header = headerIn(snapshot).value
    const stored = swap.storedIn(snapshot)
    if (!stored.item || !remembers(stored.item, swap.id)) break
    await swap.keepAsLongAs(header, known)
    return swap.finishFound(snapshot, stored, snapshot.serverTime)
  } while (await backoff.pause())
  throw new OutcomeUnknownError(swap.what)
}

/** The server has deleted the item instead of replacing it (W11). Throws what a read says of the session, or else `error`: nothing was stored. */
export async function settleLost(swap: FieldSwap, error: FieldwiseError): Promise<never> {
  const snapshot = await swap.readThroughOutage()
  if (snapshot !== undefined && snapshot.header === undefined)
    throw new SessionGoneError(snapshot.isEnded ? 'ended' : 'destroyed')
  throw error
}
