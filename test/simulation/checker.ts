import { describeOperation, type Operation } from './history.js'

/**
 * A field's value is a list of tags. `set` begins a new list, `update` appends to what it finds, and each run of an update function
 * appends another tag: so a list names the one write that made it and all writes that it was built on.
 */
export type Tag = string

/** The tag that the nth run of operation `id` writes. */
export function tagOf(id: number, run: number): Tag {
  return `${id}.${run}`
}

/** Something other than an operation that unset the field: an eviction of a field that is declared `'absent'`. */
export interface Ending {
  readonly began: number
  readonly ended: number
}

/**
 * Whether the operations on one field are linearizable, in time linear in what was returned (but for sorting).
 *
 * An *epoch* is the life of one list: from the write that began it, through the appends, to what ended it. Lists that begin with the
 * same tag are the same epoch, so epochs are values of a register of which each is written once, and such a register is linearizable
 * exactly when no two stretches of time that belong to different values overlap (Gibbons and Korach, Testing shared memories, 1997).
 */
export function checkField(operations: readonly Operation[], endings: readonly Ending[] = []): string[] {
  const found: string[] = []
  const byId = new Map(operations.map((operation) => [operation.id, operation]))
  const epochs = collectEpochs(operations, byId, found)
  for (const epoch of epochs.values()) checkEpoch(epoch, byId, found)
  checkOnce(epochs, found)
  const zones = [...epochs.values()].map(zoneOf)
  checkZones(zones, found)
  checkUnset(operations, epochs, zones, endings, found)
  return found
}

/** One stretch of a field's life, told by the operations that saw it. */
interface Epoch {
  readonly name: Tag
  /** The longest list seen. */
  list: readonly Tag[]
  /** Every operation that saw or made a state of this epoch, with the length of the list at that moment. */
  readonly sightings: Sighting[]
}

interface Sighting {
  readonly operation: Operation
  readonly length: number
}

interface Zone {
  readonly epoch: Epoch
  /** The first moment by which the epoch was certainly there, and the last at which it certainly still was. */
  readonly firstEnd: number
  readonly lastBegin: number
}

function collectEpochs(operations: readonly Operation[], byId: ReadonlyMap<number, Operation>, found: string[]): Map<Tag, Epoch> {
  const epochs = new Map<Tag, Epoch>()
  for (const operation of operations) {
    const list = listSeenBy(operation)
    if (list === undefined || list.length === 0) continue
    const name = list[0] as Tag
    let epoch = epochs.get(name)
    if (!epoch) {
      epoch = { name, list: [], sightings: [] }
      epochs.set(name, epoch)
    }
    if (!isPrefix(list, epoch.list)) {
      if (isPrefix(epoch.list, list)) epoch.list = list
      else found.push(`lost update: ${told(operation)} contradicts [${epoch.list}], which another one saw`)
    }
    epoch.sightings.push({ operation, length: list.length })
  }
  for (const epoch of epochs.values()) addWriters(epoch, byId)
  return epochs
}

/** The list that was stored when this operation took effect; undefined for one that tells nothing. */
function listSeenBy(operation: Operation): readonly Tag[] | undefined {
  if (operation.outcome !== 'ok') return undefined
  switch (operation.kind) {
    case 'get':
    case 'take':
    case 'update':
      return (operation.value as readonly Tag[] | undefined) ?? []
    case 'set':
      return [operation.value as Tag]
    default:
      return undefined
  }
}

/** A write of unknown outcome whose tag was seen has taken effect, no sooner than it began. */
function addWriters(epoch: Epoch, byId: ReadonlyMap<number, Operation>): void {
  for (const [index, tag] of epoch.list.entries()) {
    const writer = byId.get(idOf(tag))
    if (writer && writer.outcome !== 'ok') epoch.sightings.push({ operation: asItMayEnd(writer), length: index + 1 })
  }
}

function checkEpoch(epoch: Epoch, byId: ReadonlyMap<number, Operation>, found: string[]): void {
  checkTags(epoch, byId, found)
  checkOrder(epoch, found)
  checkTakes(epoch, found)
}

/** Each tag is of a write that may have been applied, and is there once. */
function checkTags(epoch: Epoch, byId: ReadonlyMap<number, Operation>, found: string[]): void {
  const seen = new Set<number>()
  for (const [index, tag] of epoch.list.entries()) {
    const writer = byId.get(idOf(tag))
    if (!writer) {
      found.push(`foreign value: [${epoch.list}] holds ${tag}, which nobody wrote`)
      continue
    }
    if (seen.has(writer.id)) found.push(`applied twice: ${told(writer)} is in [${epoch.list}] more than once`)
    seen.add(writer.id)
    if (writer.outcome === 'failed') found.push(`failed, yet applied: ${told(writer)} is in [${epoch.list}]`)
    if (writer.kind === 'set' && index > 0) found.push(`a set was built on another value: ${told(writer)} in [${epoch.list}]`)
    if (writer.outcome === 'ok' && writer.kind === 'update') checkResult(writer, epoch, index, found)
  }
}

/** What an update returned is what it stored: the run of its function whose result was written. */
function checkResult(writer: Operation, epoch: Epoch, index: number, found: string[]): void {
  const result = writer.value as readonly Tag[]
  if (result.length !== index + 1 || result.at(-1) !== epoch.list[index]) {
    found.push(`wrong result: ${told(writer)} is stored as [${epoch.list.slice(0, index + 1)}]`)
  }
}

/** Nobody saw a state after someone else had already seen a later one. */
function checkOrder(epoch: Epoch, found: string[]): void {
  const sightings = [...epoch.sightings].sort((one, other) => other.length - one.length)
  let laterEnd = Number.POSITIVE_INFINITY
  let later: Operation | undefined
  let index = 0
  while (index < sightings.length) {
    const { length } = sightings[index] as Sighting
    const start = index
    while (sightings[index]?.length === length) {
      const { operation } = sightings[index++] as Sighting
      if (operation.began > laterEnd) found.push(`stale: ${told(operation)} began after ${told(later as Operation)} had ended`)
    }
    for (const { operation } of sightings.slice(start, index)) {
      if (operation.ended >= laterEnd) continue
      laterEnd = operation.ended
      later = operation
    }
  }
  for (const tag of epoch.list) checkCause(tag, epoch, found)
}

/** No write is seen before it was asked for. */
function checkCause(tag: Tag, epoch: Epoch, found: string[]): void {
  const index = epoch.list.indexOf(tag)
  const writer = epoch.sightings.find((sighting) => sighting.operation.id === idOf(tag))?.operation
  if (!writer) return
  for (const { operation, length } of epoch.sightings) {
    if (length > index && operation.ended < writer.began) found.push(`${told(operation)} saw ${told(writer)} before it began`)
  }
}

/** An epoch is taken at most once, whole, and nothing of it is seen by what begins afterwards. */
function checkTakes(epoch: Epoch, found: string[]): void {
  const takes = epoch.sightings.filter(({ operation }) => operation.kind === 'take')
  const take = takes[0]
  if (!take) return
  if (takes.length > 1) found.push(`taken twice: ${takes.map(({ operation }) => told(operation)).join(' and ')}`)
  if (take.length < epoch.list.length) found.push(`${told(take.operation)} left out the end of [${epoch.list}]`)
  for (const { operation } of epoch.sightings) {
    if (operation.began > take.operation.ended)
      found.push(`back from the dead: ${told(operation)} began after ${told(take.operation)}`)
  }
}

/** No operation is in two epochs. */
function checkOnce(epochs: ReadonlyMap<Tag, Epoch>, found: string[]): void {
  const home = new Map<number, Epoch>()
  for (const epoch of epochs.values()) {
    for (const tag of epoch.list) {
      const other = home.get(idOf(tag))
      if (other && other !== epoch) found.push(`applied twice: #${idOf(tag)} is in [${other.list}] and in [${epoch.list}]`)
      home.set(idOf(tag), epoch)
    }
  }
}

function zoneOf(epoch: Epoch): Zone {
  let firstEnd = Number.POSITIVE_INFINITY
  let lastBegin = Number.NEGATIVE_INFINITY
  for (const { operation } of epoch.sightings) {
    firstEnd = Math.min(firstEnd, operation.ended)
    lastBegin = Math.max(lastBegin, operation.began)
  }
  return { epoch, firstEnd, lastBegin }
}

function isForward(zone: Zone): boolean {
  return zone.firstEnd < zone.lastBegin
}

function checkZones(zones: readonly Zone[], found: string[]): void {
  const forward = zones.filter(isForward).sort((one, other) => one.firstEnd - other.firstEnd)
  for (const [index, zone] of forward.entries()) {
    const next = forward[index + 1]
    if (next && next.firstEnd < zone.lastBegin)
      found.push(`stale: [${zone.epoch.list}] and [${next.epoch.list}] were both there at once`)
  }
  for (const zone of zones) {
    if (isForward(zone)) continue
    const around = covering(forward, zone.lastBegin, zone.firstEnd)
    if (around) found.push(`stale: [${zone.epoch.list}] came and went while [${around.epoch.list}] was there`)
  }
}

/** The forward zone that holds all of the time between two moments. Forward zones are sorted and, if all is well, apart. */
function covering(forward: readonly Zone[], from: number, until: number): Zone | undefined {
  return forward.find((zone) => zone.firstEnd < from && until < zone.lastBegin)
}

/** Whoever found the field unset did so at a moment when it could have been. */
function checkUnset(
  operations: readonly Operation[],
  epochs: ReadonlyMap<Tag, Epoch>,
  zones: readonly Zone[],
  evictions: readonly Ending[],
  found: string[],
): void {
  const forward = zones.filter(isForward)
  const endings = [...evictions, ...operations.filter(mayUnset).map(asItMayEnd)]
  const beginners = new Set([...epochs.keys()].map(idOf))
  for (const operation of operations) {
    if (!sawUnset(operation, beginners)) continue
    const { began, ended } = asItMayEnd(operation)
    const around = covering(forward, began, ended)
    if (around) found.push(`lost: ${told(operation)} found nothing while [${around.epoch.list}] was there`)
    const before = zones.filter((zone) => zone.firstEnd < began)
    if (before.length === 0) continue
    const latest = before.reduce((one, other) => (other.lastBegin > one.lastBegin ? other : one))
    const wasEnded = endings.some((ending) => ending.ended > latest.lastBegin && ending.began < ended)
    if (!wasEnded) found.push(`lost: ${told(operation)} found nothing, but nothing had ended [${latest.epoch.list}]`)
  }
}

function mayUnset(operation: Operation): boolean {
  if (operation.outcome === 'failed') return false
  if (operation.kind === 'take') return operation.outcome !== 'ok' || operation.value !== undefined
  return operation.kind === 'delete'
}

/** A read that returned nothing, or an update that began a list. */
function sawUnset(operation: Operation, beginners: ReadonlySet<number>): boolean {
  if (operation.kind === 'update') return beginners.has(operation.id)
  return operation.kind !== 'set' && listSeenBy(operation)?.length === 0
}

/** What was not acknowledged may take effect at any time after it began. */
function asItMayEnd(operation: Operation): Operation {
  return operation.outcome === 'ok' ? operation : { ...operation, ended: Number.POSITIVE_INFINITY }
}

/**
 * Whether increments of a number field are each counted once: results are all different and grow in real time, and the end lies
 * between what was acknowledged and what was acknowledged or unknown.
 */
export function checkCounter(operations: readonly Operation[], end: number): string[] {
  const found: string[] = []
  const increments = operations.filter((operation) => operation.kind === 'increment')
  const acknowledged = increments.filter((operation) => operation.outcome === 'ok')
  const unknown = increments.filter((operation) => operation.outcome === 'unknown' || operation.outcome === 'gone')
  if (end < acknowledged.length)
    found.push(`lost update: ${acknowledged.length} increments were acknowledged, but the field is ${end}`)
  if (end > acknowledged.length + unknown.length) {
    found.push(
      `applied twice: the field is ${end} after ${acknowledged.length} increments and ${unknown.length} of unknown outcome`,
    )
  }
  if (new Set(acknowledged.map((operation) => operation.value)).size < acknowledged.length) {
    found.push('lost update: two increments returned the same number')
  }
  checkGrowth(operations, found)
  return found
}

function checkGrowth(operations: readonly Operation[], found: string[]): void {
  const told = operations.filter((operation) => operation.outcome === 'ok' && typeof operation.value === 'number')
  const byEnd = [...told].sort((one, other) => one.ended - other.ended)
  let index = 0
  let largest = Number.NEGATIVE_INFINITY
  for (const operation of [...told].sort((one, other) => one.began - other.began)) {
    while (index < byEnd.length && (byEnd[index] as Operation).ended < operation.began) {
      largest = Math.max(largest, byEnd[index++]?.value as number)
    }
    const least = operation.kind === 'increment' ? largest + 1 : largest
    if ((operation.value as number) < least)
      found.push(`stale: #${operation.id} ${describeOperation(operation)} came after ${largest}`)
  }
}

/** Every call settled by its deadline and what timers may add, not counting the time that its process was paused. */
export function checkDeadlines(operations: readonly Operation[], deadlines: Deadlines): string[] {
  return operations
    .filter(
      (operation) => !operation.host.crashed && lasted(operation) > deadlines[isRead(operation) ? 'read' : 'write'] + tolerance,
    )
    .map((operation) => `late: ${told(operation)} took ${Math.round(lasted(operation))} ms`)
}

/** How long calls may take, in milliseconds. */
export interface Deadlines {
  readonly read: number
  readonly write: number
}

const tolerance = 50

function isRead(operation: Operation): boolean {
  return ['get', 'getAll', 'has', 'open', 'peek'].includes(operation.kind)
}

function lasted(operation: Operation): number {
  return operation.endedAt - operation.beganAt - operation.host.pausedBetween(operation.beganAt, operation.endedAt)
}

function idOf(tag: Tag): number {
  return Number.parseInt(tag, 10)
}

function isPrefix(short: readonly Tag[], long: readonly Tag[]): boolean {
  return short.length <= long.length && short.every((tag, index) => long[index] === tag)
}

function told(operation: Operation): string {
  return `#${operation.id} ${describeOperation(operation)}`
}
