import * as core from 'zod/v4/core'
import { BadConfigError } from '../api/errors.js'
import { hasOuter, hasPart, isCodec, partsOf, type SchemaPart } from './schema-part.js'

/** What a field's schema says about how its values are to be stored. */
export interface StoredForm {
  /** A codec is in it: what is stored is not what is read. */
  readonly coded: boolean
  /** Whatever passes the schema is JSON data already. */
  readonly plain: boolean
  /** A `.catch()` is in it: reading forgives what writing must not. */
  readonly caught: boolean
  /** zod may hand out one and the same object in two values: a default or `.catch()` value inside. */
  readonly shared: boolean
  /** Its values hold keys that are data: zod would silently drop a key `__proto__`. */
  readonly keyed: boolean
  /** Reading may find something else than what was written, or nothing at all; only trying shows it. */
  readonly unsteady: boolean
}

/**
 * How a field's values are stored.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) where the schema itself shows that JSON cannot carry them, naming the field, what is wrong, and what to use
 * instead.
 */
export function storedForm(field: string, schema: core.$ZodType): StoredForm {
  const form = { coded: false, plain: true, caught: false, shared: false, keyed: false, unsteady: false }
  if (hasOuter(schema, (part) => part._zod.def.type === 'never')) refuse(field, '', 'z.never() has no values')
  const queue: SchemaPlace[] = [{ schema, side: 'stored', outer: true, path: '' }]
  const seen = new Set<string>()
  const ids = new Map<core.$ZodType, number>()
  for (const place of queue) {
    const key = keyOf(place, ids)
    if (seen.has(key)) continue
    seen.add(key)
    if (seen.size > mostParts) refuse(field, '', `its schema has more than ${mostParts} parts, or a z.lazy() that never ends`)
    assertStorable(field, place)
    observe(form, place)
    for (const part of partsOf(place.schema)) queue.push(placeOf(part, place))
  }
  return form
}

/** Where a schema stands within its field's schema. */
interface SchemaPlace {
  readonly schema: core.$ZodType
  /** What it describes: data as it is stored, or what a codec makes of it. */
  readonly side: 'stored' | 'decoded'
  /** It sees the field's whole value. */
  readonly outer: boolean
  readonly path: string
}

const mostParts = 10_000

function keyOf(place: SchemaPlace, ids: Map<core.$ZodType, number>): string {
  const id = ids.get(place.schema) ?? ids.size
  ids.set(place.schema, id)
  return `${id}${place.side}${place.outer}`
}

function placeOf(part: SchemaPart, whole: SchemaPlace): SchemaPlace {
  const decoded =
    whole.side === 'decoded' ||
    (part.sees === 'out' && hasPart(inOf(whole.schema), isCodec)) ||
    (part.sees === 'out' && isCodec(whole.schema))
  return {
    schema: part.schema,
    side: decoded ? 'decoded' : 'stored',
    outer: whole.outer && part.sees === 'same',
    path: whole.path + part.step,
  }
}

function inOf(schema: core.$ZodType): core.$ZodType {
  return (schema as core.$ZodPipe)._zod.def.in as core.$ZodType
}

/** Notes what the values of one schema need. */
function observe(form: Mutable<StoredForm>, { schema, side, outer }: SchemaPlace): void {
  const { def } = (schema as core.$ZodTypes)._zod
  if (isCodec(schema)) form.coded = true
  if (def.type === 'record' || (def.type === 'object' && def.catchall !== undefined)) form.keyed = true
  if (def.type === 'catch') {
    form.caught = true
    form.shared = true
  }
  if ((def.type === 'default' || def.type === 'prefault') && !outer && isShared(def)) form.shared = true
  for (const check of def.checks ?? []) observeCheck(form, check)
  if (side === 'decoded') return
  if (isLoose(schema)) form.plain = false
  if ((def.type === 'array' || def.type === 'tuple') && partsOf(schema).some((part) => hasOuter(part.schema, isOptional)))
    form.plain = false
  if (def.type === 'object' && Object.values(def.shape).some(mayVanish)) form.unsteady = true
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** `overwrite` (also `trim` and the like) runs on writing and on reading. A bare `check` function may put anything in place of the value. */
function observeCheck(form: Mutable<StoredForm>, check: core.$ZodCheck): void {
  const def = check._zod.def as core.$ZodCheckDef & { fn?: unknown }
  if (def.check !== 'overwrite' && (def.check !== 'custom' || def.fn !== undefined)) return
  form.plain = false
  if (def.check === 'overwrite') form.unsteady = true
}

/** zod copies a default one level deep. */
function isShared(def: core.$ZodDefaultDef | core.$ZodPrefaultDef): boolean {
  const [first, second]: unknown[] = [def.defaultValue, def.defaultValue]
  if (typeof first !== 'object' || first === null) return false
  return first === second || Object.values(first).some((value) => typeof value === 'object' && value !== null)
}

const strictTypes: ReadonlySet<string> = new Set([
  'string',
  'number',
  'boolean',
  'null',
  'enum',
  'literal',
  'template_literal',
  'array',
  'object',
  'tuple',
  'union',
  'intersection',
  'optional',
  'nullable',
  'default',
  'prefault',
  'nonoptional',
  'readonly',
  'catch',
  'pipe',
  'lazy',
  'never',
])

/** Lets values through that it does not look into. A type of schema that is not known here may do that too. */
function isLoose(schema: core.$ZodType): boolean {
  const def = schema._zod.def as core.$ZodTypeDef & { mode?: unknown }
  if (def.type === 'record') return def.mode === 'loose'
  return !strictTypes.has(def.type)
}

function isOptional(schema: core.$ZodType): boolean {
  return schema._zod.def.type === 'optional'
}

/** A required property that may be `undefined`: JSON drops it, and the object does not fit any more. */
function mayVanish(schema: core.SomeType): boolean {
  return schema._zod.optin === undefined && hasOuter(schema as core.$ZodType, isLoose)
}

function assertStorable(field: string, place: SchemaPlace): void {
  const { schema, path, side } = place
  const { def } = (schema as core.$ZodTypes)._zod
  switch (def.type) {
    case 'transform':
      return refuse(field, path, '.transform() goes one way only', 'use z.codec(), which says both ways')
    case 'pipe':
      return assertStorablePipe(field, place, def)
    case 'success':
      return refuse(field, path, 'z.success() goes one way only', 'use z.boolean()')
    case 'promise':
      return refuse(field, path, 'z.promise() is never there at once', 'store what it resolves to')
    case 'default':
    case 'prefault':
      return assertDefault(field, path, def)
    case 'union':
      return assertStorableUnion(field, place, def)
    case 'intersection':
      return assertStorableIntersection(field, path, def)
    default:
      if (side === 'stored') assertStorableValues(field, place)
  }
}

function assertStorableValues(field: string, { schema, path }: SchemaPlace): void {
  const { def } = (schema as core.$ZodTypes)._zod
  switch (def.type) {
    case 'date':
      return refuse(field, path, 'z.date() is not JSON', 'use dateCodec')
    case 'map':
      return refuse(field, path, 'z.map() is not JSON', 'use mapCodec(key, value)')
    case 'set':
      return refuse(field, path, 'z.set() is not JSON', 'use setCodec(value)')
    case 'bigint':
      return refuse(field, path, 'z.bigint() is not JSON', 'use bigintCodec')
    case 'file':
      return refuse(field, path, 'z.file() is not JSON', 'store its bytes with bytesCodec, or better a reference to it')
    case 'undefined':
    case 'void':
      return refuse(field, path, `z.${def.type}() is not JSON`, 'use .optional(), or z.null()')
    case 'nan':
    case 'symbol':
    case 'function':
      return refuse(field, path, `z.${def.type}() is not JSON`, 'use z.codec() to a type that is')
    case 'custom':
      return assertStorableClass(field, path, schema)
    case 'literal':
      return assertStorableLiterals(field, path, def.values)
    case 'enum':
      return assertStorableLiterals(field, path, Object.values(def.entries))
    case 'object':
      return assertStorableNames(field, path, def.shape)
    case 'record':
      return assertStorableKeys(field, path, def.keyType as core.$ZodType)
    default:
  }
}

function assertStorablePipe(field: string, { schema, path, side }: SchemaPlace, def: core.$ZodPipeDef): void {
  if (isCodec(schema)) return
  if (def.in._zod.def.type === 'transform') {
    return refuse(field, path, 'z.preprocess() goes one way only', 'use z.codec(), or convert before you store')
  }
  if (side === 'stored' && hasPart(def.out as core.$ZodType, isCoerced)) {
    refuse(field, path, 'a pipe into z.coerce goes one way only', 'use z.codec(), which says both ways')
  }
}

function isCoerced(schema: core.$ZodType): boolean {
  return (schema._zod.def as { coerce?: boolean }).coerce === true
}

/** zod hands a default out without checking it. */
function assertDefault(field: string, path: string, def: core.$ZodDefaultDef | core.$ZodPrefaultDef): void {
  if (fits(def)) return
  refuse(field, path, 'its default does not fit its own schema', 'make the default a value that could be stored')
}

function fits(def: core.$ZodDefaultDef | core.$ZodPrefaultDef): boolean {
  try {
    const value: unknown = def.defaultValue
    const check = def.type === 'default' ? core.safeEncode : core.safeParse
    return value !== undefined && check(def.innerType as core.$ZodType, value).success
  } catch {
    return false
  }
}

/** What is stored must show which option of the union it belongs to. */
function assertStorableUnion(field: string, { path, side }: SchemaPlace, def: core.$ZodUnionDef): void {
  const options = def.options as readonly core.$ZodType[]
  if (side === 'decoded' || 'discriminator' in def || !options.some((option) => hasPart(option, isCodec))) return
  const taken = new Set<JsonKind>()
  for (const option of options) {
    const kinds = kindsOf(option)
    if ([...kinds].some((kind) => taken.has(kind))) {
      refuse(field, path, 'options of a union with a codec look alike once stored', 'use z.discriminatedUnion()')
    }
    for (const kind of kinds) taken.add(kind)
  }
}

type JsonKind = 'string' | 'number' | 'boolean' | 'null' | 'array' | 'object'

const allKinds: readonly JsonKind[] = ['string', 'number', 'boolean', 'null', 'array', 'object']

/** The kinds of JSON data that values of a schema may be stored as. */
function kindsOf(root: core.$ZodType): Set<JsonKind> {
  const kinds = new Set<JsonKind>()
  hasOuter(root, (schema) => {
    for (const kind of ownKindsOf(schema)) kinds.add(kind)
    return false
  })
  return kinds
}

function ownKindsOf(schema: core.$ZodType): readonly JsonKind[] {
  const { def } = (schema as core.$ZodTypes)._zod
  switch (def.type) {
    case 'string':
    case 'template_literal':
      return ['string']
    case 'number':
    case 'boolean':
    case 'null':
    case 'array':
    case 'object':
      return [def.type]
    case 'tuple':
      return ['array']
    case 'record':
      return ['object']
    case 'nullable':
      return ['null']
    case 'literal':
      return def.values.map((value) => (value === null ? 'null' : typeof value) as JsonKind)
    case 'enum':
      return Object.values(def.entries).map((value) => typeof value as JsonKind)
    default:
      return isLoose(schema) ? allKinds : []
  }
}

/** zod's types say that such a default is used, but at run time it is not. */
function assertStorableIntersection(field: string, path: string, def: core.$ZodIntersectionDef): void {
  if (def.left._zod.optin !== 'defaulted' && def.right._zod.optin !== 'defaulted') return
  refuse(field, path, 'a default inside an intersection is never used', 'put it on the intersection')
}

function assertStorableClass(field: string, path: string, schema: core.$ZodType): void {
  const { Class } = schema._zod.bag as { Class?: { name?: unknown } }
  if (Class === undefined) return
  const instead = Class === Uint8Array ? 'use bytesCodec' : 'use z.codec() to a type that is'
  refuse(field, path, `z.instanceof(${String(Class.name)}) is not JSON`, instead)
}

function assertStorableLiterals(field: string, path: string, values: readonly unknown[]): void {
  for (const value of values) {
    if (value === undefined) refuse(field, path, 'undefined is not JSON', 'use .optional(), or z.null()')
    if (typeof value === 'bigint') refuse(field, path, 'a bigint literal is not JSON', 'use bigintCodec')
    if (typeof value === 'number' && !Number.isFinite(value)) refuse(field, path, `${value} is not JSON`, 'use null or a string')
  }
}

/** zod silently drops a property `__proto__`, and JSON one whose key is a symbol. */
function assertStorableNames(field: string, path: string, shape: object): void {
  if (Object.hasOwn(shape, '__proto__')) refuse(field, path, "a property named '__proto__' is never kept", 'use another name')
  if (Object.getOwnPropertySymbols(shape).length > 0)
    refuse(field, path, 'a symbol as a property name is not JSON', 'use a string')
}

function assertStorableKeys(field: string, path: string, keyType: core.$ZodType): void {
  if (hasPart(keyType, isCodec)) refuse(field, path, 'the keys of a record cannot have a codec', 'use mapCodec(key, value)')
}

function refuse(field: string, path: string, what: string, instead?: string): never {
  const where = path === '' ? `Field '${field}'` : `Field '${field}', at ${field}${path}`
  throw new BadConfigError(`${where}: ${what}${instead === undefined ? '' : `; ${instead}`}`)
}
