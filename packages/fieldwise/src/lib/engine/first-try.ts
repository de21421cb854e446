import type { AnswerTo, ReplaceRequest, Version } from '../api/store.js'
import type { Header } from '../format/header.js'
import type { Item } from '../format/item.js'
import type { Birth } from '../format/write-ids.js'
import type { LastWrite } from './edit.js'
import type { FieldSwap, UnansweredAttempt } from './field-swap.js'
import { idleOfFields } from './lifetime.js'
import { findOutBlind, settleLost } from './lost-answer.js'
import type { Written } from './reader.js'
import { headerIn, type Snapshot, serverTimeNow } from './snapshot.js'
import { afterUnanswered, type Verdict } from './swap.js'

/** A write that is made without reading first. */
export interface FirstTry {
  /** The header that it relies on. */
  readonly known: Header
  readonly item: Item
  readonly request: ReplaceRequest
  /** What to find out about if its answer is lost. */
  readonly attempt: UnansweredAttempt
}

/**
 * The write that can be made without reading first: of a value that does not depend on the old one, or over the value that this process stored
 * last. `FieldWrite` asks for it before its first attempt. Undefined where neither is possible, so that the attempt has to read.
 */
export function firstTryOf(swap: FieldSwap, lastWrite: LastWrite | undefined): FirstTry | undefined {
  if (!swap.dropSettled()) return undefined
  const known = knownToAll(swap)
  if (known === undefined) return undefined
  return mayBeBlind(swap, known) ? blindly(swap, known) : lastWrite && overLastWrite(swap, lastWrite)
}

/** Acts on the answer to a first try: `retry` if an attempt with a read has to follow. */
export function concludeFirst(
  swap: FieldSwap,
  first: FirstTry,
  { answer, snapshot }: Written<ReplaceRequest>,
): Verdict | Promise<Verdict> {
  switch (answer.result) {
    case 'stored':
      return concludeStored(swap, first, answer, snapshot)
    case 'unsent':
      throw answer.error
    case 'lost':
      return settleLost(swap, answer.error)
    case 'unanswered':
      swap.unanswered = first.attempt
      return first.request.version ? 'retry' : findOutBlind(swap, first.known)
    case 'conflict':
      swap.noteConflict()
      return 'retry'
    default:
      return 'retry'
  }
}

/** A header to rely on, if every edit has a fresh one. */
function knownToAll(swap: FieldSwap): Header | undefined {
  let known: Header | undefined
  for (const edit of swap.waiting) {
    known = edit.freshHeader
    if (known === undefined) return undefined
  }
  return known
}

/** Whether none of the edits looks at the value before, and the field is known to be listed. */
function mayBeBlind(swap: FieldSwap, known: Header): boolean {
  if (!swap.waiting.every((edit) => edit.change.isBlind)) return false
  if (swap.mayBeAbsent || swap.context.settings.expires(swap.field) !== undefined) return false
  return known.manifest.has(swap.field)
}

/** Stores a value that does not depend on the one before, over whatever is there. */
function blindly(swap: FieldSwap, known: Header): FirstTry | undefined {
  const birth = known.manifest.get(swap.field) as Birth
  const itemWith = (json: string | undefined): Item => ({ id: swap.id, birth, earlier: [], deadline: 0, json })
  const item = itemWith(swap.runEdits(undefined, itemWith))
  return swap.waiting.length > 0 ? firstTry(swap, known, item, undefined, { ...blindAttempt, by: known }) : undefined
}

/** A blind write does not know what it replaced. */
const blindAttempt: Omit<UnansweredAttempt, 'by'> = { base: undefined, json: undefined, until: 0, mayBeAbsent: true }

/**
 * A write over the value that this process stored last. That value may be out of date, so an edit that fails over it has not failed yet: it
 * runs again over what is read.
 */
function overLastWrite(swap: FieldSwap, lastWrite: LastWrite): FirstTry | undefined {
  const { header, item: base, version } = lastWrite
  if (!isSteady(swap, header, base)) return undefined
  const json = resultOver(swap, base.json)
  if (json === base.json) return undefined
  const at = serverTimeNow(lastWrite, swap.context.environment)
  const item = swap.itemOver(header, { item: base, version }, at)(json)
  const attempt = { by: header, base, json, until: at + swap.ttl(header), mayBeAbsent: false }
  const first = firstTry(swap, header, item, version, attempt)
  return first.request.value.length > swap.largest ? undefined : first
}

/** Whether the item cannot change but by a write: it may not be absent, and does not expire by itself. */
function isSteady(swap: FieldSwap, header: Header, item: Item): boolean {
  if (swap.mayBeAbsent || item.deadline !== 0 || swap.context.settings.expires(swap.field) !== undefined) return false
  return header.manifest.get(swap.field) === item.birth
}

/** What the edits make of a value that may be out of date; the value as it was if one of them throws. */
function resultOver(swap: FieldSwap, before: string | undefined): string | undefined {
  try {
    let json = before
    for (const edit of swap.waiting) if (!edit.isSettled) json = edit.change.apply(json)
    return json
  } catch {
    return before
  }
}

function firstTry(
  swap: FieldSwap,
  known: Header,
  item: Item,
  version: Version | undefined,
  attempt: UnansweredAttempt,
): FirstTry {
  const { key } = swap
  const value = swap.seal(item)
  const ttl = swap.ttl(known)
  const request: ReplaceRequest = version ? { op: 'replace', key, value, ttl, version } : { op: 'replace', key, value, ttl }
  return { known, item, request, attempt }
}

function concludeStored(
  swap: FieldSwap,
  first: FirstTry,
  { version }: AnswerTo<ReplaceRequest> & { result: 'stored' },
  seen: Snapshot | undefined,
): Verdict | Promise<Verdict> {
  swap.noteWrite(first.item, first.request.value)
  const idle = seen?.header ? idleOfFields(seen.header.value) : Number.POSITIVE_INFINITY
  if (seen === undefined || idle > idleOfFields(first.known)) return catchUp(swap, first, seen, version)
  swap.leave(seen, first.item, version)
  return swap.succeed(seen)
}

/** The item is stored, but the header asks for a longer time to live by now, or the answer to its read was lost. */
async function catchUp(
  swap: FieldSwap,
  first: FirstTry,
  seen: Snapshot | undefined,
  version: Version | undefined,
): Promise<Verdict> {
  const snapshot = seen ?? (await readHeader(swap))
  const header = headerIn(snapshot).value
  await swap.keepAsLongAs(header, first.known)
  swap.leave(snapshot, first.item, version)
  return swap.succeed(snapshot)
}

async function readHeader(swap: FieldSwap): Promise<Snapshot> {
  try {
    return await swap.reader.read(swap.sid, [], swap.deadline)
  } catch (error) {
    throw afterUnanswered(swap.what, error)
  }
}
