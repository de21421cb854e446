import type * as z from 'zod'
import * as core from 'zod/v4/core'
import { BadArgumentError, BadConfigError, FieldInvalidError, type FieldIssue } from '../api/errors.js'
import { maskedPath } from './issue-path.js'
import { assertNoProto, copyOfJson, NotJsonError } from './json-data.js'
import { type StoredForm, storedForm } from './storable.js'

/**
 * A schema, checked and analysed before the first value comes.
 *
 * @internal
 */
export interface CompiledSchema {
  /** The declared names, in order. */
  readonly names: readonly string[]
  /** The schema has a catchall: any well-formed name is a field. */
  readonly hasCatchall: boolean
  /** @throws {BadArgumentError} (`BAD_ARGUMENT`) for a name that breaks the rule of names, or that is not a field. */
  field(name: string): CompiledField
}

/**
 * One field of a schema.
 *
 * @internal
 */
export interface CompiledField {
  readonly name: string
  /** `increment` makes sense: its values are numbers. */
  readonly numeric: boolean
  /** The JSON text that stands for `value`. @throws {FieldInvalidError} (`FIELD_INVALID`) */
  encode(value: unknown): string
  /** The value that JSON text stands for, sharing nothing with any other value handed out. @throws {FieldInvalidError} (`FIELD_INVALID`) */
  decode(json: string): unknown
  /** What an unset field reads as, sharing nothing with any other value handed out; `undefined` where there is no default. */
  default(): unknown
}

/**
 * Makes a schema ready for use.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for a schema that fields cannot be stored by, with what to use instead.
 *
 * @internal
 */
export function compileSchema(schema: z.ZodObject): CompiledSchema {
  const def = assertSchema(schema)
  const fields = new Map<string, CompiledField>()
  for (const [name, part] of Object.entries(def.shape)) fields.set(name, declaredField(name, part as core.$ZodType))
  const rest =
    def.catchall === undefined || def.catchall._zod.def.type === 'never' ? undefined : planOf('*', def.catchall as core.$ZodType)
  return {
    names: [...fields.keys()],
    hasCatchall: rest !== undefined,
    field(name) {
      const declared = fields.get(name)
      if (declared !== undefined) return declared
      assertFieldName(name)
      if (rest === undefined)
        throw new BadArgumentError(`There is no field ${quoted(name)}; the schema has ${[...fields.keys()].join(', ')}`)
      return new SchemaField(name, rest)
    },
  }
}

/**
 * @throws {BadArgumentError} (`BAD_ARGUMENT`) for a name that cannot be a field's: a letter or `_` first, then letters, digits, `_` and `-`, 64
 * characters at most, and nothing that every object inherits.
 *
 * @internal
 */
export function assertFieldName(name: unknown): asserts name is string {
  const problem = problemOfName(name)
  if (problem !== undefined) throw new BadArgumentError(problem)
}

/** Whether a field could have this name: a letter or `_` first, then letters, digits, `_` and `-`, 64 characters at most. */
export function isFieldName(name: string): boolean {
  return problemOfName(name) === undefined
}

/** How the values of a field are treated, found out once. */
interface Plan {
  readonly schema: core.$ZodType
  readonly form: StoredForm
  readonly numeric: boolean
  readonly defaulted: boolean
  /** How zod makes what is stored of a value: by encoding or, where that gives the same, by parsing, which costs far less. */
  readonly write: (schema: core.$ZodType, value: unknown) => core.util.SafeParseResult<unknown>
}

function assertSchema(schema: z.ZodObject): core.$ZodObjectDef {
  const def = (schema as z.ZodObject | undefined)?._zod?.def
  if (def?.type !== 'object') throw new BadConfigError('`schema` is a z.object({ … }) of zod 4 with one property a field')
  if (def.checks !== undefined && def.checks.length > 0) {
    throw new BadConfigError(
      'The schema has a check over all fields (refine, superRefine, check), which nothing would run: fields are stored one by one. Put what belongs together into one field, and the check on that',
    )
  }
  if (Object.getOwnPropertySymbols(def.shape).length > 0)
    throw new BadConfigError('A field is named by a string, not by a symbol')
  return def
}

function declaredField(name: string, schema: core.$ZodType): CompiledField {
  const problem = problemOfName(name)
  if (problem !== undefined) throw new BadConfigError(problem)
  const field = new SchemaField(name, planOf(name, schema))
  assertDefault(field, schema)
  return field
}

function planOf(name: string, schema: core.$ZodType): Plan {
  const form = storedForm(name, schema)
  return {
    schema,
    form,
    numeric: isNumeric(schema),
    defaulted: schema._zod.optin === 'defaulted',
    write: form.coded || form.caught ? core.safeEncode : core.safeParse,
  }
}

function assertDefault(field: CompiledField, schema: core.$ZodType): void {
  if (schema._zod.optin !== 'defaulted' || holdsDefault(field, schema)) return
  throw new BadConfigError(
    `Field '${field.name}': its default does not fit its own schema; make the default a value that could be stored`,
  )
}

function holdsDefault(field: CompiledField, schema: core.$ZodType): boolean {
  try {
    const value = core.parse(schema, undefined)
    if (value !== undefined) field.decode(field.encode(value))
    return true
  } catch {
    return false
  }
}

class SchemaField implements CompiledField {
  readonly name: string
  readonly #plan: Plan

  constructor(name: string, plan: Plan) {
    this.name = name
    this.#plan = plan
  }

  get numeric(): boolean {
    return this.#plan.numeric
  }

  encode(value: unknown): string {
    if (value === undefined) throw this.#invalid('invalid_type')
    const { schema, form, write } = this.#plan
    try {
      if (form.keyed) assertNoProto(value)
      const data = this.#passed(write(schema, value))
      const json = jsonOf(form.plain ? data : copyOfJson(data))
      if (form.unsteady && this.#again(json) !== json) throw this.#invalid('unstable')
      return json
    } catch (error) {
      throw this.#refusal(error)
    }
  }

  decode(json: string): unknown {
    const { schema, form } = this.#plan
    try {
      const value = this.#passed(core.safeParse(schema, this.#data(json)))
      return form.shared ? this.#unshared(value) : value
    } catch (error) {
      throw this.#refusal(error)
    }
  }

  default(): unknown {
    const { schema, form, defaulted } = this.#plan
    if (!defaulted) return undefined
    const value = this.#defaultOf(schema)
    if (typeof value === 'object' || form.coded) return value === undefined ? undefined : this.decode(this.encode(value))
    return value
  }

  #defaultOf(schema: core.$ZodType): unknown {
    try {
      return this.#passed(core.safeParse(schema, undefined))
    } catch (error) {
      throw this.#refusal(error)
    }
  }

  #passed(result: core.util.SafeParseResult<unknown>): unknown {
    if (result.success) return result.data
    const issues = result.error.issues.slice(0, mostIssues)
    throw new FieldInvalidError(
      this.name,
      issues.map((issue) => issueOf(this.#plan.schema, issue)),
    )
  }

  #data(json: string): unknown {
    const { form } = this.#plan
    const data = dataOf(json)
    if (data === undefined) throw this.#invalid('invalid_json')
    // zod copies what it checks, without `__proto__`. Values that it passes on unchecked, or with any key in them, are checked here.
    return (form.plain && !form.caught && !form.keyed) || !mayHoldProto(json) ? data : copyOfJson(data)
  }

  /** What reading and writing `json` once more comes to. */
  #again(json: string): string {
    const { schema, write } = this.#plan
    const value = this.#passed(core.safeParse(schema, JSON.parse(json)))
    return jsonOf(copyOfJson(this.#passed(write(schema, value))))
  }

  /** The same value, without an object that the schema hands out again: it is written and read once more. */
  #unshared(value: unknown): unknown {
    if (value === undefined) return undefined
    const { schema, form, write } = this.#plan
    if (!form.coded) return copyOfJson(value)
    const data = copyOfJson(this.#passed(write(schema, value)))
    return this.#passed(core.safeParse(schema, data))
  }

  #invalid(code: string): FieldInvalidError {
    return new FieldInvalidError(this.name, [{ code, path: [] }])
  }

  /** Errors of zod and of functions in the schema may carry values, so only the kind of error is passed on. */
  #refusal(error: unknown): FieldInvalidError {
    if (error instanceof FieldInvalidError) return error
    if (error instanceof NotJsonError && error.code === 'not_json') {
      const issue: FieldIssue = { code: error.code, path: maskedPath(this.#plan.schema, error.path) }
      return new FieldInvalidError(this.name, [issue])
    }
    if (error instanceof core.$ZodAsyncError) return this.#invalid('async')
    return this.#invalid(error instanceof RangeError || error instanceof NotJsonError ? 'too_deep' : 'exception')
  }
}

const mostIssues = 20

function issueOf(schema: core.$ZodType, issue: core.$ZodIssue): FieldIssue {
  const path = maskedPath(schema, issue.path)
  // A check of the app's own may raise such an issue too, and put anything there.
  const isType = issue.code === 'invalid_type' && typeNames.has(issue.expected)
  return { code: issue.code, path, ...(isType && { expected: issue.expected }) }
}

const typeNames: ReadonlySet<string> = new Set(
  'string number int boolean bigint symbol null undefined void never nan array object tuple record map set date file function promise'.split(
    ' ',
  ),
)

function jsonOf(data: unknown): string {
  const json = JSON.stringify(data) as string | undefined
  if (json === undefined) throw new NotJsonError('not_json')
  return json
}

/** `undefined` for what is not JSON. */
function dataOf(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return undefined
  }
}

/** Any letter of a key may be written as an escape. */
function mayHoldProto(json: string): boolean {
  return json.includes('__proto__') || json.includes('\\u')
}

/** Whether every value is a number, as the types of `increment` decide it. A schema inside itself adds no values. */
function isNumeric(schema: core.SomeType, seen = new Set<core.SomeType>()): boolean {
  if (seen.has(schema)) return true
  seen.add(schema)
  const { def } = (schema as core.$ZodTypes)._zod
  switch (def.type) {
    case 'number':
      return true
    case 'literal':
      return def.values.every((value) => typeof value === 'number')
    case 'enum':
      return Object.values(def.entries).every((value) => typeof value === 'number')
    case 'union':
      return def.options.every((option) => isNumeric(option, seen))
    case 'intersection':
      return isNumeric(def.left, seen) || isNumeric(def.right, seen)
    case 'pipe':
      return isNumeric(def.out, seen)
    case 'lazy':
      return isNumeric((schema as core.$ZodLazy)._zod.innerType, seen)
    case 'optional':
    case 'default':
    case 'prefault':
    case 'nonoptional':
    case 'readonly':
    case 'catch':
      return isNumeric(def.innerType, seen)
    default:
      return false
  }
}

const wellFormedName = /^[A-Za-z_][A-Za-z0-9_-]{0,63}$/
const inheritedNames: ReadonlySet<string> = new Set(Object.getOwnPropertyNames(Object.prototype))

function problemOfName(name: unknown): string | undefined {
  if (typeof name !== 'string')
    return `A field's name is a string, not ${name === null ? 'null' : `a value of type ${typeof name}`}`
  if (inheritedNames.has(name)) return `${quoted(name)} cannot name a field: every object inherits it`
  if (wellFormedName.test(name)) return undefined
  return `${quoted(name)} cannot name a field: a name begins with a letter or _, and goes on with letters, digits, _ and -, 64 characters at most`
}

/** At most 40 characters, and nothing that a log or a terminal would act on. */
function quoted(name: string): string {
  const shown = name
    .slice(0, 40)
    .replace(/[^ -~]|["\\]/g, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`)
  return `"${shown}"${name.length > 40 ? '…' : ''}`
}
