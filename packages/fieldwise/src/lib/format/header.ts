import { SealBrokenError } from '../api/errors.js'
import { type Binding, bindingLength, type ListName, listNameLength, sameBinding } from './user-list.js'
import { type Birth, birthLength } from './write-ids.js'

/** The name under which the header stands: no field can have it. */
export const headerName = '@'
/** How many fields one session may ever store. */
export const mostFields = 1_000

/**
 * The one item that makes a session exist.
 *
 * | bytes | what |
 * |---|---|
 * | 1 | format version in the high half (1, or 2 for a session that is bound to a user) and 8 for "header"; flags: 1 persist, 2 has a previous secret, 4 keeps fields for longer |
 * | 32 | SHA-256 of the secret |
 * | 6 each | created, deadline, idle, fieldsUntil, rotated: milliseconds |
 * | 38 | if flagged: SHA-256 of the previous secret, and until when it works on |
 * | 6 | if flagged: the idle time that the fields are kept for |
 * | 24 | in version 2: the name of the user's list, and the binding that stands in it |
 * | 2 | count of the manifest |
 * | 1 + n + 4 each | the manifest: length of the name, the name, the birth of its item |
 */
export interface Header {
  readonly hash: Buffer
  readonly persist: boolean
  /** All times are the server's, in milliseconds since 1970 (L1). */
  readonly created: number
  /** The absolute end of the session. */
  readonly deadline: number
  /** How long the session lives without being used, in milliseconds. */
  readonly idle: number
  /** Until when every listed field lives at least (L3). */
  readonly fieldsUntil: number
  /** The idle time that fields are kept for, where it is longer than `idle`: the fields come first, and the promise behind them (L6). */
  readonly fieldsIdle?: number | undefined
  /** When the secret was last changed; 0 is never. */
  readonly rotated: number
  /** The secret before, as long as it works on (`grace`). */
  readonly previous: PreviousSecret | undefined
  /** Whose session this is, if anybody's. Goes from none to one, once (U4). */
  readonly user?: BoundUser | undefined
  /** Every field that this session has ever stored, with the birth of its item. */
  readonly manifest: ReadonlyMap<string, Birth>
}

/** To a user a session is bound by a binding: the session works while the user's list on its server holds it (U1). */
export interface BoundUser {
  /** Of the list; says nothing of the user's id that could be read back. */
  readonly list: ListName
  readonly binding: Binding
}

interface PreviousSecret {
  readonly hash: Buffer
  readonly until: number
}

const version = 0x18
/** Of a session that is bound to a user: a process that knows nothing of users must not take it for one that works (U1). */
const boundVersion = 0x28
const versionMask = 0xf8
const persistFlag = 1
const previousFlag = 2
const fieldsIdleFlag = 4
const hashLength = 32
const timeLength = 6
const fixedLength = 1 + hashLength + 5 * timeLength
const previousLength = hashLength + timeLength
const userLength = listNameLength + bindingLength

export function encodeHeader(header: Header): Buffer {
  const bytes = Buffer.allocUnsafe(headerSize(header))
  bytes[0] =
    (header.user ? boundVersion : version) |
    (header.persist ? persistFlag : 0) |
    (header.previous ? previousFlag : 0) |
    (header.fieldsIdle === undefined ? 0 : fieldsIdleFlag)
  let at = 1 + header.hash.copy(bytes, 1)
  for (const time of [header.created, header.deadline, header.idle, header.fieldsUntil, header.rotated]) {
    at = bytes.writeUIntBE(Math.floor(time), at, timeLength)
  }
  if (header.previous) {
    at += header.previous.hash.copy(bytes, at)
    at = bytes.writeUIntBE(Math.floor(header.previous.until), at, timeLength)
  }
  if (header.fieldsIdle !== undefined) at = bytes.writeUIntBE(Math.floor(header.fieldsIdle), at, timeLength)
  if (header.user) {
    at += bytes.write(header.user.list, at, 'base64url')
    at += header.user.binding.copy(bytes, at)
  }
  at = bytes.writeUInt16BE(header.manifest.size, at)
  for (const [name, birth] of header.manifest) {
    at = bytes.writeUInt8(name.length, at)
    at += bytes.write(name, at, 'latin1')
    at = bytes.writeInt32BE(birth, at)
  }
  return bytes
}

/** @throws {SealBrokenError} for bytes that no version of this format wrote. */
export function decodeHeader(bytes: Buffer): Header {
  const flags = bytes[0]
  const isBound = flags !== undefined && (flags & versionMask) === boundVersion
  if (flags === undefined || !(isBound || (flags & versionMask) === version)) throw unreadable()
  const hasPrevious = (flags & previousFlag) !== 0
  const hasFieldsIdle = (flags & fieldsIdleFlag) !== 0
  const userAt = fixedLength + (hasPrevious ? previousLength : 0) + (hasFieldsIdle ? timeLength : 0)
  let at = userAt + (isBound ? userLength : 0)
  if (bytes.length < at + 2) throw unreadable()
  const fieldsIdle = hasFieldsIdle ? bytes.readUIntBE(userAt - timeLength, timeLength) : undefined
  const time = (index: number) => bytes.readUIntBE(1 + hashLength + index * timeLength, timeLength)
  const count = bytes.readUInt16BE(at)
  at += 2
  const manifest = new Map<string, Birth>()
  for (let index = 0; index < count; index++) {
    const end = at + 1 + (bytes[at] ?? 0)
    if (bytes.length < end + birthLength) throw unreadable()
    manifest.set(bytes.toString('latin1', at + 1, end), bytes.readInt32BE(end))
    at = end + birthLength
  }
  return {
    hash: bytes.subarray(1, 1 + hashLength),
    persist: (flags & persistFlag) !== 0,
    created: time(0),
    deadline: time(1),
    idle: time(2),
    fieldsUntil: time(3),
    fieldsIdle,
    rotated: time(4),
    previous: hasPrevious ? readPrevious(bytes) : undefined,
    user: isBound ? readUser(bytes, userAt) : undefined,
    manifest,
  }
}

/** Whether the session of `header` has passed its absolute end (L1: on the server's clock). */
export function isPast(header: Header, at: number): boolean {
  return at >= header.deadline
}

export function sameUser(one: BoundUser, other: BoundUser): boolean {
  return one.list === other.list && sameBinding(one.binding, other.binding)
}

function headerSize(header: Header): number {
  let size = fixedLength + (header.previous ? previousLength : 0) + (header.fieldsIdle === undefined ? 0 : timeLength) + 2
  if (header.user) size += userLength
  for (const name of header.manifest.keys()) size += 1 + name.length + birthLength
  return size
}

function readPrevious(bytes: Buffer): PreviousSecret {
  const end = fixedLength + hashLength
  return { hash: bytes.subarray(fixedLength, end), until: bytes.readUIntBE(end, timeLength) }
}

function readUser(bytes: Buffer, at: number): BoundUser {
  const end = at + listNameLength
  return { list: bytes.toString('base64url', at, end), binding: bytes.subarray(end, end + bindingLength) }
}

function unreadable(): SealBrokenError {
  return new SealBrokenError('header', 'its stored bytes are not in a format that this version reads')
}
