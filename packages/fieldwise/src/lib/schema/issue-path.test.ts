import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { maskedPath } from './issue-path.js'

interface Tree {
  name: string
  children: Tree[]
}
const tree: z.ZodType<Tree> = z.lazy(() => z.object({ name: z.string(), children: z.array(tree) }))
const codec = z.codec(z.object({ stored: z.string() }), z.object({ seen: z.string() }), {
  decode: ({ stored }) => ({ seen: stored }),
  encode: ({ seen }) => ({ stored: seen }),
})

describe('a path shows what the schema says, and masks what is data:', () => {
  test.each<[string, z.ZodType, PropertyKey[], (string | number)[]]>([
    ['declared properties', z.object({ a: z.object({ b: z.string() }) }), ['a', 'b'], ['a', 'b']],
    ['undeclared properties', z.looseObject({ a: z.string() }), ['b'], ['*']],
    ['properties of a catchall', z.object({}).catchall(z.object({ a: z.string() })), ['x', 'a'], ['*', 'a']],
    ['positions in arrays', z.array(z.object({ a: z.string() })), [3, 'a'], [3, 'a']],
    ['positions in tuples', z.tuple([z.string(), z.object({ a: z.string() })]), [1, 'a'], [1, 'a']],
    ['keys of records', z.record(z.string(), z.object({ a: z.string() })), ['x', 'a'], ['*', 'a']],
    ['numbers as keys of records', z.record(z.number(), z.string()), [7], ['*']],
    ['keys of maps', z.map(z.string(), z.object({ a: z.string() })), ['x', 'a'], ['*', 'a']],
    ['through wrappers', z.object({ a: z.string() }).optional().nullable().readonly().catch({ a: '' }), ['a'], ['a']],
    ['through unions', z.union([z.string(), z.object({ a: z.string() })]), ['a'], ['a']],
    ['through intersections', z.intersection(z.object({ a: z.string() }), z.object({ b: z.string() })), ['b'], ['b']],
    ['through z.lazy()', tree, ['children', 2, 'children', 0, 'name'], ['children', 2, 'children', 0, 'name']],
    ['the stored side of codecs', codec, ['stored'], ['stored']],
    ['the read side of codecs', codec, ['seen'], ['seen']],
    ['what nobody declared', z.object({ a: z.string() }), ['secret', 'a', 0], ['*', '*', '*']],
    ['a path of a check of the user', z.string(), ['secret', 1], ['*', '*']],
    ['inside of anything', z.any(), ['a', 1, 'b'], ['*', 1, '*']],
    ['symbols', z.object({}), [Symbol('secret')], ['*']],
  ])('%s', (_, schema, path, shown) => {
    expect(maskedPath(schema, path)).toEqual(shown)
  })
})
