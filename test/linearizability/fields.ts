import { type Call, describeCall, type Value, writerOf } from './history.js'
import { type DeadEnd, deadEndOf, type State, type Step } from './linearize.js'

/**
 * What is wrong with the history of one field that held `initial` at first: nothing if its calls are linearizable. An acknowledged call took
 * effect once between its beginning and its end, a failed one never, one of unknown outcome once after its beginning or never.
 */
export function checkField(calls: readonly Call[], initial: Value): string[] {
  const tags = tagsIn(calls)
  const deadEnd = deadEndOf(stepsOf(calls, tags), stateOf(initial))
  return deadEnd ? [describeDeadEnd(deadEnd, calls), ...suspicions(calls, tags, initial)] : []
}

function stateOf(value: Value): State {
  return Array.isArray(value) ? value.join(' ') : String(value ?? '')
}

function tagsIn(calls: readonly Call[]): Set<string> {
  return new Set(calls.flatMap(listOf))
}

function listOf({ outcome, value }: Call): readonly string[] {
  return outcome === 'ok' && Array.isArray(value) ? value : []
}

function stepsOf(calls: readonly Call[], tags: ReadonlySet<string>): Step[] {
  const seen = new Map([...tags].map((tag) => [writerOf(tag), tag]))
  return calls.flatMap((call) => {
    const apply = effectOf(call, seen.get(call.id))
    if (apply === undefined) return []
    const { id, began } = call
    return [{ id, began, ended: call.outcome === 'ok' ? call.ended : Number.POSITIVE_INFINITY, isRead: isRead(call), apply }]
  })
}

/** What a call makes of the state that it finds; undefined for one that can be left out of every order. */
function effectOf(call: Call, seen: string | undefined): Step['apply'] | undefined {
  if (call.outcome === 'failed') return undefined
  return call.outcome === 'ok' ? effectOfAcknowledged(call) : effectOfUnknown(call, seen)
}

function effectOfAcknowledged(call: Call): Step['apply'] {
  const value = call.value as Value
  const result = stateOf(value)
  switch (call.kind) {
    case 'get':
      return (state) => (state === result ? state : undefined)
    case 'has':
      return (state) => ((state !== '') === call.value ? state : undefined)
    case 'set':
      return () => result
    case 'update':
      return (state) => (isAppended(call, state) ? result : undefined)
    case 'increment':
      return (state) => (Number(state) + (call.by as number) === value ? result : undefined)
    case 'take':
      return (state) => (state === result ? '' : undefined)
    case 'delete':
      return () => ''
    default:
      throw new Error(`'${call.kind}' is not a call on a field`)
  }
}

/**
 * What a call of unknown outcome has done if it did anything. One that would have left a tag which no acknowledged call ever saw is left
 * out: whatever came of it was overwritten unseen, so that the same order holds without it.
 */
function effectOfUnknown({ kind, by }: Call, seen: string | undefined): Step['apply'] | undefined {
  switch (kind) {
    case 'set':
      return seen === undefined ? undefined : () => seen
    case 'update':
      return seen === undefined ? undefined : (state) => appended(state, seen)
    case 'increment':
      return (state) => String(Number(state) + (by as number))
    case 'take':
    case 'delete':
      return () => ''
    default:
      return undefined
  }
}

function isAppended({ id, value }: Call, state: State): boolean {
  const tag = (value as readonly string[]).at(-1)
  return tag !== undefined && writerOf(tag) === id && stateOf(value as Value) === appended(state, tag)
}

function appended(state: State, tag: string): State {
  return state === '' ? tag : `${state} ${tag}`
}

function isRead({ kind, value }: Call): boolean {
  return kind === 'get' || kind === 'has' || (kind === 'take' && value === undefined)
}

function describeDeadEnd({ state, placed, next, isCertain }: DeadEnd, calls: readonly Call[]): string {
  const stuck = calls.filter(({ id }) => next.includes(id)).map(describeCall)
  const verdict = isCertain ? 'not linearizable' : 'undecided'
  return `${verdict}: after ${placed} calls, with [${state}] stored, none of these can be next: ${stuck.join('; ')}`
}

/** What can be said of the cause without any search. */
function suspicions(calls: readonly Call[], tags: ReadonlySet<string>, initial: Value): string[] {
  const byId = new Map(calls.map((call) => [call.id, call]))
  const first = new Set(Array.isArray(initial) ? initial : [])
  const found: string[] = []
  const seen = new Map<string, string>()
  for (const tag of tags) {
    if (first.has(tag)) continue
    const writer = byId.get(writerOf(tag))
    const other = seen.get(writerOf(tag))
    seen.set(writerOf(tag), tag)
    if (writer === undefined) found.push(`foreign value: nobody wrote ${tag}`)
    if (writer?.outcome === 'failed') found.push(`failed, yet applied: ${tag}`)
    if (other !== undefined) found.push(`applied twice: as ${other} and as ${tag}`)
  }
  for (const call of calls) {
    const list = listOf(call)
    if (new Set(list.map(writerOf)).size < list.length) found.push(`applied twice: ${call.id} saw [${list.join(' ')}]`)
  }
  return found
}
