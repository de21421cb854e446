import { BadArgumentError } from '../api/errors.js'
import type { CompiledField } from './schema.js'

/**
 * The names and values that a caller hands in; a `Map`, an array or a class would silently be taken for nothing.
 *
 * @internal
 */
export function entriesOf(caller: string, values: unknown): [string, unknown][] {
  const prototype = typeof values === 'object' && values !== null ? Object.getPrototypeOf(values) : undefined
  if (prototype === Object.prototype || prototype === null) return Object.entries(values as object)
  throw new BadArgumentError(`${caller} takes a plain object: the names of fields and their values`)
}

/** The value that a field's JSON stands for; its default where it is unset. */
export function readAs(field: CompiledField, json: string | undefined): unknown {
  return json === undefined ? field.default() : field.decode(json)
}

/** The values of several fields, by name. */
export function collect<K extends string>(
  fields: readonly CompiledField[],
  json: (name: string) => string | undefined,
): Record<K, unknown> {
  return Object.fromEntries(fields.map((field) => [field.name, readAs(field, json(field.name))])) as Record<K, unknown>
}

/** The JSON after a caller's function has run over `json`. */
export function changed(field: CompiledField, json: string | undefined, change: (value: unknown) => unknown): string | undefined {
  const value = readAs(field, json)
  const result = change(value)
  if (isThenable(result)) {
    throw new BadArgumentError(`The function of update('${field.name}') returned a promise; it must be synchronous`)
  }
  if (result !== undefined) return field.encode(result)
  if (value === undefined) return json
  const kept = field.encode(value)
  // A default that was left as it is stays a default.
  return json === undefined && kept === field.encode(field.default()) ? undefined : kept
}

function isThenable(value: unknown): boolean {
  if (value instanceof Promise) value.catch(() => {})
  return (
    (typeof value === 'object' || typeof value === 'function') &&
    value !== null &&
    typeof (value as PromiseLike<unknown>).then === 'function'
  )
}
