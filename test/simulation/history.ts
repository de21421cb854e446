import { type ErrorCode, type GoneReason, isFieldwiseError } from '../../packages/fieldwise/src/lib/api/errors.js'
import type { Host, World } from './world.js'

/**
 * What became of a call, as in Jepsen: `ok` took effect, `failed` did not, `unknown` may have or may still.
 * `gone` is `SESSION_GONE`. A call whose process crashed is `unknown` and never ended.
 */
export type Outcome = 'ok' | 'failed' | 'unknown' | 'gone'

export type Kind =
  | 'get'
  | 'getAll'
  | 'has'
  | 'set'
  | 'update'
  | 'increment'
  | 'take'
  | 'delete'
  | 'create'
  | 'open'
  | 'regenerate'
  | 'destroy'
  | 'revoke'
  | 'login'
  | 'end'
  | 'list'
  | 'peek'
  | 'reset'
  | 'put'
  | 'load'
  | 'invalidate'

export interface Operation {
  readonly id: number
  readonly host: Host
  readonly kind: Kind
  readonly field: string
  /** Where the call began and ended in the order of all beginnings and ends. Infinity: it has not ended. */
  readonly began: number
  ended: number
  /** The same in virtual milliseconds. */
  readonly beganAt: number
  endedAt: number
  outcome: Outcome
  value: unknown
  /** The id of the session that the call was made on, as far as it was known when it ended. */
  session: string | undefined
  code: ErrorCode | undefined
  reason: GoneReason | undefined
}

const failures: ReadonlySet<ErrorCode> = new Set([
  'UPDATE_CONFLICT',
  'STORE_UNAVAILABLE',
  'FIELD_INVALID',
  'VALUE_TOO_LARGE',
  'BAD_ARGUMENT',
  'TOO_MANY_SESSIONS',
])

/** An error that an update function throws on purpose: it fails its own call and nothing else. */
export class Refused extends Error {}

/** Everything that was asked of the sessions in one world, with what came back and when. */
export class History {
  readonly operations: Operation[] = []
  /** What should never happen and needs no checker to be seen: an error that no caller was promised, a call that hung. */
  readonly surprises: string[] = []
  readonly #world: World
  #order = 0

  constructor(world: World) {
    this.#world = world
  }

  /** Makes a call and waits until it settles or its process crashes. `call` is told the operation's id. */
  async record(host: Host, kind: Kind, field: string, call: (id: number) => Promise<unknown>): Promise<Operation> {
    const operation = this.#begin(host, kind, field)
    await host.outlive(this.#settle(operation, call), undefined)
    return operation
  }

  /** A point in the order of all beginnings and ends: for what the world does by itself. */
  moment(): number {
    return this.#order++
  }

  #begin(host: Host, kind: Kind, field: string): Operation {
    const operation: Operation = {
      id: this.operations.length + 1,
      host,
      kind,
      field,
      began: this.#order++,
      ended: Number.POSITIVE_INFINITY,
      beganAt: this.#world.now,
      endedAt: Number.POSITIVE_INFINITY,
      outcome: 'unknown',
      value: undefined,
      session: undefined,
      code: undefined,
      reason: undefined,
    }
    this.operations.push(operation)
    this.#world.log(() => `${host.name}  #${operation.id} ${kind} ${field} begins`)
    return operation
  }

  async #settle(operation: Operation, call: (id: number) => Promise<unknown>): Promise<void> {
    try {
      operation.value = await call(operation.id)
      operation.outcome = 'ok'
    } catch (error) {
      this.#fail(operation, error)
    }
    operation.ended = this.#order++
    operation.endedAt = this.#world.now
    this.#world.log(() => `${operation.host.name}  #${operation.id} ${describeOperation(operation)}`)
  }

  #fail(operation: Operation, error: unknown): void {
    if (error instanceof Refused) {
      operation.outcome = 'failed'
      return
    }
    if (!isFieldwiseError(error)) {
      this.surprises.push(`#${operation.id} ${operation.kind} threw ${error instanceof Error ? error.stack : String(error)}`)
      return
    }
    operation.code = error.code
    if (isFieldwiseError(error, 'SESSION_GONE')) {
      operation.outcome = 'gone'
      operation.reason = error.reason
    } else if (failures.has(error.code)) operation.outcome = 'failed'
    else if (error.code !== 'OUTCOME_UNKNOWN') this.surprises.push(`#${operation.id} ${operation.kind} threw ${error.code}`)
  }
}

/** The operations on one field; a `getAll` counts as a `get` of it. */
export function onField(operations: readonly Operation[], field: string): Operation[] {
  return operations.flatMap((operation) => {
    if (operation.field === field) return [operation]
    if (operation.kind !== 'getAll' || operation.outcome !== 'ok') return []
    return [{ ...operation, kind: 'get' as const, field, value: (operation.value as Record<string, unknown>)[field] }]
  })
}

/** What was done on one session, and what may have been: a call that succeeded without it, or on another one, tells nothing of it. */
export function onSession(operations: readonly Operation[], sid: string): Operation[] {
  return operations.filter((operation) => operation.outcome !== 'ok' || operation.session === sid)
}

export function describeOperation(operation: Operation): string {
  const value = operation.outcome === 'ok' && operation.value !== undefined ? ` ${JSON.stringify(operation.value)}` : ''
  const code = operation.code ? ` ${operation.code}` : ''
  const reason = operation.reason ? ` (${operation.reason})` : ''
  return `${operation.kind} ${operation.field} ${operation.outcome}${code}${reason}${value}`
}
