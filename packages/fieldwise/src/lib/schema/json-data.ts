/** A value holds something that JSON would silently change or drop. `path` leads to it. */
export class NotJsonError extends Error {
  readonly code: 'not_json' | 'too_deep'
  readonly path: (string | number)[] = []

  constructor(code: 'not_json' | 'too_deep') {
    super(code)
    this.code = code
  }
}

/** How deep JSON data may be nested: far less deep than a recursive walk could go before the stack is full. */
export const deepest = 500

/**
 * A copy that shares nothing with `value` and that JSON text carries exactly. Each property is read once, so that what was looked at is
 * what is stored. A property that is `undefined` is left out, as JSON does.
 *
 * @throws {NotJsonError} for `undefined` as a whole or in an array, NaN and infinities, bigints, functions, symbols and symbol keys, holes and names in
 * arrays, class instances, an object with `toJSON`, a key `__proto__`, and nesting beyond {@link deepest}, which cycles end in.
 */
export function copyOfJson(value: unknown, depth = 0): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value
    case 'number':
      if (Number.isFinite(value)) return value
      throw new NotJsonError('not_json')
    case 'object':
      if (value === null) return null
      if (depth > deepest) throw new NotJsonError('too_deep')
      return Array.isArray(value) ? copyOfArray(value, depth) : copyOfObject(value, depth)
    default:
      throw new NotJsonError('not_json')
  }
}

/** @throws {NotJsonError} for a value that holds an own property `__proto__`, however deep in lists and plain objects. */
export function assertNoProto(value: unknown, depth = 0): void {
  if (typeof value !== 'object' || value === null) return
  if (depth > deepest) throw new NotJsonError('too_deep')
  if (!Array.isArray(value) && !isPlain(value)) return
  for (const key of Object.keys(value)) {
    if (key === '__proto__') throw new NotJsonError('not_json')
    const inner = (value as Record<string, unknown>)[key]
    if (typeof inner === 'object' && inner !== null)
      inside(Array.isArray(value) ? Number(key) : key, () => assertNoProto(inner, depth + 1))
  }
}

function copyOfArray(array: readonly unknown[], depth: number): unknown[] {
  if (Object.keys(array).length !== array.length || hasToJson(array)) throw new NotJsonError('not_json')
  const copy: unknown[] = []
  for (let index = 0; index < array.length; index++) copy.push(at(index, array[index], depth))
  return copy
}

function copyOfObject(object: object, depth: number): Record<string, unknown> {
  if (!isPlain(object) || hasToJson(object)) throw new NotJsonError('not_json')
  const copy: Record<string, unknown> = {}
  for (const key of Object.keys(object)) {
    if (key === '__proto__') throw new NotJsonError('not_json')
    const value = (object as Record<string, unknown>)[key]
    if (value !== undefined) copy[key] = at(key, value, depth)
  }
  return copy
}

function at(key: string | number, value: unknown, depth: number): unknown {
  return typeof value === 'string' ? value : inside(key, () => copyOfJson(value, depth + 1))
}

function inside<T>(key: string | number, work: () => T): T {
  try {
    return work()
  } catch (error) {
    if (error instanceof NotJsonError) error.path.unshift(key)
    throw error
  }
}

/** Also of another realm, and without a prototype, as parsed query strings are. */
function isPlain(object: object): boolean {
  const prototype = Object.getPrototypeOf(object)
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null) return false
  return Object.getOwnPropertySymbols(object).length === 0
}

function hasToJson(value: object): boolean {
  return typeof (value as { toJSON?: unknown }).toJSON === 'function'
}
