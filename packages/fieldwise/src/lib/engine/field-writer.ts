import {
  type FieldwiseError,
  isFieldwiseError,
  OutcomeUnknownError,
  SessionGoneError,
  StoreUnavailableError,
  UpdateConflictError,
  ValueTooLargeError,
} from '../api/errors.js'
import type { StoreAnswer, StoreRequest, Version } from '../api/store.js'
import type { Header } from '../format/header.js'
import { earlierWrites, encodeItem, type Item, itemSize, living, remembers, remembersAllSince } from '../format/item.js'
import { type Birth, sameWrite, type WriteId } from '../format/write-ids.js'
import { Backoff } from './backoff.js'
import { type Context, type Deadline, longestCall, readDeadline, send } from './context.js'
import { DeadlineWatch } from './deadline-watch.js'
import type { Edit, LastWrite } from './edit.js'
import { afterOpen, type Headers } from './headers.js'
import { fieldLife, idleOfFields } from './lifetime.js'
import { EndOfSession, headerIn, itemIn, type Reader, type Snapshot, type Written } from './reader.js'
import { type WriteQueue, WriteQueues } from './write-queues.js'

/**
 * Writes fields. A process has at most one write of a field under way; the edits that wait meanwhile are combined: they run in order
 * over one read and go out as one compare-and-swap.
 */
export class FieldWriter {
  readonly #context: Context
  readonly #reader: Reader
  readonly #headers: Headers
  readonly #queues = new WriteQueues()
  /** Over the edits that wait behind a write of their field. */
  readonly #watch: DeadlineWatch<Edit>

  constructor(context: Context, reader: Reader, headers: Headers) {
    this.#context = context
    this.#reader = reader
    this.#headers = headers
    this.#watch = new DeadlineWatch(context.environment, (edit) => edit.fail(waitedTooLong()))
  }

  /** Takes an edit of a session whose token was verified. How it ends is told to the edit. */
  submit(sid: string, edit: Edit): void {
    const queue = this.#queues.of(sid, edit.lastWrite?.key ?? this.#reader.fieldKey(sid, edit.change.field))
    queue.waiting.push(edit)
    if (queue.isBusy) this.#watch.add(edit)
    else void this.#drive(queue)
  }

  async #drive(queue: WriteQueue): Promise<void> {
    queue.isBusy = true
    // Edits of one tick are combined.
    await undefined
    const write = this.#writeOf(queue)
    await write.begin()
    if (!queue.rest()) await this.#goOn(queue, write)
  }

  /** Writes what has come to wait, as long as there is something. */
  async #goOn(queue: WriteQueue, first: FieldWrite): Promise<void> {
    const { environment } = this.#context
    let write = first
    let wariness = 0
    let turnEnds = environment.monotonic() + turn
    do {
      if (environment.monotonic() >= turnEnds) {
        await environment.sleep(breather)
        turnEnds = environment.monotonic() + turn
      }
      // Where others write too, what this process has left there is mostly gone, and trying costs a round trip.
      wariness = write.wasBeaten ? longestWariness : Math.max(0, wariness - 1)
      const left = wariness === 0 ? write.left : undefined
      write = this.#writeOf(queue)
      await write.goOn(left)
    } while (!queue.rest())
  }

  #writeOf(queue: WriteQueue): FieldWrite {
    const edits = queue.waiting.splice(0)
    for (const edit of edits) this.#watch.remove(edit)
    return new FieldWrite(this.#context, this.#reader, this.#headers, queue.sid, queue.key, edits)
  }
}

const longestWariness = 8
/**
 * A process whose changes follow one another without a gap is always first: others read, and what they read is old when they store. So after
 * each `turn` of them it lets a `breather` pass, in milliseconds, for those of other processes.
 */
const turn = 10
const breather = 2

/** One combined write of one field, from its read to the answer for each of its edits. One write id serves all attempts (W8). */
class FieldWrite {
  /** For the next write of the field to try without reading. */
  left: LastWrite | undefined
  /** Somebody else was first, at least once. */
  wasBeaten = false
  readonly #context: Context
  readonly #reader: Reader
  readonly #headers: Headers
  readonly #sid: string
  readonly #key: string
  readonly #field: string
  readonly #id: WriteId
  #edits: Edit[]
  /** An attempt whose answer was lost. While there is one, the functions do not run again. */
  #open: OpenAttempt | undefined
  #attempts = 0

  constructor(context: Context, reader: Reader, headers: Headers, sid: string, key: string, edits: Edit[]) {
    this.#context = context
    this.#reader = reader
    this.#headers = headers
    this.#sid = sid
    this.#key = key
    this.#edits = edits
    this.#field = (edits[0] as Edit).change.field
    this.#id = context.ids.next()
  }

  /** The first write of its queue: its edits may bring snapshots of their own. */
  begin(): Promise<void> {
    const opening = commonOpening(this.#edits)
    return this.#run(opening ? undefined : this.#edits.findLast((edit) => edit.lastWrite)?.lastWrite, opening)
  }

  /** A write behind another one of its queue. */
  goOn(left: LastWrite | undefined): Promise<void> {
    return this.#run(left, undefined)
  }

  /** Never rejects: every edit is told how it ends. */
  async #run(recent: LastWrite | undefined, opening: Snapshot | undefined): Promise<void> {
    try {
      const first = opening ? undefined : this.#withoutReading(recent)
      if (first) {
        const written = await this.#reader.readAfter(this.#sid, first.request, this.#deadline)
        const isDone = this.#conclude(first, written)
        if (isDone === true || (await isDone)) return
      }
      await this.#attemptAll(opening)
    } catch (error) {
      this.#fail(error instanceof EndOfSession ? await this.#headers.endOver(error, readDeadline(this.#context)) : error)
    }
  }

  /** Attempts until every edit has its answer. `opening` saves the first read. */
  async #attemptAll(opening: Snapshot | undefined): Promise<void> {
    let seen = opening
    let backoff: Backoff | undefined
    while (this.#dropSettled()) {
      const snapshot = seen ?? (await this.#read())
      seen = undefined
      if (snapshot !== undefined) {
        const attempt = this.#attempt(snapshot)
        if (attempt === true || (await attempt)) return
      }
      if (++this.#attempts >= this.#context.settings.attempts && !this.#open) throw this.#conflict()
      this.#context.telemetry.retried()
      backoff ??= new Backoff(this.#context, latest(this.#edits))
      await backoff.pause()
    }
  }

  /** Drops the edits whose callers gave up, and ends those whose time is up. False when none is left. */
  #dropSettled(): boolean {
    const now = this.#context.environment.running()
    for (const edit of this.#edits) {
      if (now >= edit.deadline) edit.fail(this.#explain(this.#attempts === 0 ? waitedTooLong() : this.#conflict()))
    }
    this.#keepUnsettled()
    return this.#edits.length > 0
  }

  #keepUnsettled(): void {
    if (this.#edits.some(isSettled)) this.#edits = this.#edits.filter((edit) => !edit.isSettled)
  }

  /** The earliest: a batch never waits beyond the time of any of its edits. */
  get #deadline(): Deadline {
    let deadline = Number.POSITIVE_INFINITY
    for (const edit of this.#edits) if (edit.deadline < deadline) deadline = edit.deadline
    return deadline
  }

  /** Reads the field with its header. While an attempt is open, an outage is waited out: undefined says "try again". */
  async #read(): Promise<Snapshot | undefined> {
    const fields = [this.#field]
    const deadline = this.#deadline
    try {
      const snapshot = await this.#reader.read(this.#sid, fields, deadline)
      return await this.#reader.settle(snapshot, fields, deadline)
    } catch (error) {
      if (this.#open && isFieldwiseError(error, 'STORE_UNAVAILABLE')) return undefined
      throw error
    }
  }

  /** One attempt over what was read. True when every edit has its answer. */
  #attempt(snapshot: Snapshot): boolean | Promise<boolean> {
    const header = headerIn(snapshot).value
    const stored = this.#stored(snapshot)
    if (this.#open) {
      const verdict = judge(this.#open, stored.item, this.#id)
      if (verdict === 'applied') return this.#finishApplied(snapshot, header, stored, this.#open)
      if (verdict === 'unknown') throw new OutcomeUnknownError(this.#what)
      if (verdict === 'same')
        return this.#write(snapshot, header, stored, this.#over(header, stored, snapshot.serverTime)(this.#open.json))
      this.#open = undefined
    }
    this.#dropCutOff(snapshot)
    const before = living(stored.item, snapshot.serverTime)
    const next = this.#over(header, stored, snapshot.serverTime)
    const json = this.#runEdits(before, next)
    if (this.#edits.length === 0) return true
    if (this.#isNothingToDo(stored, before, json)) return this.#finishFound(snapshot, stored, snapshot.serverTime)
    return this.#write(snapshot, header, stored, next(json))
  }

  /** Fails the edits of those whose token is no good any more (T5). Not while an attempt is open: what may be stored is theirs too. */
  #dropCutOff(snapshot: Snapshot): void {
    for (const edit of this.#edits) if (!edit.mayFollow(snapshot)) edit.fail(new SessionGoneError('superseded'))
    this.#keepUnsettled()
  }

  /** What is stored now. Bytes that cannot be read are for blind edits to replace, and an error for all others. */
  #stored(snapshot: Snapshot): StoredItem {
    const version = itemIn(snapshot, this.#field)?.version
    try {
      return { item: this.#reader.item(snapshot, this.#field), version }
    } catch (error) {
      if (this.#open || !isFieldwiseError(error, 'SEAL_BROKEN')) throw error
      for (const edit of this.#edits) if (!edit.change.isBlind) edit.fail(error)
      return { item: undefined, version }
    }
  }

  /** Runs the edits in order; one that throws, or whose result is too large, fails alone and leaves the value as it was before it. */
  #runEdits(before: string | undefined, itemOf: (json: string | undefined) => Item): string | undefined {
    let json = before
    for (const edit of this.#edits) {
      if (edit.isSettled) continue
      try {
        const next = edit.change.apply(json)
        if (next !== json) this.#assertFits(itemOf(next))
        json = next
      } catch (error) {
        edit.fail(error)
      }
    }
    this.#keepUnsettled()
    return json
  }

  /** Refused before sending: memcached deletes the old value of an item that grows too large. */
  #assertFits(item: Item): void {
    const size = itemSize(item) + this.#context.sealer.overhead
    if (size > this.#largest) throw new ValueTooLargeError(this.#field, size, this.#largest)
  }

  get #largest(): number {
    return this.#context.store.largestValue(this.#sid, this.#key.length)
  }

  #isNothingToDo(stored: StoredItem, before: string | undefined, json: string | undefined): boolean {
    if (json !== before) return false
    // What cannot be read is not there, but has to make room for the tombstone.
    if (json === undefined) return stored.version === undefined || stored.item !== undefined
    // A field's own life runs from its last write, so that the same value is written again.
    return this.#context.settings.expires(this.#field) === undefined
  }

  async #write(snapshot: Snapshot, header: Header, stored: StoredItem, item: Item): Promise<boolean> {
    if (!header.manifest.has(this.#field)) this.#headers.assertFits(this.#sid, withField(header, this.#field, item.birth))
    const life = this.#life(header)
    const until = snapshot.serverTime + life
    const { version } = stored
    const key = this.#key
    const value = this.#seal(item)
    const request: StoreRequest = version ? { op: 'replace', key, value, life, version } : { op: 'add', key, value, life }
    const answer = (await send(this.#context, this.#sid, [request], this.#deadline)).answers[0] as StoreAnswer
    if (answer.result === 'stored') {
      this.#note(item, value)
      this.#leave(snapshot, item, answer.version)
      return this.#finish(snapshot, item, until)
    }
    if (answer.result === 'unsent' && !this.#open) throw answer.error
    if (answer.result === 'lost') return this.#settleLost(answer.error)
    if (answer.result === 'open')
      this.#open ??= { by: header, base: stored.item, json: item.json, until, mayBeAbsent: this.#mayBeAbsent }
    if (answer.result === 'conflict') this.#noteConflict()
    return false
  }

  /** The item is gone instead of replaced (W11). A reading tells whether that ends the session; if not, nothing of this call was stored. */
  async #settleLost(error: FieldwiseError): Promise<never> {
    const snapshot = await this.#read()
    throw snapshot !== undefined && snapshot.header === undefined ? new SessionGoneError('destroyed') : error
  }

  #noteConflict(): void {
    this.wasBeaten = true
    this.#context.telemetry.conflict(this.#sid, this.#field)
  }

  #note(item: Item, value: Buffer): void {
    this.#context.telemetry.wrote(this.#sid, this.#field, value.length, item.json === undefined, this.#edits.length)
  }

  /** Remembers what is stored for the next write, where its version is known. */
  #leave({ header, serverTime: at, readAt: heard }: Snapshot, item: Item, version: Version | undefined): void {
    if (header && version)
      this.left = { field: this.#field, key: this.#key, item, version, header: header.value, serverTime: at, readAt: heard }
  }

  /** The item that would be stored next. A broken one counts as the one that the manifest lists. */
  #over(header: Header, stored: StoredItem, at: number): (json: string | undefined) => Item {
    const listed = stored.version || this.#mayBeAbsent ? header.manifest.get(this.#field) : undefined
    const birth = stored.item?.birth ?? listed ?? this.#context.ids.birth()
    const earlier = stored.item ? earlierWrites(stored.item, this.#id, at) : []
    const own = this.#context.settings.expires(this.#field)
    return (json) => {
      const deadline = own === undefined || json === undefined ? 0 : Math.ceil(at + own)
      return { id: this.#id, birth, earlier, deadline, json }
    }
  }

  /** It turned out that the attempt whose answer was lost was applied, when the header may have asked for a shorter life. */
  async #finishApplied(snapshot: Snapshot, header: Header, stored: StoredItem, { by, until }: OpenAttempt): Promise<boolean> {
    await this.#keepAsLongAs(header, by)
    return this.#finishFound(snapshot, stored, until)
  }

  /** The item is stored, as a snapshot has shown. */
  #finishFound(snapshot: Snapshot, { item, version }: StoredItem, until: number): boolean | Promise<boolean> {
    if (item) this.#leave(snapshot, item, version)
    return this.#finish(snapshot, item, until)
  }

  /** The item is stored; one that is not listed yet is listed before anybody is told (W2). `until` is how long it lives at least. */
  #finish(snapshot: Snapshot, item: Item | undefined, until: number): boolean | Promise<boolean> {
    const isListed = item === undefined || snapshot.header?.value.manifest.has(this.#field)
    return isListed ? this.#succeed(snapshot) : this.#list(snapshot, item.birth, until).then((listed) => this.#succeed(listed))
  }

  #succeed(snapshot: Snapshot): true {
    const outcome = { snapshot, lastWrite: this.left }
    for (const edit of this.#edits) edit.succeed(outcome)
    return true
  }

  /** Resolves with the snapshot as it is with the field listed. */
  async #list(snapshot: Snapshot, birth: Birth, until: number): Promise<Snapshot> {
    const listing = (header: Header): Header => {
      const listed = header.manifest.get(this.#field)
      if (listed === birth) return header
      // Another first write was listed: ours is not in the session, and it cannot be told who saw it (W2).
      if (listed !== undefined) throw new OutcomeUnknownError(this.#what)
      return { ...withField(header, this.#field, birth), fieldsUntil: Math.min(header.fieldsUntil, until) }
    }
    const seen = headerIn(snapshot).value
    try {
      const value = await this.#headers.change(this.#sid, listing, this.#deadline, this.#what, snapshot)
      await this.#keepAsLongAs(value, seen)
      if (this.left) this.left = { ...this.left, header: value }
      return { ...snapshot, header: snapshot.header && { ...snapshot.header, value } }
    } catch (error) {
      // Once the item is stored, nothing may say that nothing was stored.
      throw afterOpen(this.#what, error)
    }
  }

  /** The header to go by, where all edits may be made without reading it first. */
  #knownToAll(): Header | undefined {
    let known: Header | undefined
    for (const edit of this.#edits) {
      known = edit.freshHeader
      if (known === undefined) return undefined
    }
    return known
  }

  /** Whether none of the edits looks at the value before, and the field is known to be listed. */
  #mayBeBlind(known: Header): boolean {
    if (!this.#edits.every((edit) => edit.change.isBlind)) return false
    if (this.#mayBeAbsent || this.#context.settings.expires(this.#field) !== undefined) return false
    return known.manifest.has(this.#field)
  }

  /** What can be tried in one round trip, without reading first: all else is left to an attempt that reads. */
  #withoutReading(recent: LastWrite | undefined): FirstTry | undefined {
    if (!this.#dropSettled()) return undefined
    const known = this.#knownToAll()
    if (known === undefined) return undefined
    return this.#mayBeBlind(known) ? this.#blindly(known) : recent && this.#tryOver(recent)
  }

  /** Stores a value that does not depend on the one before, over whatever is there. */
  #blindly(known: Header): FirstTry | undefined {
    const birth = known.manifest.get(this.#field) as Birth
    const itemOf = (json: string | undefined): Item => ({ id: this.#id, birth, earlier: [], deadline: 0, json })
    const item = itemOf(this.#runEdits(undefined, itemOf))
    return this.#edits.length > 0 ? this.#firstTry(known, item, undefined, { ...blindAttempt, by: known }) : undefined
  }

  /**
   * Changes the value that this process has last seen. Nothing that is found out over it counts unless it is stored, since only that
   * shows that it was still the value.
   */
  #tryOver(recent: LastWrite): FirstTry | undefined {
    const { header, item: base, version } = recent
    if (!this.#isSteady(header, base)) return undefined
    const at = recent.serverTime + (this.#context.environment.monotonic() - recent.readAt)
    const json = this.#tryEdits(base.json)
    if (json === base.json) return undefined
    const item = this.#over(header, { item: base, version }, at)(json)
    const first = this.#firstTry(header, item, version, {
      by: header,
      base,
      json,
      until: at + this.#life(header),
      mayBeAbsent: false,
    })
    return first.request.value.length > this.#largest ? undefined : first
  }

  #firstTry(known: Header, item: Item, version: Version | undefined, open: OpenAttempt): FirstTry {
    const [key, value, life] = [this.#key, this.#seal(item), this.#life(known)]
    const request: Replace = version ? { op: 'replace', key, value, life, version } : { op: 'replace', key, value, life }
    return { known, item, request, open }
  }

  /** Whether an item stays what it is until somebody writes it. */
  #isSteady(header: Header, item: Item): boolean {
    if (this.#mayBeAbsent || item.deadline !== 0 || this.#context.settings.expires(this.#field) !== undefined) return false
    return header.manifest.get(this.#field) === item.birth
  }

  /** What the edits make of a value that may be an old one; the same value where one of them fails over it. */
  #tryEdits(before: string | undefined): string | undefined {
    try {
      let json = before
      for (const edit of this.#edits) if (!edit.isSettled) json = edit.change.apply(json)
      return json
    } catch {
      return before
    }
  }

  /** What the answer to a first try says. True when every edit has its answer. */
  #conclude(first: FirstTry, { answer, reading: seen }: Written): boolean | Promise<boolean> {
    if (answer.result === 'unsent') throw answer.error
    if (answer.result === 'lost') return this.#settleLost(answer.error)
    if (answer.result === 'open') {
      this.#open = first.open
      return first.request.version ? false : this.#findOut(first)
    }
    if (answer.result === 'conflict') this.#noteConflict()
    if (answer.result !== 'stored') return false
    this.#note(first.item, first.request.value)
    const idle = seen?.header ? idleOfFields(seen.header.value) : Number.POSITIVE_INFINITY
    return seen && idle <= idleOfFields(first.known)
      ? this.#succeedOver(seen, first, answer.version)
      : this.#catchUp(first, seen, answer.version)
  }

  #succeedOver(snapshot: Snapshot, { item }: FirstTry, version: Version | undefined): true {
    this.#leave(snapshot, item, version)
    return this.#succeed(snapshot)
  }

  /** The item is stored, but the session has changed since its header was seen, or the answer to its read was lost. */
  async #catchUp(first: FirstTry, seen: Snapshot | undefined, version: Version | undefined): Promise<boolean> {
    const snapshot = seen ?? (await this.#readHeader())
    const header = headerIn(snapshot).value
    await this.#keepAsLongAs(header, first.known)
    return this.#succeedOver(snapshot, first, version)
  }

  async #readHeader(): Promise<Snapshot> {
    try {
      return await this.#reader.read(this.#sid, [], this.#deadline)
    } catch (error) {
      throw afterOpen(this.#what, error)
    }
  }

  /** A blind write whose answer was lost is never sent again: its id is there, or nobody can tell (W6). */
  async #findOut({ known }: FirstTry): Promise<boolean> {
    const backoff = new Backoff(this.#context, this.#deadline)
    do {
      const snapshot = await this.#read()
      if (snapshot === undefined) continue
      const header = headerIn(snapshot).value
      const stored = this.#stored(snapshot)
      if (!stored.item || !remembers(stored.item, this.#id)) break
      await this.#keepAsLongAs(header, known)
      return this.#finishFound(snapshot, stored, snapshot.serverTime)
    } while (await backoff.pause())
    throw new OutcomeUnknownError(this.#what)
  }

  /**
   * Where fields are to live longer than the header said that the item was stored by, it is given that life (L6).
   *
   * @throws {OutcomeUnknownError} when the store did not confirm it: the item is stored, but nobody can tell for how long.
   */
  async #keepAsLongAs(header: Header, known: Header): Promise<void> {
    if (idleOfFields(header) <= idleOfFields(known)) return
    const request: StoreRequest = { op: 'touch', key: this.#key, life: this.#life(header) }
    const backoff = new Backoff(this.#context, this.#deadline)
    do {
      const { answers } = await send(this.#context, this.#sid, [request], this.#deadline)
      if (answers[0]?.result === 'done' || answers[0]?.result === 'missing') return
    } while (await backoff.pause())
    throw new OutcomeUnknownError(this.#what)
  }

  #seal(item: Item): Buffer {
    return this.#context.sealer.seal(this.#sid, this.#field, encodeItem(item))
  }

  #life(header: Header): number {
    return fieldLife(idleOfFields(header), longestCall(this.#context))
  }

  get #mayBeAbsent(): boolean {
    return this.#context.settings.mayBeAbsent(this.#field)
  }

  get #what(): string {
    return `this change of '${this.#field}'`
  }

  #conflict(): UpdateConflictError {
    return new UpdateConflictError(this.#field, this.#attempts)
  }

  /** The error for a caller whose change may be stored already. */
  #explain(error: unknown): unknown {
    return this.#open ? afterOpen(this.#what, error) : error
  }

  #fail(error: unknown): void {
    const explained = this.#explain(error)
    for (const edit of this.#edits) edit.fail(explained)
  }
}

/**
 * What became of an attempt whose answer was lost, by what is stored now (W4). `same`: nothing has changed, so the same bytes may be sent
 * again. `not applied`: others have written since, and the lost attempt can never apply any more.
 */
function judge(open: OpenAttempt, item: Item | undefined, id: WriteId): 'applied' | 'same' | 'not applied' | 'unknown' {
  if (item && remembers(item, id)) return 'applied'
  // An `add` of a field that may be absent could have been stored and evicted (R5).
  if (open.base === undefined) return item === undefined && !open.mayBeAbsent ? 'same' : 'unknown'
  if (item === undefined) return 'unknown'
  if (sameWrite(item.id, open.base.id) && item.birth === open.base.birth) return 'same'
  return remembersAllSince(item, open.base) ? 'not applied' : 'unknown'
}

/**
 * The reading with which these edits opened their session, if it is one and the same: then it serves them all. An edit joins only a batch
 * whose read has not left (W8), so edits with snapshots of their own are better off with a new one that they share.
 */
function commonOpening(edits: readonly Edit[]): Snapshot | undefined {
  const opening = edits[0]?.opening
  return edits.every((edit) => edit.opening === opening) ? opening : undefined
}

function waitedTooLong(): StoreUnavailableError {
  return new StoreUnavailableError('This change had to wait for others of its field, and its time ran out before it was sent')
}

function isSettled(edit: Edit): boolean {
  return edit.isSettled
}

function latest(edits: readonly Edit[]): Deadline {
  return Math.max(...edits.map((edit) => edit.deadline))
}

function withField(header: Header, field: string, birth: Birth): Header {
  return { ...header, manifest: new Map(header.manifest).set(field, birth) }
}

interface StoredItem {
  readonly item: Item | undefined
  /** Set where there is an item, broken ones included. */
  readonly version: Version | undefined
}

/** A write that is made without reading first. */
interface FirstTry {
  /** The header that it goes by. */
  readonly known: Header
  readonly item: Item
  readonly request: Replace
  /** What is open where its answer is lost. */
  readonly open: OpenAttempt
}

type Replace = Extract<StoreRequest, { op: 'replace' }>

interface OpenAttempt {
  /** The header that its life follows from. */
  readonly by: Header
  /** The item it was made over; undefined for a first write. */
  readonly base: Item | undefined
  readonly json: string | undefined
  /** How long the item lives at least if the attempt was applied. */
  readonly until: number
  readonly mayBeAbsent: boolean
}

/** It does not know what it was made over. */
const blindAttempt: Omit<OpenAttempt, 'by'> = { base: undefined, json: undefined, until: 0, mayBeAbsent: true }
