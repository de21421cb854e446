import { isFieldwiseError, OutcomeUnknownError, SessionGoneError, ValueTooLargeError } from '../api/errors.js'
import type { TouchRequest, Version } from '../api/store.js'
import type { Header } from '../format/header.js'
import { earlierWrites, encodeItem, type Item, itemSize } from '../format/item.js'
import type { Birth, WriteId } from '../format/write-ids.js'
import { Backoff } from './backoff.js'
import { itemOf } from './contents.js'
import { type Context, longestCall, send } from './context.js'
import type { Edit, LastWrite } from './edit.js'
import type { Headers } from './headers.js'
import { idleOfFields, lifeOfFields } from './lifetime.js'
import type { Reader } from './reader.js'
import { SessionSwap } from './session-swap.js'
import { type EndOfSession, headerIn, itemIn, type Snapshot } from './snapshot.js'
import { afterUnanswered, type Verdict } from './swap.js'

/** What is stored of a field now. */
export interface StoredItem {
  readonly item: Item | undefined
  /** Set where there is an item, broken ones included. */
  readonly version: Version | undefined
}

/** An attempt whose answer was lost. While there is one, the edits do not run again (W8). */
export interface UnansweredAttempt {
  /** The header from which its time to live was computed. */
  readonly by: Header
  /** The item it was made over; undefined for a first write. */
  readonly base: Item | undefined
  readonly json: string | undefined
  /** Until when, on the server's clock, the item lives at least if the attempt was applied. */
  readonly until: number
  readonly mayBeAbsent: boolean
}

/**
 * One combined write of one field: runs its edits, builds the item, lists it and reports to the edits. `FieldWrite` decides how the item is
 * stored. All attempts have the same write id (W8).
 */
export abstract class FieldSwap extends SessionSwap<Edit> {
  /** For the next write of the field to try without reading. */
  lastWrite: LastWrite | undefined
  /** Another process's write came first, at least once. */
  wasBeaten = false
  unanswered: UnansweredAttempt | undefined
  readonly reader: Reader
  readonly sid: string
  readonly key: string
  readonly field: string
  readonly id: WriteId
  readonly #headers: Headers

  constructor(context: Context, reader: Reader, headers: Headers, sid: string, key: string, edits: readonly Edit[]) {
    super(context, edits)
    this.reader = reader
    this.#headers = headers
    this.sid = sid
    this.key = key
    this.field = (edits[0] as Edit).change.field
    this.id = context.ids.next()
  }

  get isUnanswered(): boolean {
    return this.unanswered !== undefined
  }

  /** Whether an item of this field that is gone means "unset" (R5). */
  get mayBeAbsent(): boolean {
    return this.context.settings.mayBeAbsent(this.field)
  }

  /** What it is called in an `OUTCOME_UNKNOWN`. */
  get what(): string {
    return `this change of '${this.field}'`
  }

  nameOf(): string {
    return this.what
  }

  ttl(header: Header): number {
    return lifeOfFields(header, longestCall(this.context))
  }

  seal(item: Item): Buffer {
    return this.context.sealer.seal(this.sid, this.field, encodeItem(item))
  }

  get largest(): number {
    return this.context.store.largestValue(this.sid, this.key.length)
  }

  /** Reads the field with its header, settled. */
  async read(): Promise<Snapshot> {
    const fields = [this.field]
    const { deadline } = this
    const snapshot = await this.reader.read(this.sid, fields, deadline)
    return this.reader.settle(snapshot, fields, deadline)
  }

  /** As `read`, but gives undefined during an outage while an attempt is unanswered: the caller tries again, to find out what became of it. */
  async readThroughOutage(): Promise<Snapshot | undefined> {
    try {
      return await this.read()
    } catch (error) {
      if (this.isUnanswered && isFieldwiseError(error, 'STORE_UNAVAILABLE')) return undefined
      throw error
    }
  }

  endOver(end: EndOfSession): Promise<Error> {
    return this.#headers.endOver(end)
  }

  /** What is stored now. Blind edits may replace an item whose seal is broken; all others fail with `SEAL_BROKEN`. */
  storedIn(snapshot: Snapshot): StoredItem {
    const version = itemIn(snapshot, this.field)?.version
    try {
      return { item: itemOf(this.context, snapshot, this.field), version }
    } catch (error) {
      if (this.unanswered || !isFieldwiseError(error, 'SEAL_BROKEN')) throw error
      for (const edit of this.waiting) if (!edit.change.isBlind) edit.fail(error)
      return { item: undefined, version }
    }
  }

  /** Fails the edits of sessions that were cut off (T5). Not called while an attempt is unanswered, which may have stored those edits too. */
  dropCutOff(snapshot: Snapshot): void {
    for (const edit of this.waiting) if (!edit.mayFollow(snapshot)) edit.fail(new SessionGoneError('superseded'))
    this.keepUnsettled()
  }

  /** Runs the edits in order; one that throws, or whose result is too large, fails alone and leaves the value as it was before it. */
  runEdits(before: string | undefined, itemWith: (json: string | undefined) => Item): string | undefined {
    let json = before
    for (const edit of this.waiting) {
      if (edit.isSettled) continue
      try {
        const next = edit.change.apply(json)
        if (next !== json) this.#assertFits(itemWith(next))
        json = next
      } catch (error) {
        edit.fail(error)
      }
    }
    this.keepUnsettled()
    return json
  }

  /** Refused before sending: memcached deletes the old value of an item that grows too large. */
  #assertFits(item: Item): void {
    const size = itemSize(item) + this.context.sealer.overhead
    if (size > this.largest) throw new ValueTooLargeError(this.field, size, this.largest)
  }

  /** A manifest with one more field has to fit too (W10). */
  assertListable(header: Header, birth: Birth): void {
    if (!header.manifest.has(this.field)) this.#headers.assertFits(this.sid, withField(header, this.field, birth))
  }

  /** Makes the item to store over `stored`. One whose seal is broken is taken to have the birth that the manifest lists. */
  itemOver(header: Header, stored: StoredItem, at: number): (json: string | undefined) => Item {
    const { ids, settings } = this.context
    const listed = stored.version || this.mayBeAbsent ? header.manifest.get(this.field) : undefined
    const birth = stored.item?.birth ?? listed ?? ids.birth()
    const earlier = stored.item ? earlierWrites(stored.item, this.id, at) : []
    const own = settings.expires(this.field)
    return (json) => {
      const deadline = own === undefined || json === undefined ? 0 : Math.ceil(at + own)
      return { id: this.id, birth, earlier, deadline, json }
    }
  }

  noteConflict(): void {
    this.wasBeaten = true
    this.context.telemetry.conflict(this.sid, this.field)
  }

  noteWrite(item: Item, value: Buffer): void {
    this.context.telemetry.wrote(this.sid, this.field, value.length, item.json === undefined, this.waiting.length)
  }

  /** Remembers what was stored, so that the next write can try without reading. Needs the version. */
  leave({ header, serverTime, readAt, askedAt }: Snapshot, item: Item, version: Version | undefined): void {
    if (header === undefined || version === undefined) return
    this.lastWrite = { field: this.field, key: this.key, item, version, header: header.value, serverTime, readAt, askedAt }
  }

  /** The item is stored. If it is not listed yet, it is listed before the edits succeed (W2). It lives until `until` at least. */
  finish(snapshot: Snapshot, item: Item | undefined, until: number): Verdict | Promise<Verdict> {
    const isListed = item === undefined || snapshot.header?.value.manifest.has(this.field)
    return isListed ? this.succeed(snapshot) : this.list(snapshot, item.birth, until).then((listed) => this.succeed(listed))
  }

  /** A snapshot has shown that the item is stored. */
  finishFound(snapshot: Snapshot, { item, version }: StoredItem, until: number): Verdict | Promise<Verdict> {
    if (item) this.leave(snapshot, item, version)
    return this.finish(snapshot, item, until)
  }

  succeed(snapshot: Snapshot): Verdict {
    const outcome = { snapshot, lastWrite: this.lastWrite }
    for (const edit of this.waiting) edit.succeed(outcome)
    return 'settled'
  }

  /** Resolves with the snapshot as it is with the field listed. */
  async list(snapshot: Snapshot, birth: Birth, until: number): Promise<Snapshot> {
    const listing = (header: Header): Header => {
      const listed = header.manifest.get(this.field)
      if (listed === birth) return header
      // Another first write was listed: ours is not in the session, and it cannot be told who saw it (W2).
      if (listed !== undefined) throw new OutcomeUnknownError(this.what)
      return { ...withField(header, this.field, birth), fieldsUntil: Math.min(header.fieldsUntil, until) }
    }
    const seen = headerIn(snapshot).value
    try {
      const value = await this.#headers.change(this.sid, listing, this.deadline, this.what, snapshot)
      await this.keepAsLongAs(value, seen)
      if (this.lastWrite) this.lastWrite = { ...this.lastWrite, header: value }
      return { ...snapshot, header: snapshot.header && { ...snapshot.header, value } }
    } catch (error) {
      // Once the item is stored, nothing may say that nothing was stored.
      throw afterUnanswered(this.what, error)
    }
  }

  /**
   * Touches the item if the header by now asks for fields that live longer than it did when the item was stored (L6).
   *
   * @throws {OutcomeUnknownError} when the store did not confirm it: the item is stored, but nobody can tell for how long.
   */
  async keepAsLongAs(header: Header, known: Header): Promise<void> {
    if (idleOfFields(header) <= idleOfFields(known)) return
    const request: TouchRequest = { op: 'touch', key: this.key, ttl: this.ttl(header) }
    const backoff = new Backoff(this.context, this.deadline)
    do {
      const { answers } = await send(this.context, this.sid, [request], this.deadline)
      const [{ result }] = answers
      if (result === 'done' || result === 'missing') return
    } while (await backoff.pause())
    throw new OutcomeUnknownError(this.what)
  }
}

function withField(header: Header, field: string, birth: Birth): Header {
  return { ...header, manifest: new Map(header.manifest).set(field, birth) }
}
