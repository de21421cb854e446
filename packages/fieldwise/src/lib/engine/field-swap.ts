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
import { fieldLife, idleOfFields } from './lifetime.js'
import type { Reader } from './reader.js'
import { type EndOfSession, headerIn, itemIn, type Snapshot } from './snapshot.js'
import { afterUnanswered, Swap, type Verdict } from './swap.js'

/** What is stored of a field now. */
export interface StoredItem {
  readonly item: Item | undefined
  /** Set where there is an item, broken ones included. */
  readonly version: Version | undefined
}

/** An attempt whose answer was lost. While there is one, the edits do not run again (W8). */
export interface UnansweredAttempt {
  /** The header that its time to live follows from. */
  readonly by: Header
  /** The item it was made over; undefined for a first write. */
  readonly base: Item | undefined
  readonly json: string | undefined
  /** How long the item lives at least if the attempt was applied. */
  readonly until: number
  readonly mayBeAbsent: boolean
}

/**
 * One combined write of one field: its edits, and what is done with them and with the item that they make, whichever way it is stored. One write
 * id serves all attempts (W8).
 */
export abstract class FieldSwap extends Swap<Edit, Snapshot> {
  /** For the next write of the field to try without reading. */
  lastWrite: LastWrite | undefined
  /** Somebody else was first, at least once. */
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
    return fieldLife(idleOfFields(header), longestCall(this.context))
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

  /** The same where an outage is waited out, since an answer is missing: undefined says "try again". */
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

  /** What is stored now. Bytes that cannot be read are for blind edits to replace, and an error for all others. */
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

  /** Fails the edits of those whose token is no good any more (T5). Not while an attempt is unanswered: what may be stored is theirs too. */
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

  /** The item that would be stored next. A broken one counts as the one that the manifest lists. */
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

  /** Remembers what is stored for the next write, where its version is known. */
  leave({ header, serverTime, readAt, askedAt }: Snapshot, item: Item, version: Version | undefined): void {
    if (header === undefined || version === undefined) return
    this.lastWrite = { field: this.field, key: this.key, item, version, header: header.value, serverTime, readAt, askedAt }
  }

  /** The item is stored; one that is not listed yet is listed before anybody is told (W2). `until` is how long it lives at least. */
  finish(snapshot: Snapshot, item: Item | undefined, until: number): Verdict | Promise<Verdict> {
    const isListed = item === undefined || snapshot.header?.value.manifest.has(this.field)
    return isListed ? this.succeed(snapshot) : this.list(snapshot, item.birth, until).then((listed) => this.succeed(listed))
  }

  /** The item is stored, as a snapshot has shown. */
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
   * Where fields are to live longer than the header said that the item was stored by, it is given that time to live (L6).
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
