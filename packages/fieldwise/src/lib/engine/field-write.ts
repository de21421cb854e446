import { OutcomeUnknownError, UpdateConflictError } from '../api/errors.js'
import type { AddRequest, ReplaceRequest } from '../api/store.js'
import type { Header } from '../format/header.js'
import { type Item, living } from '../format/item.js'
import { send } from './context.js'
import type { Edit, LastWrite } from './edit.js'
import { FieldSwap, type StoredItem, type UnansweredAttempt } from './field-swap.js'
import { concludeFirst, firstTryOf } from './first-try.js'
import { judgeUnanswered, settleLost } from './lost-answer.js'
import { headerIn, type Snapshot } from './snapshot.js'
import type { Verdict } from './swap.js'
import { waitedInQueue } from './waited-too-long.js'

/** One combined write of one field, from its read, or from a try without one, to the answer for each of its edits. */
export class FieldWrite extends FieldSwap {
  /** The first write of its queue: its edits may bring snapshots of their own. */
  begin(): Promise<void> {
    const opening = commonOpening(this.waiting)
    return this.#run(opening ? undefined : this.waiting.findLast((edit) => edit.lastWrite)?.lastWrite, opening)
  }

  /** A write behind another one of its queue. */
  goOn(lastWrite: LastWrite | undefined): Promise<void> {
    return this.#run(lastWrite, undefined)
  }

  /** Never rejects: every edit is told how it ends. */
  async #run(lastWrite: LastWrite | undefined, opening: Snapshot | undefined): Promise<void> {
    try {
      const first = opening ? undefined : firstTryOf(this, lastWrite)
      if (first) {
        const verdict = concludeFirst(this, first, await this.reader.readAfter(this.sid, first.request, this.deadline))
        if (verdict === 'settled' || (await verdict) === 'settled') return
      }
      await this.attemptAll(opening)
    } catch (error) {
      await this.failAll(error)
    }
  }

  /** One attempt over what was read: what became of the attempt before, then the edits and the swap. */
  attempt(snapshot: Snapshot): Verdict | Promise<Verdict> {
    const header = headerIn(snapshot).value
    const stored = this.storedIn(snapshot)
    const { unanswered } = this
    if (unanswered) {
      const verdict = judgeUnanswered(unanswered, stored.item, this.id)
      if (verdict === 'applied') return this.#finishApplied(snapshot, header, stored, unanswered)
      if (verdict === 'unknown') throw new OutcomeUnknownError(this.what)
      // The very same bytes: the edits do not run again (W4).
      if (verdict === 'same') {
        return this.#swap(snapshot, header, stored, this.itemOver(header, stored, snapshot.serverTime)(unanswered.json))
      }
      this.unanswered = undefined
    }
    this.dropCutOff(snapshot)
    const before = living(stored.item, snapshot.serverTime)
    const itemWith = this.itemOver(header, stored, snapshot.serverTime)
    const json = this.runEdits(before, itemWith)
    if (this.waiting.length === 0) return 'settled'
    if (this.#isNothingToDo(stored, before, json)) return this.finishFound(snapshot, stored, snapshot.serverTime)
    return this.#swap(snapshot, header, stored, itemWith(json))
  }

  late(): Error {
    return this.attempts === 0 ? waitedInQueue() : this.#conflict()
  }

  again(): void {
    if (this.attempts >= this.context.settings.attempts && !this.isUnanswered) throw this.#conflict()
    this.context.telemetry.retried()
  }

  #isNothingToDo(stored: StoredItem, before: string | undefined, json: string | undefined): boolean {
    if (json !== before) return false
    // What cannot be read is not there, but has to make room for the tombstone.
    if (json === undefined) return stored.version === undefined || stored.item !== undefined
    // A field's own life runs from its last write, so that the same value is written again.
    return this.context.settings.expires(this.field) === undefined
  }

  /** Stores the item, only over what was read. */
  async #swap(snapshot: Snapshot, header: Header, stored: StoredItem, item: Item): Promise<Verdict> {
    this.assertListable(header, item.birth)
    const ttl = this.ttl(header)
    const until = snapshot.serverTime + ttl
    const { key } = this
    const { version } = stored
    const value = this.seal(item)
    const request: AddRequest | ReplaceRequest = version
      ? { op: 'replace', key, value, ttl, version }
      : { op: 'add', key, value, ttl }
    const answer = (await send(this.context, this.sid, [request], this.deadline)).answers[0]
    switch (answer.result) {
      case 'stored':
        this.noteWrite(item, value)
        this.leave(snapshot, item, answer.version)
        return this.finish(snapshot, item, until)
      case 'unsent':
        throw answer.error
      case 'lost':
        return settleLost(this, answer.error)
      case 'unanswered':
        this.unanswered ??= { by: header, base: stored.item, json: item.json, until, mayBeAbsent: this.mayBeAbsent }
        return 'retry'
      case 'conflict':
        this.noteConflict()
        return 'retry'
      default:
        return 'retry'
    }
  }

  /** It turned out that the attempt whose answer was lost was applied, when the header may have asked for a shorter life. */
  async #finishApplied(
    snapshot: Snapshot,
    header: Header,
    stored: StoredItem,
    { by, until }: UnansweredAttempt,
  ): Promise<Verdict> {
    await this.keepAsLongAs(header, by)
    return this.finishFound(snapshot, stored, until)
  }

  #conflict(): UpdateConflictError {
    return new UpdateConflictError(this.field, this.attempts)
  }
}

/**
 * The snapshot with which these edits opened their session, if it is one and the same: then it serves them all. An edit joins only a batch
 * whose read has not left (W8), so edits with snapshots of their own are better off with a new one that they share.
 */
function commonOpening(edits: readonly Edit[]): Snapshot | undefined {
  const opening = edits[0]?.opening
  return edits.every((edit) => edit.opening === opening) ? opening : undefined
}
