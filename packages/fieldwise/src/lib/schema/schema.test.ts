import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { dateCodec, mapCodec } from '../api/codecs.js'
import { BadArgumentError, BadConfigError, FieldInvalidError, type FieldIssue } from '../api/errors.js'
import { assertFieldName, type CompiledField, compileSchema } from './schema.js'

describe('a compiled schema', () => {
  const schema = compileSchema(z.object({ username: z.string(), visits: z.int().default(0) }))

  test('names its fields in order', () => {
    expect(schema.names).toEqual(['username', 'visits'])
    expect(schema.field('visits').name).toBe('visits')
    expect(schema.hasCatchall).toBe(false)
  })

  test('has no other fields', () => {
    expect(() => schema.field('user')).toThrow(BadArgumentError)
    expect(() => schema.field('user')).toThrow('There is no field "user"; the schema has username, visits')
  })

  test('of a strict object has no other fields', () => {
    expect(() => compileSchema(z.strictObject({ a: z.string() })).field('b')).toThrow(BadArgumentError)
  })

  test('with a catchall has a field of every well-formed name', () => {
    const open = compileSchema(z.object({ username: z.string() }).catchall(z.number()))
    expect(open.hasCatchall).toBe(true)
    expect(open.names).toEqual(['username'])
    expect(open.field('visits').encode(1)).toBe('1')
    expect(open.field('visits').name).toBe('visits')
    expect(issuesOf(() => open.field('visits').encode('1'))).toEqual([{ code: 'invalid_type', path: [], expected: 'number' }])
    expect(open.field('username').encode('ada')).toBe('"ada"')
    for (const name of badNames) expect(() => open.field(name as string), String(name)).toThrow(BadArgumentError)
  })

  test('of a loose object has fields of any JSON data', () => {
    const field = compileSchema(z.looseObject({})).field('anything')
    expect(field.decode(field.encode({ a: [1, null, 'x'] }))).toEqual({ a: [1, null, 'x'] })
  })
})

const badNames: readonly unknown[] = [
  '',
  '0a',
  '-a',
  'a:b',
  'a b',
  'a\r\nb',
  'a\n',
  'é',
  'a.b',
  '@',
  'a'.repeat(65),
  'a'.repeat(300),
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '__defineGetter__',
  undefined,
  null,
  1,
  {},
  Symbol('a'),
]

describe('a field name', () => {
  test('is a letter or _, then letters, digits, _ and -, 64 characters at most', () => {
    for (const name of ['a', '_', 'Ab9_-', 'a'.repeat(64), 'then', 'toJSON', 'prototype'])
      expect(() => assertFieldName(name)).not.toThrow()
    for (const name of badNames) expect(() => assertFieldName(name), String(name)).toThrow(BadArgumentError)
  })

  test('is checked when the schema is declared', () => {
    for (const name of badNames.filter((each) => typeof each === 'string')) {
      expect(() => compileSchema(z.object({ [name]: z.string() })), name).toThrow(BadConfigError)
    }
    expect(() => compileSchema(z.object({ [Symbol('a')]: z.string() }))).toThrow(BadConfigError)
  })

  test('is shown escaped, and no more than 40 characters of it', () => {
    expect(() => assertFieldName(`a\r\n\u202e"${'b'.repeat(100)}`)).toThrow(`"a\\u000d\\u000a\\u202e\\u0022${'b'.repeat(35)}"…`)
  })

  test('never brings a control character into a message, however hostile', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (name) => {
        const message = messageOf(() => assertFieldName(`\n${name}`))
        expect(message).toMatch(/^[ -~…]+$/)
      }),
      { numRuns: 300 },
    )
  })
})

describe('a schema is refused when it is declared', () => {
  test.each([
    ['no schema', undefined],
    ['something else', { username: 'string' }],
    ['another kind of schema', z.string()],
    ['an object that is wrapped', z.object({}).optional()],
    ['a check over all fields', z.object({ a: z.string() }).refine(() => true)],
    ['a superRefine over all fields', z.object({ a: z.string() }).superRefine(() => {})],
  ])('%s', (_, schema) => {
    expect(() => compileSchema(schema as z.ZodObject)).toThrow(BadConfigError)
  })
})

describe('writing', () => {
  test('stores what zod makes of the value', () => {
    expect(fieldOf(z.object({ a: z.string() })).encode({ a: 'x', extra: 1 })).toBe('{"a":"x"}')
    expect(fieldOf(z.string().trim()).encode('  x ')).toBe('"x"')
    expect(fieldOf(z.stringbool()).encode(true)).toBe('"true"')
  })

  test('refuses undefined', () => {
    for (const schema of [z.string(), z.string().optional(), z.string().default('a'), z.any(), z.coerce.string()]) {
      expect(issuesOf(() => fieldOf(schema).encode(undefined))).toEqual([{ code: 'invalid_type', path: [] }])
    }
  })

  test('refuses a wrong value where the schema has a .catch()', () => {
    expect(issuesOf(() => fieldOf(z.int().catch(0)).encode('x'))).toEqual([
      { code: 'invalid_type', path: [], expected: 'number' },
    ])
    expect(issuesOf(() => fieldOf(z.object({ n: z.array(z.int().catch(0)) })).encode({ n: [1, 'x'] }))).toEqual([
      { code: 'invalid_type', path: ['n', 1], expected: 'number' },
    ])
  })

  test('refuses an asynchronous check', () => {
    const asynchronous = z.string().refine(async () => true)
    expect(issuesOf(() => fieldOf(asynchronous).encode('x'))).toEqual([{ code: 'async', path: [] }])
    expect(issuesOf(() => fieldOf(asynchronous).decode('"x"'))).toEqual([{ code: 'async', path: [] }])
  })

  test('refuses what reading would not give back', () => {
    expect(issuesOf(() => fieldOf(z.number().overwrite((n) => n + 1)).encode(1))).toEqual([{ code: 'unstable', path: [] }])
    expect(issuesOf(() => fieldOf(z.object({ a: z.unknown() })).encode({ a: undefined }))).toEqual([
      { code: 'invalid_type', path: ['a'] },
    ])
  })

  test('drops an optional property that is undefined', () => {
    expect(fieldOf(z.object({ a: z.string().optional() })).encode({ a: undefined })).toBe('{}')
    expect(fieldOf(z.unknown()).encode({ a: undefined, b: 1 })).toBe('{"b":1}')
  })

  test('makes -0 a 0', () => {
    expect(fieldOf(z.number()).encode(-0)).toBe('0')
  })
})

describe('what JSON would change without a word is refused on writing:', () => {
  class Money {
    amount = 1
  }
  const cycle: unknown[] = []
  cycle.push([cycle])
  let deep: unknown = 0
  for (let level = 0; level < 100_000; level++) deep = [deep]
  const getter = { get: () => 1 }
  const flipping = Object.defineProperty({}, 'a', { enumerable: true, get: () => (flip.count++ === 0 ? 'text' : new Date()) })
  const flip = { count: 0 }
  const cases: Record<string, unknown> = {
    NaN: Number.NaN,
    Infinity: Number.POSITIVE_INFINITY,
    'a bigint': 1n,
    'a symbol': Symbol('a'),
    'a function': () => 1,
    'a Date': new Date(),
    'a Map': new Map(),
    'a Set': new Set(),
    'a RegExp': /a/,
    'an Error': new Error('a'),
    'a promise': Promise.resolve(),
    'a class instance': new Money(),
    'a boxed string': new String('a'),
    bytes: new Uint8Array(1),
    'a Buffer': Buffer.from('a'),
    'an object with toJSON': { toJSON: () => 'a' },
    'an array with toJSON': Object.assign([], { toJSON: () => 'a' }),
    'an object that inherits toJSON': Object.create(Object.assign(Object.create(null), { toJSON: () => 'a' })),
    'a function inside': getter,
    'undefined in an array': [undefined],
    'a hole in an array': new Array(1),
    'an array with a name': Object.assign(['a'], { extra: 1 }),
    'a match': /a/.exec('a'),
    'a key that is a symbol': { [Symbol('a')]: 1 },
    'a key __proto__': JSON.parse('{"__proto__":{"a":1}}'),
  }

  test.each(Object.entries(cases))('%s', (_, value) => {
    for (const schema of [z.any(), z.unknown(), z.custom(), z.unknown().nullable(), z.lazy(() => z.any())]) {
      expect(codesOf(() => fieldOf(schema).encode(value))).toEqual(['not_json'])
      expect(issuesOf(() => fieldOf(z.object({ a: z.array(schema) })).encode({ a: [value] }))[0]?.path.slice(0, 2)).toEqual([
        'a',
        0,
      ])
    }
    expect(codesOf(() => fieldOf(z.looseObject({})).encode({ a: value }))).toEqual(['not_json'])
    expect(codesOf(() => fieldOf(z.looseRecord(z.string().regex(/^x/), z.string())).encode({ a: value }))).toEqual(['not_json'])
    expect(codesOf(() => fieldOf(z.string().check((payload) => void Object.assign(payload, { value }))).encode('a'))).toEqual([
      'not_json',
    ])
  })

  test('an undefined element that the schema allows', () => {
    expect(issuesOf(() => fieldOf(z.array(z.string().optional())).encode(['a', undefined]))).toEqual([
      { code: 'not_json', path: [1] },
    ])
    expect(issuesOf(() => fieldOf(z.tuple([z.string(), z.string().optional()])).encode(['a', undefined]))).toEqual([
      { code: 'not_json', path: [1] },
    ])
  })

  test('what nests without end', () => {
    expect(issuesOf(() => fieldOf(z.any()).encode(cycle))).toEqual([{ code: 'too_deep', path: [] }])
    expect(issuesOf(() => fieldOf(z.any()).encode(deep))).toEqual([{ code: 'too_deep', path: [] }])
    expect(codesOf(() => fieldOf(z.json()).encode(deep))).toEqual(['too_deep'])
    expect(codesOf(() => fieldOf(z.json()).encode(cycle))[0]).toMatch(/too_deep|exception/)
  })

  test('a property that is another value when it is read again is read once', () => {
    const field = fieldOf(z.any())
    expect(field.encode(flipping)).toBe('{"a":"text"}')
    expect(codesOf(() => field.encode(flipping))).toEqual(['not_json'])
  })

  test('any value at all: it is refused, or comes back as it was', () => {
    const field = fieldOf(z.unknown())
    const values = fc.anything({
      withDate: true,
      withMap: true,
      withSet: true,
      withBigInt: true,
      withSparseArray: true,
      withTypedArray: true,
      withBoxedValues: true,
      withNullPrototype: true,
      withObjectString: true,
    })
    fc.assert(
      fc.property(values, (value) => {
        const json = attempt(() => field.encode(value))
        if (json instanceof FieldInvalidError) return
        expect(field.decode(json)).toEqual(positiveZeros(value))
      }),
      { numRuns: 2_000 },
    )
  })

  test.each<[string, z.ZodType]>([
    ['a record', z.record(z.string(), z.any())],
    ['a loose record', z.looseRecord(z.string(), z.any())],
    ['a loose object', z.looseObject({})],
    ['an object with a catchall', z.object({}).catchall(z.any())],
    ['an intersection with a record', z.object({}).and(z.record(z.string(), z.any()))],
    ['JSON', z.json()],
    ['a record with a codec', z.record(z.string(), z.union([dateCodec, z.record(z.string(), z.any())]))],
  ])('a key __proto__ in %s, which zod would drop without a word', (_name, schema) => {
    const field = fieldOf(z.object({ list: z.array(schema) }))
    const polluted = JSON.parse('{"__proto__":{"a":1}}')
    expect(issuesOf(() => field.encode({ list: [polluted] }))).toEqual([{ code: 'not_json', path: ['list', 0] }])
    expect(codesOf(() => field.encode({ list: [{ a: polluted }] }))).toEqual(['not_json'])
    expect(codesOf(() => field.decode('{"list":[{"__proto__":{"a":1}}]}'))).toEqual(['not_json'])
  })

  test('any JSON data is accepted, save a key __proto__', () => {
    fc.assert(
      fc.property(withoutProto, (value) => {
        for (const field of jsonFields) expect(field.decode(field.encode(value))).toEqual(positiveZeros(value))
      }),
      { numRuns: 500 },
    )
  })
})

const withoutProto = fc.jsonValue().filter((value) => !JSON.stringify(value).includes('__proto__'))
const jsonFields = [fieldOf(z.unknown()), fieldOf(z.json())]

describe('reading', () => {
  test('refuses text that is not JSON, without showing it', () => {
    for (const text of ['', 'canary', '{"canary":', '"canary']) {
      const error = errorOf(() => fieldOf(z.any()).decode(text))
      expect(error.issues).toEqual([{ code: 'invalid_json', path: [] }])
      expect(error.message).not.toContain('canary')
    }
  })

  test('refuses a stored value that does not fit any more', () => {
    expect(issuesOf(() => fieldOf(z.object({ a: z.string(), b: z.int() })).decode('{"a":"x"}'))).toEqual([
      { code: 'invalid_type', path: ['b'], expected: 'number' },
    ])
  })

  test('yields what .catch() says', () => {
    expect(fieldOf(z.int().catch(7)).decode('"x"')).toBe(7)
    expect(fieldOf(dateCodec.catch(new Date(0))).decode('"x"')).toEqual(new Date(0))
    expect(fieldOf(z.array(z.int()).catch(['unfit' as never])).decode('"x"')).toEqual(['unfit'])
  })

  test('refuses what is nested too deep to look through', () => {
    const text = `${'['.repeat(100_000)}"\\u0061"${']'.repeat(100_000)}`
    for (const schema of [z.any(), z.json()]) expect(codesOf(() => fieldOf(schema).decode(text))).toEqual(['too_deep'])
  })
})

describe('what is refused is told by codes and paths alone:', () => {
  const canary = 'canary-4f1a'
  const everything = z.object({
    name: z.string().max(3),
    kind: z.enum(['a', 'b']),
    when: dateCodec,
    byDate: mapCodec(z.string(), z.int()),
    list: z.array(z.object({ price: z.int() })),
    prices: z.record(z.string().max(5), z.int()),
    either: z.union([z.object({ left: z.int() }), z.record(z.string(), z.boolean())]),
    rest: z.looseObject({ known: z.int() }).catchall(z.int()),
    any: z.any(),
    custom: z
      .string()
      .superRefine((text, context) => context.addIssue({ code: 'custom', message: text, path: [text], params: { text } })),
    claimed: z.string().check((payload) => {
      // biome-ignore lint/suspicious/noExplicitAny: what a check may raise, whatever its types say
      payload.issues.push({ code: 'invalid_type', expected: canary, input: canary } as any)
    }),
    thrown: z.string().refine((text) => {
      throw new Error(text)
    }),
    unread: z.codec(z.string(), z.string(), {
      decode: (text) => {
        throw new Error(text)
      },
      encode: (text) => {
        throw new TypeError(text)
      },
    }),
    strict: z.strictObject({}),
  })
  const compiled = compileSchema(everything)

  test.each<[string, unknown, readonly FieldIssue[]]>([
    ['name', canary, [{ code: 'too_big', path: [] }]],
    ['kind', canary, [{ code: 'invalid_value', path: [] }]],
    ['when', canary, [{ code: 'invalid_type', path: [], expected: 'date' }]],
    ['byDate', new Map([[canary, canary]]), [{ code: 'invalid_type', path: [0, 1], expected: 'number' }]],
    ['list', [{ price: 1 }, { price: canary }], [{ code: 'invalid_type', path: [1, 'price'], expected: 'number' }]],
    ['prices', { [canary]: 1 }, [{ code: 'invalid_key', path: ['*'] }]],
    ['prices', { 123: canary }, [{ code: 'invalid_type', path: ['*'], expected: 'number' }]],
    ['rest', { known: canary }, [{ code: 'invalid_type', path: ['known'], expected: 'number' }]],
    ['rest', { known: 1, [canary]: canary }, [{ code: 'invalid_type', path: ['*'], expected: 'number' }]],
    ['any', { [canary]: [canary, { [canary]: 1n }] }, [{ code: 'not_json', path: ['*', 1, '*'] }]],
    ['custom', canary, [{ code: 'custom', path: ['*'] }]],
    ['claimed', canary, [{ code: 'invalid_type', path: [] }]],
    ['thrown', canary, [{ code: 'exception', path: [] }]],
    ['unread', canary, [{ code: 'exception', path: [] }]],
    ['strict', { [canary]: canary }, [{ code: 'unrecognized_keys', path: [] }]],
    ['either', { [canary]: canary }, [{ code: 'invalid_union', path: [] }]],
  ])('%s', (name, value, issues) => {
    const error = errorOf(() => compiled.field(name).encode(value))
    expect(error.issues).toEqual(issues)
    expect(error.cause).toBeUndefined()
    expect(error.field).toBe(name)
    expect(`${error.stack}${JSON.stringify(error)}`).not.toContain(canary)
  })

  test('on reading too', () => {
    for (const name of compiled.names) {
      const error = attempt(() => compiled.field(name).decode(JSON.stringify({ [canary]: canary })))
      if (error instanceof FieldInvalidError) expect(`${error.stack}${JSON.stringify(error)}`).not.toContain(canary)
    }
  })

  test('and by no more than 20 of them', () => {
    expect(issuesOf(() => fieldOf(z.array(z.string())).encode(new Array(10_000).fill(1)))).toHaveLength(20)
  })
})

describe('a default', () => {
  test('is read where nothing is stored', () => {
    expect(fieldOf(z.int().default(3)).default()).toBe(3)
    expect(fieldOf(z.int().prefault(3)).default()).toBe(3)
    expect(fieldOf(z.int().default(3).nullable()).default()).toBe(3)
    expect(fieldOf(z.int().nullable().default(null)).default()).toBeNull()
    expect(fieldOf(dateCodec.default(new Date(5))).default()).toEqual(new Date(5))
    expect(fieldOf(dateCodec.prefault('1970-01-01T00:00:00.005Z')).default()).toEqual(new Date(5))
    expect(fieldOf(z.lazy(() => z.int().default(3))).default()).toBe(3)
  })

  test('is nothing that merely turns undefined into data', () => {
    for (const schema of [
      z.string(),
      z.coerce.string(),
      z.coerce.number(),
      z.any(),
      z.string().optional(),
      z.string().catch('a'),
    ]) {
      expect(fieldOf(schema).default()).toBeUndefined()
    }
  })

  test('that is a function is called each time', () => {
    let calls = 0
    const field = fieldOf(z.int().default(() => ++calls))
    expect(field.default()).not.toBe(field.default())
  })

  test('belongs to one visitor: changing it in place reaches nobody else', () => {
    const shared = { list: [{ deep: [1] }], more: { a: { b: 1 } } }
    const shape = z.object({
      list: z.array(z.object({ deep: z.array(z.int()) })),
      more: z.record(z.string(), z.record(z.string(), z.int())),
    })
    const inner = z.object({ shared: shape.default(shared) })
    const fields = [
      [fieldOf(shape.default(shared)), undefined],
      [fieldOf(shape.default(() => shared)), undefined],
      [fieldOf(shape.prefault(shared)), undefined],
      [fieldOf(z.any().default(shared)), undefined],
      [fieldOf(inner), '{}'],
      [fieldOf(z.object({ shared: shape.prefault(shared) })), '{}'],
      [fieldOf(z.object({ shared: z.any().default(() => shared) })), '{}'],
      [fieldOf(z.array(inner)), '[{},{}]'],
      [fieldOf(shape.catch(shared)), '1'],
      [fieldOf(z.object({ shared: shape.catch(() => shared) })), '{"shared":1}'],
      [fieldOf(z.object({ shared: shape.default(shared), at: dateCodec })), '{"at":"1970-01-01T00:00:00.000Z"}'],
      [fieldOf(z.object({ shared: shape.catch(shared), at: dateCodec })), '{"shared":1,"at":"1970-01-01T00:00:00.000Z"}'],
      [fieldOf(z.object({ at: dateCodec.default(new Date(0)) })), '{}'],
      [fieldOf(mapCodec(z.string(), z.int()).default(new Map([['a', 1]]))), undefined],
    ] as const
    for (const [field, json] of fields) {
      const read = (): unknown => (json === undefined ? field.default() : field.decode(json))
      const before = structuredClone(read())
      spoil(read())
      expect(read()).toEqual(before)
      expect(read()).not.toBe(read())
      expect(shared).toEqual({ list: [{ deep: [1] }], more: { a: { b: 1 } } })
    }
  })
})

describe('increment makes sense', () => {
  test.each<[z.ZodType, boolean]>([
    [z.number(), true],
    [z.int().min(0).default(0), true],
    [z.number().optional(), true],
    [z.coerce.number(), true],
    [z.literal([1, 2]), true],
    [z.union([z.literal(1), z.number().min(5)]), true],
    [z.codec(z.string(), z.number(), { decode: Number, encode: String }), true],
    [z.lazy(() => z.number()), true],
    [z.number().nullable(), false],
    [z.string(), false],
    [z.any(), false],
    [z.union([z.number(), z.string()]), false],
    [z.stringbool(), false],
  ])('for a field of numbers only (case %#)', (schema, numeric) => {
    expect(fieldOf(schema).numeric).toBe(numeric)
  })
})

test('5,000 payloads reach no prototype', () => {
  const before = prototypes()
  const fields = [
    fieldOf(z.any()),
    fieldOf(z.json()),
    fieldOf(z.record(z.string(), z.any())),
    fieldOf(z.record(z.string().trim(), z.any())),
    fieldOf(z.looseRecord(z.string().regex(/^x/), z.any())),
    fieldOf(z.looseObject({ a: z.any() })),
    fieldOf(z.object({ a: z.object({ b: z.int().optional() }).optional() })),
    fieldOf(z.object({}).catchall(z.record(z.string(), z.looseObject({})))),
    fieldOf(z.intersection(z.looseObject({}), z.record(z.string(), z.any()))),
    fieldOf(z.any().catch((context: z.core.$ZodCatchCtx) => context.value)),
    fieldOf(z.codec(z.any(), z.any(), { decode: (value) => value, encode: (value) => value })),
    compileSchema(z.looseObject({})).field('open'),
  ]
  const keys = ['__proto__', '\\u005f_proto__', ' __proto__ ', 'constructor', 'prototype', 'toString', 'a']
  const leaf = fc.constantFrom('1', '"x"', 'null', '{"polluted":1}', '{"toString":1}', '[{"__proto__":{"polluted":1}}]')
  const { payload } = fc.letrec((tie) => ({
    payload: fc.oneof({ maxDepth: 4 }, leaf, tie('object'), tie('list')),
    object: fc
      .array(fc.tuple(fc.constantFrom(...keys), tie('payload')), { minLength: 1, maxLength: 3 })
      .map((entries) => `{${entries.map(([key, value]) => `"${key}":${value}`).join()}}`),
    list: fc.array(tie('payload'), { maxLength: 2 }).map((items) => `[${items.join()}]`),
  })) as { payload: fc.Arbitrary<string> }
  let read = 0
  fc.assert(
    fc.property(payload, (json) => {
      for (const field of fields) {
        const value = attempt(() => field.decode(json))
        if (!(value instanceof FieldInvalidError)) {
          read++
          assertNoProto(value)
        }
        const written = attempt(() => field.encode(JSON.parse(json)))
        if (typeof written === 'string') assertNoProto(JSON.parse(written))
      }
    }),
    { numRuns: 5_000 },
  )
  expect(read).toBeGreaterThan(5_000)
  expect(prototypes()).toEqual(before)
  expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
})

function fieldOf(schema: z.ZodType): CompiledField {
  return compileSchema(z.object({ field: schema })).field('field')
}

function attempt<T>(run: () => T): T | FieldInvalidError {
  try {
    return run()
  } catch (error) {
    if (error instanceof FieldInvalidError) return error
    throw error
  }
}

function errorOf(run: () => unknown): FieldInvalidError {
  const error = attempt(run)
  if (error instanceof FieldInvalidError) return error
  throw new Error('nothing was refused')
}

function issuesOf(run: () => unknown): readonly FieldIssue[] {
  return errorOf(run).issues
}

function codesOf(run: () => unknown): string[] {
  return issuesOf(run).map(({ code }) => code)
}

function messageOf(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('nothing was refused')
}

/** JSON knows no -0, and drops properties that are undefined. */
function positiveZeros(value: unknown): unknown {
  if (value === 0) return 0
  if (Array.isArray(value)) return value.map(positiveZeros)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([, each]) => each !== undefined)
      .map(([key, each]) => [key, positiveZeros(each)]),
  )
}

/** Changes everything in place that can be changed. */
function spoil(value: unknown): void {
  if (value instanceof Date) value.setTime(1)
  if (value instanceof Map) value.clear()
  if (typeof value !== 'object' || value === null) return
  for (const inner of Object.values(value)) spoil(inner)
  if (Array.isArray(value)) value.push('spoilt')
  else Object.assign(value, { spoilt: true })
}

function prototypes(): unknown {
  return [Object, Array, String, Number, Boolean, Function, Map, Set, Date].map((type) => [
    Reflect.ownKeys(type.prototype).map((key) => [key, Object.getOwnPropertyDescriptor(type.prototype, key)?.value]),
    Object.getPrototypeOf(type.prototype),
  ])
}

/** Neither an object with a strange prototype nor a key that gives one to whoever copies it. */
function assertNoProto(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  if (Object.hasOwn(value, '__proto__')) throw new Error('a key __proto__')
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== Array.prototype) throw new Error('a strange prototype')
  for (const inner of Object.values(value)) assertNoProto(inner)
}
