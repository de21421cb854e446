import { OutcomeUnknownError, UpdateConflictError, ValueTooLargeError } from '../api/errors.js'
import type { AddRequest, ReplaceRequest, Version } from '../api/store.js'
import { type Deadline, type ItemContext, send } from '../engine/context.js'
import { judgeUnanswered } from '../engine/lost-answer.js'
import { type SeenAt, serverTimeNow } from '../engine/snapshot.js'
import { Swap, type Verdict } from '../engine/swap.js'
import { waitedInQueue } from '../engine/waited-too-long.js'
import type { Waiting } from '../engine/write-queue.js'
import { earlierWrites, encodeItem, type Item, itemSize, living } from '../format/item.js'
import type { WriteId } from '../format/write-ids.js'
import type { Address } from './addresses.js'
import type { ItemReader, SeenItem } from './item-reader.js'

/** What an item is to hold. */
export interface Contents {
  readonly json: string
  /** From when on there is nothing, on the server's clock; 0 is never. */
  readonly deadline: number
}

/** What an item holds, and which write made it. */
export interface Written extends Contents {
  readonly id: WriteId
}

/**
 * What a caller wants of an item, as a function that may run several times: it gets what is there at a moment of the server's clock, and
 * returns what is to be there: the very same where there is nothing to do, undefined for nothing. What it throws fails this change alone.
 */
export type ItemChange = (before: Written | undefined, at: number, id: WriteId) => Contents | undefined

/** One change of one item, waiting to be made. */
export class ItemEdit implements Waiting {
  readonly change: ItemChange
  /** Does not look at what is there, and so replaces what cannot be trusted. */
  readonly isBlind: boolean
  readonly deadline: Deadline
  /** What to begin from without reading. */
  readonly seen: SeenItem | undefined
  readonly #isOver: () => boolean
  readonly #resolve: (outcome: WriteOutcome) => void
  readonly #reject: (error: unknown) => void
  #hasEnded = false

  constructor(request: EditRequest, resolve: (outcome: WriteOutcome) => void, reject: (error: unknown) => void) {
    this.change = request.change
    this.isBlind = request.isBlind ?? false
    this.deadline = request.deadline
    this.seen = request.seen
    this.#isOver = request.isOver ?? never
    this.#resolve = resolve
    this.#reject = reject
  }

  get isSettled(): boolean {
    return this.#hasEnded || this.#isOver()
  }

  succeed(outcome: WriteOutcome): void {
    if (this.isSettled) return
    this.#hasEnded = true
    this.#resolve(outcome)
  }

  fail(error: unknown): void {
    if (this.isSettled) return
    this.#hasEnded = true
    this.#reject(error)
  }
}

export interface EditRequest extends Partial<Pick<ItemEdit, 'isBlind' | 'seen'>> {
  readonly change: ItemChange
  readonly deadline: Deadline
  /** Nobody waits for it any more. */
  readonly isOver?: () => boolean
}

/** How a change is stored: when it was seen, and what is there now. */
export interface WriteOutcome extends SeenAt {
  readonly item: Item | undefined
  readonly version: Version | undefined
}

/** An attempt whose answer was lost. While there is one, the changes do not run again (W8). */
interface UnansweredAttempt {
  readonly base: Item | undefined
  readonly item: Item
  /** An `add` could have been stored and evicted (S1). */
  readonly mayBeAbsent: true
}

/** One combined write of one shared item. There is no header to verify or to list it in, so an attempt is a read and a swap. */
export class ItemSwap extends Swap<ItemEdit, SeenItem, ItemContext> {
  readonly #reader: ItemReader
  readonly #address: Address
  readonly #id: WriteId
  #unanswered: UnansweredAttempt | undefined

  constructor(context: ItemContext, reader: ItemReader, address: Address, edits: readonly ItemEdit[]) {
    super(context, edits)
    this.#reader = reader
    this.#address = address
    this.#id = context.ids.next()
  }

  get isUnanswered(): boolean {
    return this.#unanswered !== undefined
  }

  /** Never rejects: every edit is told how it ends. */
  async run(): Promise<void> {
    try {
      await this.attemptAll(commonSeen(this.waiting))
    } catch (error) {
      await this.failAll(error)
    }
  }

  read(): Promise<SeenItem> {
    return this.#reader.read(this.#address, this.deadline)
  }

  /** One attempt over what was read: what became of the attempt before, then the changes and the swap. */
  attempt(seen: SeenItem): Verdict | Promise<Verdict> {
    const unanswered = this.#unanswered
    if (unanswered) {
      const verdict = judgeUnanswered(unanswered, seen.item, this.#id)
      if (verdict === 'applied') return this.#succeed(seen)
      if (verdict === 'unknown') throw new OutcomeUnknownError(this.nameOf())
      // The very same bytes: the changes do not run again (W4).
      if (verdict === 'same') return this.#swap(seen, unanswered.item)
      this.#unanswered = undefined
    }
    this.#refuseBroken(seen)
    const at = seen.serverTime
    const before = contentsOf(seen.item, at)
    const after = this.#runChanges(seen, before, at)
    if (this.waiting.length === 0) return 'settled'
    // What cannot be trusted is not there, but has to make room for the tombstone.
    if (after === before && seen.broken === undefined) return this.#succeed(seen)
    return this.#swap(seen, this.#itemOver(seen, after, at))
  }

  late(): Error {
    return this.attempts === 0 ? waitedInQueue() : this.#conflict()
  }

  again(): void {
    if (this.attempts >= this.context.settings.attempts && !this.isUnanswered) throw this.#conflict()
    this.context.telemetry.retried()
  }

  nameOf(): string {
    return `this change of '${this.#address.name}'`
  }

  #refuseBroken({ broken }: SeenItem): void {
    if (broken === undefined) return
    for (const edit of this.waiting) if (!edit.isBlind) edit.fail(broken)
    this.keepUnsettled()
  }

  /** Runs the changes in order; one that throws, or whose result is too large, fails alone and leaves what was there before it. */
  #runChanges(seen: SeenItem, before: Written | undefined, at: number): Written | undefined {
    let contents = before
    for (const edit of this.waiting) {
      if (edit.isSettled) continue
      try {
        const next = edit.change(contents, at, this.#id)
        if (next === contents) continue
        assertItemFits(this.context, this.#address, this.#itemOver(seen, next, at))
        contents = next && { ...next, id: this.#id }
      } catch (error) {
        edit.fail(error)
      }
    }
    this.keepUnsettled()
    return contents
  }

  /** Makes the item to store over what was seen. A tombstone lives as long as what it was put over, so that its ids can be asked for (S3). */
  #itemOver({ item }: SeenItem, contents: Contents | undefined, at: number): Item {
    const birth = item?.birth ?? this.context.ids.birth()
    const earlier = item ? earlierWrites(item, this.#id, at) : []
    const deadline = contents?.deadline ?? Math.max(item?.deadline ?? 0, Math.ceil(at) + tombstoneLife)
    return { id: this.#id, birth, earlier, deadline, json: contents?.json }
  }

  /** Stores the item, only over what was read: never without a version, and never more than an `add` where nothing was. */
  async #swap(seen: SeenItem, item: Item): Promise<Verdict> {
    const { key, sid, field, name, place } = this.#address
    const { version } = seen
    const value = this.context.sealer.seal(place, name, encodeItem(item))
    const ttl = ttlOf(item, seen.serverTime)
    const request: AddRequest | ReplaceRequest = version
      ? { op: 'replace', key, value, ttl, version }
      : { op: 'add', key, value, ttl }
    const [answer] = (await send(this.context, sid, [request], this.deadline)).answers
    switch (answer.result) {
      case 'stored':
        this.context.telemetry.wrote(sid, field, value.length, item.json === undefined, this.waiting.length)
        return this.#succeed({ ...seen, item, version: answer.version })
      case 'unsent':
      case 'lost':
        throw answer.error
      case 'unanswered':
        this.#unanswered ??= { base: seen.item, item, mayBeAbsent: true }
        return 'retry'
      case 'conflict':
        this.context.telemetry.conflict(sid, field)
        return 'retry'
      default:
        return 'retry'
    }
  }

  #succeed(outcome: WriteOutcome): Verdict {
    for (const edit of this.waiting) edit.succeed(outcome)
    return 'settled'
  }

  #conflict(): UpdateConflictError {
    return new UpdateConflictError(this.#address.name, this.attempts)
  }
}

/** Whether an item could hold it. @throws {ValueTooLargeError} */
export function assertFits(context: ItemContext, address: Address, contents: Contents): void {
  assertItemFits(context, address, { ...contents, id: { process: 0, count: 0 }, birth: 0, earlier: [] })
}

/** Refused before sending: memcached deletes the old value of an item that grows too large. */
function assertItemFits({ store, sealer }: ItemContext, { name, sid, key }: Address, item: Item): void {
  const size = itemSize(item) + sealer.overhead
  const largest = store.largestValue(sid, key.length)
  if (size > largest) throw new ValueTooLargeError(name, size, largest)
}

/** What an item holds at a moment of the server's clock; undefined where there is none, it is a tombstone, or its deadline has passed. */
export function contentsOf(item: Item | undefined, at: number): Written | undefined {
  const json = living(item, at)
  return item === undefined || json === undefined ? undefined : { json, deadline: item.deadline, id: item.id }
}

/** The same by now. */
export function contentsIn(seen: WriteOutcome, environment: { monotonic(): number }): Written | undefined {
  return contentsOf(seen.item, serverTimeNow(seen, environment))
}

/** How long memcached keeps an item, which counts whole seconds: until after its deadline by the clock of every process. */
function ttlOf(item: Item, at: number): number {
  return item.deadline === 0 ? forever : Math.max(0, item.deadline - at) + slack
}

const slack = 6_000
/** Longer than anybody asks for the ids that a tombstone carries. */
const tombstoneLife = 120_000
const forever = 10 * 365 * 86_400_000

/** What all of the edits begin from, if it is one and the same: an edit joins only a batch whose read has not left (W8). */
function commonSeen(edits: readonly ItemEdit[]): SeenItem | undefined {
  const seen = edits[0]?.seen
  return edits.every((edit) => edit.seen === seen) ? seen : undefined
}

const never = (): boolean => false
