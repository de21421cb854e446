import type * as core from 'zod/v4/core'
import { partsOf } from './schema-part.js'

/**
 * The path to what is wrong in a value, with only what the schema itself tells: declared property names, and positions in lists. All other keys
 * are data and are shown as `*`.
 */
export function maskedPath(schema: core.$ZodType, path: readonly PropertyKey[]): (string | number)[] {
  let level = sameValue([schema])
  return path.map((segment) => {
    const steps = [...level].map((part) => stepInto(part, segment))
    level = sameValue(steps.flatMap(({ into }) => into))
    return steps.some(({ shown }) => shown) && typeof segment !== 'symbol' ? segment : '*'
  })
}

/** All schemas that see the same value as `schemas` do. Both sides of a pipe count: either may have found what is wrong. */
function sameValue(schemas: readonly core.$ZodType[]): Set<core.$ZodType> {
  const level = new Set(schemas)
  for (const schema of level) {
    for (const part of partsOf(schema)) if (part.sees === 'same' || part.sees === 'out') level.add(part.schema)
  }
  return level
}

function stepInto(schema: core.$ZodType, segment: PropertyKey): { shown: boolean; into: core.$ZodType[] } {
  const parts = partsOf(schema)
  const declared = parts.filter((part) => part.sees === 'property' && part.name === segment)
  if (declared.length > 0) return { shown: true, into: declared.map((part) => part.schema) }
  const inside = parts.filter((part) => part.sees === 'item' || part.sees === 'entry' || part.sees === 'key')
  const { type } = schema._zod.def
  // Values that zod does not look into are checked by this package, in whose paths only positions are numbers.
  if (unseenTypes.has(type)) return { shown: typeof segment === 'number', into: [schema] }
  return { shown: typeof segment === 'number' && (type === 'array' || type === 'tuple'), into: inside.map((part) => part.schema) }
}

const unseenTypes: ReadonlySet<string> = new Set(['any', 'unknown', 'custom'])
