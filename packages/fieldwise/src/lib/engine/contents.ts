import { isFieldwiseError } from '../api/errors.js'
import { decodeItem, hasOtherBirth, type Item, jsonOf } from '../format/item.js'
import type { Birth } from '../format/write-ids.js'
import type { Context } from './context.js'
import { itemIn, type Snapshot } from './snapshot.js'

/** The item of a field as it is stored; undefined where nothing is there. @throws {SealBrokenError} */
export function itemOf(context: Context, snapshot: Snapshot, field: string): Item | undefined {
  const plain = plainOf(context, snapshot, field)
  return plain && decodeItem(field, plain)
}

/**
 * The JSON of a field that is set; undefined where it is unset, deleted, past its own deadline or not listed (R3).
 *
 * @throws {SealBrokenError}
 */
export function jsonIn(context: Context, snapshot: Snapshot, field: string): string | undefined {
  const isListed = snapshot.header?.value.manifest.has(field)
  if (!isListed && !context.settings.mayBeAbsent(field)) return undefined
  const plain = plainOf(context, snapshot, field)
  return plain && jsonOf(field, plain, snapshot.serverTime)
}

/** Whether every one of the fields is what the manifest says. */
export function isWhole(context: Context, snapshot: Snapshot, fields: readonly string[]): boolean {
  return snapshot.header === undefined || firstMissing(context, snapshot, fields) === undefined
}

/** The first of the fields that is listed and is not there, or is another item than the one listed (R2, R3). */
export function firstMissing(context: Context, snapshot: Snapshot, fields: readonly string[]): string | undefined {
  for (const field of fields) if (isMissing(context, snapshot, field)) return field
  return undefined
}

function isMissing(context: Context, snapshot: Snapshot, field: string): boolean {
  const listed = snapshot.header?.value.manifest.get(field)
  if (listed === undefined || !isOther(context, snapshot, field, listed)) return false
  return !context.settings.mayBeAbsent(field)
}

/** Whether there is nothing, or another item than the one listed. */
function isOther(context: Context, snapshot: Snapshot, field: string, listed: Birth): boolean {
  try {
    const plain = plainOf(context, snapshot, field)
    return plain === undefined || hasOtherBirth(plain, listed)
  } catch (error) {
    // A broken seal is for the reader of that field alone to hear of.
    if (isFieldwiseError(error, 'SEAL_BROKEN')) return false
    throw error
  }
}

function plainOf({ sealer }: Context, snapshot: Snapshot, field: string): Buffer | undefined {
  const item = itemIn(snapshot, field)
  if (item === undefined) return undefined
  item.plain ??= sealer.unseal(snapshot.sid, field, item.bytes)
  return item.plain
}
