import type { Count } from '../../../packages/fieldwise/src/lib/api/shared.js'
import { decodeItem } from '../../../packages/fieldwise/src/lib/format/item.js'
import type { Shared } from '../../../packages/fieldwise/src/lib/shared/create-shared.js'
import { counter } from '../../../packages/fieldwise/src/lib/shared/kinds.js'
import { checkDeadlines, type Ending } from '../checker.js'
import { describeOperation, type History, type Operation } from '../history.js'
import type { Scenario } from '../scenario.js'
import { defaultDeadlines } from '../visitor.js'
import type { Host, World } from '../world.js'
import { beginShared, callAll, sharedOn } from './shared-scene.js'

/** Counters of short and long windows: in its window each increment is counted once. */
export const sharedCounters: Scenario = {
  name: 'shared-counters',
  async play(world, history) {
    const { random } = world
    const window = random.pick([50, 1_500, 3_600_000])
    const kinds = { visits: counter({ window: `${window}ms` }) }
    const births = noteBirths(world)
    const scene = beginShared(world, history, kinds, [3, 30, 300, 3_000])
    const habit = { increment: 8, peek: 2, reset: random.pick([0, 0, 0.3]) }
    await callAll(world, scene, (host, shared) => callOne(history, host, shared, random.weighted(habit)))
    const last = world.host()
    await peek(history, last, sharedOn(last, kinds))
    const windows = windowsOf(history.operations, births).filter((one) => !isReset(one, history.operations))
    return [
      ...windows.flatMap((one) => checkWindow(one, history.operations)),
      ...checkTimes(history.operations, window, world),
      ...checkFirst(windows, history.operations, scene.endings),
      ...checkDeadlines(history.operations, defaultDeadlines),
    ]
  },
}

type Counters = Shared<{ readonly visits: ReturnType<typeof counter> }>

function callOne(history: History, host: Host, shared: Counters, call: 'increment' | 'peek' | 'reset'): Promise<Operation> {
  switch (call) {
    case 'increment':
      return history.record(host, 'increment', 'visits', () => shared.visits.increment('one'))
    case 'peek':
      return peek(history, host, shared)
    default:
      return history.record(host, 'reset', 'visits', () => shared.visits.reset('one'))
  }
}

function peek(history: History, host: Host, { visits }: Counters): Promise<Operation> {
  return history.record(host, 'peek', 'visits', () => visits.peek('one'))
}

/**
 * A window is known by its end. Two that begin in one millisecond, one after the other was evicted, cannot be told apart by it: those that were
 * added under two births are not judged.
 */
function noteBirths(world: World): Map<number, Set<number>> {
  const births = new Map<number, Set<number>>()
  const { server } = world
  const execute = server.execute.bind(server)
  server.execute = (command) => {
    if (command.op === 'add' || command.op === 'replace') {
      const { deadline, birth } = decodeItem('visits', command.value)
      births.set(deadline, (births.get(deadline) ?? new Set()).add(birth))
    }
    return execute(command)
  }
  return births
}

interface Window {
  readonly end: number
  readonly sightings: readonly Operation[]
}

function windowsOf(operations: readonly Operation[], births: ReadonlyMap<number, ReadonlySet<number>>): Window[] {
  const byEnd = new Map<number, Operation[]>()
  for (const operation of operations.filter(hasCount)) {
    const end = countOf(operation).resetsAt.getTime()
    byEnd.set(end, [...(byEnd.get(end) ?? []), operation])
  }
  return [...byEnd].filter(([end]) => births.get(end)?.size === 1).map(([end, sightings]) => ({ end, sightings }))
}

/** A window that was reset and the next may begin in one millisecond, and have one end. */
function isReset({ sightings }: Window, operations: readonly Operation[]): boolean {
  const first = Math.min(...sightings.map(({ began }) => began))
  const last = Math.max(...sightings.map(({ ended }) => ended))
  return operations.some(({ kind, outcome, began, ended }) => {
    return kind === 'reset' && outcome !== 'failed' && began < last && (outcome !== 'ok' || ended > first)
  })
}

function hasCount({ kind, outcome, value }: Operation): boolean {
  return (kind === 'increment' || kind === 'peek') && outcome === 'ok' && value !== undefined
}

function countOf(operation: Operation): Count {
  return operation.value as Count
}

/** Results are all different and grow in real time, and none is more than what may have been counted. */
function checkWindow({ end, sightings }: Window, operations: readonly Operation[]): string[] {
  const found: string[] = []
  const counted = sightings.filter(({ kind }) => kind === 'increment')
  const counts = counted.map((operation) => countOf(operation).count)
  if (new Set(counts).size < counts.length) found.push(`counted twice: two increments of the window ${end} have one count`)
  const open = operations.filter(({ kind, outcome }) => kind === 'increment' && outcome === 'unknown').length
  const most = Math.max(...sightings.map((operation) => countOf(operation).count))
  if (most > counted.length + open) {
    found.push(`counted twice: ${most} in the window ${end} of ${counted.length} increments and ${open} of unknown outcome`)
  }
  for (const later of sightings) {
    const least = later.kind === 'increment' ? 1 : 0
    const before = sightings.filter(({ ended }) => ended < later.began)
    const known = Math.max(0, ...before.map((operation) => countOf(operation).count))
    if (countOf(later).count < known + least)
      found.push(`lost update: #${later.id} ${describeOperation(later)} came after ${known}`)
  }
  return found
}

/**
 * Nothing is counted in a window that is over, or that begins later than now, by more than clocks part: memcached tells whole seconds, and its
 * answer may have been under way for one (L7).
 */
function checkTimes(operations: readonly Operation[], window: number, world: World): string[] {
  const epoch = world.serverTime() - world.now
  return operations.filter(hasCount).flatMap((operation) => {
    const end = countOf(operation).resetsAt.getTime() - epoch
    if (end < operation.beganAt - apart)
      return [`over: #${operation.id} ${describeOperation(operation)} in a window that had ended`]
    if (end > operation.endedAt + window + apart)
      return [`early: #${operation.id} ${describeOperation(operation)} in a window to come`]
    return []
  })
}

const apart = 2_100

/** While one window is open, no other begins, unless the first was reset or taken away. */
function checkFirst(windows: readonly Window[], operations: readonly Operation[], endings: readonly Ending[]): string[] {
  const resets = operations.filter(({ kind, outcome }) => kind === 'reset' && outcome !== 'failed')
  if (endings.length > 0 || resets.length > 0) return []
  const byEnd = [...windows].sort((one, other) => one.end - other.end)
  return byEnd.flatMap((one, index) => {
    const next = byEnd[index + 1]
    const seen = Math.max(...one.sightings.map(({ began }) => began))
    const begun = next && Math.min(...next.sightings.map(({ ended }) => ended))
    return begun !== undefined && begun < seen ? [`two windows: that of ${next?.end} began before ${one.end} was seen last`] : []
  })
}
