import { existsSync, readFileSync } from 'node:fs'

/** What became of a call, as in Jepsen: `ok` took effect, `failed` never does, `unknown` may have or may still. */
export type Outcome = 'ok' | 'failed' | 'unknown'

/** What a call came to know about its session: the reason of a `SESSION_GONE`, or that its token opens nothing. */
export type Gone = 'destroyed' | 'expired' | 'lost' | 'superseded' | 'ended' | 'absent'

type FieldKind = 'get' | 'has' | 'set' | 'update' | 'increment' | 'take' | 'delete'
export type Kind = FieldKind | 'getAll' | 'create' | 'open' | 'regenerate' | 'destroy' | 'revoke'

/**
 * What a field holds: a list of tags, or a number, or nothing. A tag names the call that wrote it and the run of its update function:
 * `p1-17.2`. `set` begins a new list, `update` appends to the one that it finds.
 */
export type Value = readonly string[] | number | undefined

/** One call on one session. Moments are milliseconds on a clock that all processes of a machine share. */
export interface Call {
  readonly id: string
  readonly kind: Kind
  /** The id of the session that was meant. */
  readonly session: string
  readonly field?: string | undefined
  readonly began: number
  /** Infinity: the process ended first. */
  readonly ended: number
  readonly outcome: Outcome
  readonly gone?: Gone | undefined
  /** What it resolved with; for `set` and `create` what was stored. */
  readonly value?: Value | boolean | Readonly<Record<string, Value>>
  /** How much an `increment` adds: an amount like no other, so that a sum tells what it was made of. */
  readonly by?: number | undefined
  /** Which token the call was made with: a mark, not the token. */
  readonly token?: string | undefined
  /** When that token was first shown by the request that the call belongs to; undefined for a session that was kept open. */
  readonly shown?: number | undefined
  /** The mark of the token that a `create` or `regenerate` issued. */
  readonly issued?: string | undefined
}

/** What was done to a server, and from when until when sessions may have been lost by it. */
export interface Incident {
  readonly kind: 'cold restart' | 'eviction'
  /** The label of the server, which ids of sessions end in. */
  readonly server: string
  readonly began: number
  readonly ended: number
}

/** What a process wrote into its journal: its calls, and what nobody expects of any call. */
export interface Journal {
  readonly calls: Call[]
  readonly surprises: string[]
}

/** A line for each beginning and each end, so that of a process that was killed it is known what it had asked for. */
export function readJournal(path: string): Journal {
  const calls = new Map<string, Call>()
  const surprises: string[] = []
  // A process that was killed may not have come to its first call.
  const text = existsSync(path) ? readFileSync(path, 'utf8') : ''
  for (const line of text.split('\n').filter(isWhole)) {
    const { surprise, ...part } = JSON.parse(line)
    if (surprise !== undefined) surprises.push(surprise)
    else calls.set(part.id, { ...unanswered, ...calls.get(part.id), ...part })
  }
  return { calls: [...calls.values()], surprises }
}

const unanswered = { outcome: 'unknown', ended: Number.POSITIVE_INFINITY } as const

/** The last line of a process that was killed may be cut off. */
function isWhole(line: string): boolean {
  return line.endsWith('}')
}

/** The calls on one field; what `getAll` showed of it counts as a `get`. */
export function onField(calls: readonly Call[], field: string): Call[] {
  return calls.flatMap((call) => {
    if (call.kind !== 'getAll') return call.field === field ? [call] : []
    const value = (call.value as Readonly<Record<string, Value>> | undefined)?.[field]
    return [{ ...call, kind: 'get' as const, field, value }]
  })
}

/** The call that wrote a tag. */
export function writerOf(tag: string): string {
  return tag.slice(0, tag.lastIndexOf('.'))
}

export function describeCall({ id, kind, began, ended, ...call }: Call): string {
  const { field, by, outcome, gone, value, token, shown, issued } = call
  const parts = [
    field,
    by && `by ${by}`,
    outcome,
    gone,
    value !== undefined && JSON.stringify(value),
    token && `with ${token}${shown === undefined ? '' : ` shown at ${shown.toFixed(3)}`}`,
    issued && `issued ${issued}`,
  ]
  return `${began.toFixed(3)} to ${ended.toFixed(3)}: ${[id, kind, ...parts].filter(Boolean).join(' ')}`
}
