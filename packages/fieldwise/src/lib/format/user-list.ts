import { createHash } from 'node:crypto'
import { SealBrokenError } from '../api/errors.js'

/** Names the list of a user's sessions: 16 bytes as base64url. */
export type ListName = string

/** Eight random bytes that tie a session to its user: they stand in the session's header and in the user's list, and are never used twice. */
export type Binding = Buffer

/**
 * One session, or one that is about to be bound, in the list of its user's sessions on its server. A list is stored as
 *
 * | bytes | what |
 * |---|---|
 * | 1 | 0x21: a list of a user's sessions, version 1 |
 * | 8 + 16 + 6 + 6 each | binding, the session's UUID, created, deadline; the two times in milliseconds |
 */
export interface ListEntry {
  readonly binding: Binding
  /** The session's id, without the label of its server. */
  readonly uuid: string
  /** When it was bound, on its server's clock or later: no two of a user's logins that follow one another have it the wrong way round (U12). */
  readonly created: number
  /** From when on the session cannot be living any more (U10). */
  readonly deadline: number
}

export const bindingLength = 8
export const listNameLength = 16
/** The name under which a list is sealed: no field can have it. */
export const listItemName = 'user list'

const version = 0x21
const uuidLength = 16
const uuidTextLength = 36
const timeLength = 6
const entryLength = bindingLength + uuidLength + 2 * timeLength

export function encodeList(entries: readonly ListEntry[]): Buffer {
  const bytes = Buffer.allocUnsafe(1 + entries.length * entryLength)
  let at = bytes.writeUInt8(version, 0)
  for (const entry of entries) {
    at += entry.binding.copy(bytes, at)
    at += bytes.write(entry.uuid.replaceAll('-', ''), at, 'hex')
    at = bytes.writeUIntBE(Math.floor(entry.created), at, timeLength)
    at = bytes.writeUIntBE(Math.floor(entry.deadline), at, timeLength)
  }
  return bytes
}

/** @throws {SealBrokenError} for bytes that no version of this format wrote. */
export function decodeList(bytes: Buffer): ListEntry[] {
  assertList(bytes)
  const entries: ListEntry[] = []
  for (let at = 1; at < bytes.length; at += entryLength) entries.push(entryAt(bytes, at))
  return entries
}

/** Whether a list holds a binding. @throws {SealBrokenError} */
export function holdsBinding(bytes: Buffer, binding: Binding): boolean {
  assertList(bytes)
  for (let at = 1; at < bytes.length; at += entryLength) {
    if (bytes.compare(binding, 0, bindingLength, at, at + bindingLength) === 0) return true
  }
  return false
}

export function sameBinding(one: Binding, other: Binding): boolean {
  return one.equals(other)
}

/** By when they were bound, the oldest first; bindings settle what was bound in one millisecond. */
export function byAge(one: ListEntry, other: ListEntry): number {
  return one.created - other.created || one.binding.compare(other.binding)
}

/** Without sealing: whoever can read the store and guesses an id can recognise its list. */
export function plainListName(user: string): ListName {
  return listNameOf(createHash('sha256').update(`fieldwise user list of\n${user}`).digest())
}

export function listNameOf(hash: Buffer): ListName {
  return hash.toString('base64url', 0, listNameLength)
}

/** The server of a session, as the store names it: what follows the UUID in its id. */
export function serverOf(sid: string): string {
  return sid.slice(uuidTextLength)
}

export function uuidIn(sid: string): string {
  return sid.slice(0, uuidTextLength)
}

/** What stands in the place of a session's id where a list is sealed: a list is bound to its server as well. */
export function listPlace(list: ListName, server: string): string {
  return `${list}${server}`
}

function entryAt(bytes: Buffer, at: number): ListEntry {
  const uuidAt = at + bindingLength
  const createdAt = uuidAt + uuidLength
  return {
    binding: bytes.subarray(at, uuidAt),
    uuid: uuidText(bytes.toString('hex', uuidAt, createdAt)),
    created: bytes.readUIntBE(createdAt, timeLength),
    deadline: bytes.readUIntBE(createdAt + timeLength, timeLength),
  }
}

function uuidText(hex: string): string {
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

function assertList(bytes: Buffer): void {
  if (bytes[0] === version && (bytes.length - 1) % entryLength === 0) return
  throw new SealBrokenError('user list', 'its stored bytes are not in a format that this version reads')
}
