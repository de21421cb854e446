import type * as core from 'zod/v4/core'

/** One schema inside another. */
export interface SchemaPart {
  readonly schema: core.$ZodType
  /**
   * What the part sees of the whole's value: the `same` value; what a pipe's `in` made of it (`out`); a declared `property`; an `item` of a
   * list; an `entry` whose key is data; or such a `key` itself.
   */
  readonly sees: 'same' | 'out' | 'property' | 'item' | 'entry' | 'key'
  /** How messages write the way from the whole to the part. */
  readonly step: string
  /** The name of a `property`. */
  readonly name?: string
}

/** The parts that a schema consists of, one level down. Checks are not parts. */
export function partsOf(schema: core.$ZodType): SchemaPart[] {
  const { def } = (schema as core.$ZodTypes)._zod
  switch (def.type) {
    case 'optional':
    case 'nullable':
    case 'default':
    case 'prefault':
    case 'nonoptional':
    case 'readonly':
    case 'catch':
    case 'success':
    case 'promise':
      return [same(def.innerType)]
    case 'lazy':
      return [same((schema as core.$ZodLazy)._zod.innerType)]
    case 'union':
      return def.options.map(same)
    case 'intersection':
      return [same(def.left), same(def.right)]
    case 'pipe':
      return [same(def.in), { schema: def.out, sees: 'out', step: '' }]
    case 'array':
      return [item(def.element, '[]')]
    case 'tuple':
      return [...def.items.map((each, index) => item(each, `[${index}]`)), ...(def.rest === null ? [] : [item(def.rest, '[]')])]
    case 'set':
      return [item(def.valueType, '[]')]
    case 'map':
    case 'record':
      return [{ schema: def.keyType, sees: 'key', step: '(key)' }, entry(def.valueType)]
    case 'object':
      return [...Object.entries(def.shape).map(property), ...(def.catchall === undefined ? [] : [entry(def.catchall)])]
    default:
      return []
  }
}

/** Whether the field's own value, not one inside it, passes a schema for which `test` holds. */
export function hasOuter(schema: core.$ZodType, test: (schema: core.$ZodType) => boolean): boolean {
  return has(schema, test, (part) => part.sees === 'same')
}

/** Whether `test` holds for a schema or for any part of it, however deep. */
export function hasPart(schema: core.$ZodType, test: (schema: core.$ZodType) => boolean): boolean {
  return has(schema, test, () => true)
}

/** A pipe that carries both directions. */
export function isCodec(schema: core.$ZodType): boolean {
  const def = schema._zod.def as Partial<core.$ZodCodecDef>
  return def.type === 'pipe' && typeof def.transform === 'function' && typeof def.reverseTransform === 'function'
}

function has(root: core.$ZodType, test: (schema: core.$ZodType) => boolean, follow: (part: SchemaPart) => boolean): boolean {
  const seen = new Set([root])
  for (const schema of seen) {
    if (test(schema)) return true
    for (const part of partsOf(schema)) if (follow(part)) seen.add(part.schema)
  }
  return false
}

function same(schema: core.SomeType): SchemaPart {
  return { schema: schema as core.$ZodType, sees: 'same', step: '' }
}

function item(schema: core.SomeType, step: string): SchemaPart {
  return { schema: schema as core.$ZodType, sees: 'item', step }
}

function entry(schema: core.SomeType): SchemaPart {
  return { schema: schema as core.$ZodType, sees: 'entry', step: '.*' }
}

function property([name, schema]: [string, core.SomeType]): SchemaPart {
  return { schema: schema as core.$ZodType, sees: 'property', step: `.${name}`, name }
}
