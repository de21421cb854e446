import { SealBrokenError } from '../api/errors.js'
import {
  type Birth,
  birthLength,
  putWriteId,
  readWriteId,
  sameProcess,
  sameWrite,
  type WriteId,
  writeIdLength,
} from './write-ids.js'

/**
 * What is stored for a field. A quiet field costs 13 bytes besides its JSON:
 *
 * | bytes | what |
 * |---|---|
 * | 1 | format version 1 in the high half; flags: 1 unset (a tombstone), 2 has a deadline, 4 has earlier ids |
 * | 8 | newest write id |
 * | 4 | birth |
 * | 6 | deadline, if flagged: milliseconds since 1970 |
 * | 1 + 12 n | earlier ids, if flagged: count, then each id with the second at which it was superseded |
 * | rest | JSON in UTF-8; nothing in a tombstone |
 */
export interface Item {
  /** The id of the write that made this value (W1). */
  readonly id: WriteId
  /** The mark of the `add` that made the item; later writes copy it (R2). */
  readonly birth: Birth
  /** The last writes of other processes, oldest first. */
  readonly earlier: readonly EarlierWrite[]
  /** From when on the field is unset, in milliseconds since 1970; 0 is never. */
  readonly deadline: number
  /** The value as JSON; undefined in a tombstone, which says "deleted" where a missing item would say "lost". */
  readonly json: string | undefined
}

export interface EarlierWrite {
  readonly id: WriteId
  /** The second since 1970 at which a later write took its place. */
  readonly until: number
}

const version = 0x10
const versionMask = 0xf8
const unset = 1
const hasDeadline = 2
const hasEarlier = 4
const fixedLength = 1 + writeIdLength + birthLength
const deadlineLength = 6
const earlierLength = writeIdLength + 4

/** How long an id is kept after it was superseded, in seconds: far longer than any call still asks for it. */
const earlierLife = 60
const earlierMost = 64

/** How many bytes {@link encodeItem} makes of an item. */
export function itemSize(item: Item): number {
  const body = item.json === undefined ? 0 : Buffer.byteLength(item.json)
  return fixedLength + (item.deadline ? deadlineLength : 0) + earlierSize(item.earlier) + body
}

export function encodeItem(item: Item): Buffer {
  const bytes = Buffer.allocUnsafe(itemSize(item))
  bytes[0] =
    version | (item.json === undefined ? unset : 0) | (item.deadline ? hasDeadline : 0) | (item.earlier.length ? hasEarlier : 0)
  let at = bytes.writeInt32BE(item.birth, putWriteId(item.id, bytes, 1))
  if (item.deadline) at = bytes.writeUIntBE(item.deadline, at, deadlineLength)
  if (item.earlier.length) at = writeEarlier(bytes, at, item.earlier)
  if (item.json !== undefined) bytes.write(item.json, at)
  return bytes
}

/** @throws {SealBrokenError} for bytes that no version of this format wrote. */
export function decodeItem(field: string, bytes: Buffer): Item {
  const flags = bytes[0]
  if (flags === undefined || (flags & versionMask) !== version || bytes.length < fixedLength) throw unreadable(field)
  let at = fixedLength
  let deadline = 0
  if (flags & hasDeadline) {
    if (bytes.length < at + deadlineLength) throw unreadable(field)
    deadline = bytes.readUIntBE(at, deadlineLength)
    at += deadlineLength
  }
  let earlier: EarlierWrite[] = []
  if (flags & hasEarlier) {
    const count = bytes[at] ?? 0
    const end = at + 1 + count * earlierLength
    if (bytes.length < end) throw unreadable(field)
    earlier = readEarlier(bytes, at + 1, count)
    at = end
  }
  return {
    id: readWriteId(bytes, 1),
    birth: bytes.readInt32BE(1 + writeIdLength),
    earlier,
    deadline,
    json: flags & unset ? undefined : bytes.toString('utf8', at),
  }
}

/**
 * The JSON of an item at `now`; undefined where the field is unset: deleted, or past its own deadline. For reading, which needs nothing
 * else of an item.
 *
 * @throws {SealBrokenError} for bytes that no version of this format wrote.
 */
export function jsonOf(field: string, bytes: Buffer, now: number): string | undefined {
  const flags = bytes[0]
  if (flags === version && bytes.length >= fixedLength) return bytes.toString('utf8', fixedLength)
  return living(decodeItem(field, bytes), now)
}

/** The JSON of an item, unless the field's own deadline has passed. */
export function living(item: Item | undefined, now: number): string | undefined {
  if (item === undefined || (item.deadline !== 0 && now >= item.deadline)) return undefined
  return item.json
}

/**
 * Whether stored bytes are an item of another birth than the one a manifest lists. Bytes that are no item at all are not: they are for
 * the reader of that field to hear of.
 */
export function hasOtherBirth(bytes: Buffer, birth: Birth): boolean {
  const isItem = bytes.length >= fixedLength && ((bytes[0] as number) & versionMask) === version
  return isItem && bytes.readInt32BE(1 + writeIdLength) !== birth
}

/**
 * The ids that a write over `base` carries on: one for each process that wrote recently, without the writer's own, which it does not
 * ask for any more (W1). Ids are dropped oldest first, so that a base is never remembered for longer than a write made over it (W4).
 */
export function earlierWrites(base: Item, writer: WriteId, now: number): readonly EarlierWrite[] {
  if (base.earlier.length === 0 && sameProcess(base.id, writer)) return none
  const second = Math.floor(now / 1000)
  const kept = base.earlier.filter((write) => !sameProcess(write.id, writer) && !sameProcess(write.id, base.id))
  if (!sameProcess(base.id, writer)) kept.push({ id: base.id, until: second })
  const firstFresh = kept.findIndex((write) => write.until + earlierLife >= second)
  if (firstFresh === -1) return []
  return kept.slice(Math.max(firstFresh, kept.length - earlierMost))
}

/** Whether the write `id` is in the history that `item` remembers. */
export function remembers(item: Item, id: WriteId): boolean {
  return sameWrite(item.id, id) || item.earlier.some((write) => sameWrite(write.id, id))
}

/**
 * Whether `item`, which has changed since `base` was read, proves that no write over `base` but the ones it remembers was ever applied
 * (W4). Ids are dropped oldest first, or when their own process writes again: as long as any id of `base` is still there, a later one
 * of another process would be too.
 */
export function remembersAllSince(item: Item, base: Item): boolean {
  return item.birth === base.birth && (remembers(item, base.id) || base.earlier.some((write) => remembers(item, write.id)))
}

const none: readonly EarlierWrite[] = []

function earlierSize(earlier: readonly EarlierWrite[]): number {
  return earlier.length === 0 ? 0 : 1 + earlier.length * earlierLength
}

function writeEarlier(bytes: Buffer, start: number, earlier: readonly EarlierWrite[]): number {
  let at = bytes.writeUInt8(earlier.length, start)
  for (const write of earlier) {
    at = bytes.writeUInt32BE(write.until, putWriteId(write.id, bytes, at))
  }
  return at
}

function readEarlier(bytes: Buffer, start: number, count: number): EarlierWrite[] {
  const earlier: EarlierWrite[] = []
  for (let index = 0; index < count; index++) {
    const at = start + index * earlierLength
    earlier.push({ id: readWriteId(bytes, at), until: bytes.readUInt32BE(at + writeIdLength) })
  }
  return earlier
}

function unreadable(field: string): SealBrokenError {
  return new SealBrokenError(field, 'its stored bytes are not in a format that this version reads')
}
