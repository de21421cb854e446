import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { BadConfigError } from '../api/errors.js'
import { compileSchema } from './schema.js'
import { storedForm } from './storable.js'

class Money {}

enum Colour {
  Red = 'red',
}

interface Tree {
  name: string
  children: Tree[]
}
const tree: z.ZodType<Tree> = z.lazy(() => z.object({ name: z.string(), children: z.array(tree) }))
const getters = z.object({
  name: z.string(),
  get children() {
    return z.array(getters)
  },
})
const textToDate = z.codec(z.string(), z.date(), { decode: (text) => new Date(text), encode: (date) => date.toISOString() })

/** Stored without a look at the values: what passes the schema is JSON data. */
const plain: Record<string, z.ZodType> = {
  'z.string()': z.string(),
  'z.string() with checks': z.string().min(1).max(3).regex(/a/).startsWith('a'),
  'z.string().refine()': z.string().refine((text) => text !== ''),
  'z.email()': z.email(),
  'z.url()': z.url(),
  'z.uuid()': z.uuid(),
  'z.iso.datetime()': z.iso.datetime(),
  'z.base64()': z.base64(),
  'z.ipv4()': z.ipv4(),
  'z.jwt()': z.jwt(),
  'z.stringFormat()': z.stringFormat('shout', (text) => text.endsWith('!')),
  'z.number()': z.number(),
  'z.int()': z.int(),
  'z.int32()': z.int32(),
  'z.float64()': z.float64(),
  'z.number() with checks': z.number().int().positive().multipleOf(5),
  'z.boolean()': z.boolean(),
  'z.null()': z.null(),
  'z.literal()': z.literal(['a', 1, true, null]),
  'z.enum()': z.enum(['a', 'b']),
  'z.enum() of an enum': z.enum(Colour),
  'z.templateLiteral()': z.templateLiteral([z.string(), '-', z.number()]),
  'z.array()': z.array(z.string()).max(3),
  'z.object()': z.object({ name: z.string(), nick: z.string().optional() }),
  'z.strictObject()': z.strictObject({ name: z.string() }),
  'z.object().catchall()': z.object({ name: z.string() }).catchall(z.number()),
  'z.object().catchall(z.never())': z.object({ name: z.string() }).catchall(z.never()),
  'z.object() with a key that must not be there': z.object({ name: z.string(), gone: z.never().optional() }),
  'z.object().refine()': z.object({ name: z.string() }).refine(({ name }) => name !== ''),
  'z.tuple()': z.tuple([z.string(), z.number()], z.boolean()),
  'z.record()': z.record(z.string(), z.number()),
  'z.record() of an enum': z.record(z.enum(['a', 'b']), z.number()),
  'z.record() of numbers': z.record(z.number(), z.string()),
  'z.partialRecord()': z.partialRecord(z.enum(['a', 'b']), z.number()),
  'z.union()': z.union([z.string(), z.object({ a: z.string() })]),
  'z.xor()': z.xor([z.string(), z.number()]),
  'z.discriminatedUnion()': z.discriminatedUnion('type', [
    z.object({ type: z.literal('a') }),
    z.object({ type: z.literal('b') }),
  ]),
  'z.intersection()': z.intersection(z.object({ a: z.string() }), z.object({ b: z.string() })),
  '.optional()': z.string().optional(),
  'z.exactOptional()': z.exactOptional(z.string()),
  '.nullable()': z.string().nullable(),
  '.nullish()': z.string().nullish(),
  '.nonoptional()': z.string().optional().nonoptional(),
  '.default()': z.string().default('a'),
  '.prefault()': z.string().prefault('a'),
  '.catch()': z.string().catch('a'),
  '.readonly()': z.array(z.string()).readonly(),
  '.brand()': z.string().brand('Name'),
  'a default inside': z.object({ tags: z.array(z.string()).default([]) }),
  'z.lazy()': tree,
  'an object that holds itself': getters,
  'z.json()': z.json(),
  'a pipe of the same type': z.string().pipe(z.string().min(1)),
  'z.coerce.string()': z.coerce.string(),
  'z.coerce.number()': z.coerce.number(),
  'z.coerce.boolean()': z.coerce.boolean(),
  'z.coerce.string() into a pipe': z.coerce.string().pipe(z.string().min(1)),
  'z.stringbool()': z.stringbool(),
  'z.codec()': textToDate,
  'z.codec(), wrapped': z.object({ at: z.array(textToDate.nullable()) }),
  'z.codec() into a pipe': textToDate.pipe(z.date().min(new Date(0))),
  'an object with z.codec() into a pipe': z.object({ at: textToDate }).pipe(z.object({ at: z.date() })),
  'a pipe into z.codec()': z.string().min(3).pipe(textToDate),
  'z.codec() in a union of another kind': z.union([textToDate, z.number(), z.null(), z.object({ at: textToDate })]),
  'z.codec() in a discriminated union': z.discriminatedUnion('type', [
    z.object({ type: z.literal('a'), at: textToDate }),
    z.object({ type: z.literal('b'), at: z.string() }),
  ]),
  'z.codec() to a bigint': z.codec(z.string(), z.bigint(), { decode: BigInt, encode: String }),
  'z.codec() to a class': z.codec(z.object({}), z.instanceof(Money), { decode: () => new Money(), encode: () => ({}) }),
}

/** Accepted, but each value is looked through before it is stored. */
const lookedThrough: Record<string, z.ZodType> = {
  'z.any()': z.any(),
  'z.unknown()': z.unknown(),
  'z.custom()': z.custom<string>(),
  'z.custom() with a test': z.custom<string>((value) => typeof value === 'string'),
  'z.looseObject()': z.looseObject({ name: z.string() }),
  'z.looseRecord()': z.looseRecord(z.string().regex(/^a/), z.number()),
  'an array whose elements may be undefined': z.array(z.string().optional()),
  'a tuple whose elements may be undefined': z.tuple([z.string(), z.string().optional()]),
  '.trim()': z.string().trim(),
  '.toLowerCase()': z.string().toLowerCase(),
  '.overwrite()': z.number().overwrite(Math.round),
  '.superRefine()': z.string().superRefine(() => {}),
  '.check() with a function': z.string().check(() => {}),
  'z.codec() from anything': z.codec(z.any(), z.string(), { decode: String, encode: (text) => text }),
}

/** Refused by createSessions; the second is what the message says to use. */
const refused: Record<string, readonly [z.ZodType, string]> = {
  'z.date()': [z.date(), 'use dateCodec'],
  'z.coerce.date()': [z.coerce.date(), 'use dateCodec'],
  'z.map()': [z.map(z.string(), z.string()), 'use mapCodec(key, value)'],
  'z.set()': [z.set(z.string()), 'use setCodec(value)'],
  'z.bigint()': [z.bigint(), 'use bigintCodec'],
  'z.int64()': [z.int64(), 'use bigintCodec'],
  'z.coerce.bigint()': [z.coerce.bigint(), 'use bigintCodec'],
  'z.symbol()': [z.symbol(), 'use z.codec()'],
  'z.nan()': [z.nan(), 'use z.codec()'],
  'z.undefined()': [z.undefined(), 'use .optional()'],
  'z.void()': [z.void(), 'use .optional()'],
  'z.never()': [z.never(), 'has no values'],
  'z.file()': [z.file(), 'bytesCodec'],
  'z.function()': [z.function() as unknown as z.ZodType, 'use z.codec()'],
  'z.promise()': [z.promise(z.string()), 'store what it resolves to'],
  'z.success()': [z.success(z.string()), 'use z.boolean()'],
  'z.instanceof()': [z.instanceof(Money), 'z.instanceof(Money) is not JSON'],
  'z.instanceof(Uint8Array)': [z.instanceof(Uint8Array), 'use bytesCodec'],
  'z.literal(undefined)': [z.literal(['a', undefined]), 'use .optional()'],
  'z.literal() of a bigint': [z.literal(1n), 'use bigintCodec'],
  'z.enum() with an infinity': [z.enum({ Far: Number.POSITIVE_INFINITY }), 'Infinity is not JSON'],
  '.transform()': [z.string().transform((text) => text.length), 'use z.codec()'],
  'z.transform()': [z.transform((value) => value), 'use z.codec()'],
  'z.preprocess()': [z.preprocess((value) => value, z.string()), 'z.preprocess() goes one way only'],
  'z.pipe() to z.coerce': [z.string().pipe(z.coerce.number()), 'a pipe into z.coerce goes one way only'],
  'z.pipe() to z.date()': [z.any().pipe(z.date()), 'use dateCodec'],
  'z.codec() from z.date()': [
    z.codec(z.date(), z.number(), { decode: Number, encode: (time) => new Date(time) }),
    'use dateCodec',
  ],
  'z.codec() whose value side goes one way only': [
    z.codec(z.string(), z.string().transform(Number) as unknown as z.ZodString, {
      decode: (text) => text,
      encode: (text) => text,
    }),
    '.transform() goes one way only',
  ],
  'z.codec() in a union of the same kind': [z.union([textToDate, z.string()]), 'use z.discriminatedUnion()'],
  'z.codec() in a union of objects': [
    z.union([z.object({ at: textToDate }), z.object({ at: z.string() })]),
    'use z.discriminatedUnion()',
  ],
  'a codec for the keys of a record': [z.record(textToDate as unknown as z.ZodString, z.string()), 'use mapCodec(key, value)'],
  'a symbol as a key of a record': [z.record(z.symbol(), z.string()), 'use z.codec()'],
  'a symbol as a property name': [z.object({ [Symbol('a')]: z.string() }), 'use a string'],
  'a property named __proto__': [z.object({ ['__proto__']: z.string() }), 'use another name'],
  'a default inside an intersection': [
    z.intersection(z.object({ a: z.string() }).default({ a: '' }), z.object({ b: z.string() })),
    'put it on the intersection',
  ],
  'a default that does not fit': [z.string().min(3).default('a'), 'its default does not fit'],
  'a default of another type': [z.any().default(new Date()), 'its default does not fit'],
  'a default that is undefined': [
    z
      .string()
      .optional()
      .default(undefined as never),
    'its default does not fit',
  ],
  'a default that throws': [
    z.string().default(() => {
      throw new Error('secret')
    }),
    'its default does not fit',
  ],
  'a prefault that does not fit': [z.string().min(3).prefault('a'), 'its default does not fit'],
  'a default inside that does not fit': [z.object({ a: z.string().min(3).default('a') }), 'its default does not fit'],
  'a default with an asynchronous check': [
    z
      .string()
      .refine(async () => true)
      .prefault('a'),
    'its default does not fit',
  ],
}

describe('accepted, plain:', () => {
  test.each(Object.entries(plain))('%s', (_, schema) => {
    expect(formOf(schema).plain).toBe(true)
  })
})

describe('accepted, each value looked through:', () => {
  test.each(Object.entries(lookedThrough))('%s', (_, schema) => {
    expect(formOf(schema).plain).toBe(false)
  })
})

describe('refused when the schema is declared, with what to use instead:', () => {
  test.each(Object.entries(refused))('%s', (_, [schema, instead]) => {
    expect(() => compileSchema(z.object({ field: schema }))).toThrow(BadConfigError)
    expect(() => compileSchema(z.object({ field: schema }))).toThrow(instead)
  })
})

test('every class of schema that zod has is in one of the three tables', () => {
  const tried = new Set<string>()
  for (const schema of [
    ...Object.values(plain),
    ...Object.values(lookedThrough),
    ...Object.values(refused).map(([each]) => each),
  ])
    collect(schema)
  const types = Object.entries(z.core)
    .filter(([name]) => /^\$Zod(?!Check|Registry|Type$|\w*Error|Async|Encode|StringFormat|ObjectJIT)/.test(name))
    .filter(([, value]) => typeof value === 'function')
    .map(([name]) => name)
  const formats =
    /^\$Zod(GUID|Emoji|NanoID|CUID|CUID2|ULID|XID|KSUID|ISODate|ISOTime|ISODuration|IPv6|MAC|CIDRv4|CIDRv6|Base64URL|E164|CreditCard|IBAN)$/
  expect(types.filter((name) => !tried.has(name) && !formats.test(name))).toEqual([])
  expect(types.length).toBeGreaterThan(40)

  function collect(schema: z.core.$ZodType): void {
    if (tried.has(schema as never)) return
    for (const trait of schema._zod.traits) tried.add(trait)
    const def = schema._zod.def as { innerType?: z.core.$ZodType; in?: z.core.$ZodType; out?: z.core.$ZodType }
    for (const inner of [def.innerType, def.in, def.out]) if (inner !== undefined) collect(inner)
  }
})

describe('a refusal', () => {
  test('says where in the field it is', () => {
    const places: Record<string, z.ZodType> = {
      'field.at': z.object({ at: z.date() }),
      'field[].at': z.array(z.object({ at: z.date() })),
      'field[1]': z.tuple([z.string(), z.date()]),
      'field[]': z.tuple([z.string()], z.date()),
      'field.*': z.record(z.string(), z.date()),
      'field.*.at': z.object({}).catchall(z.object({ at: z.date() })),
      'field.a.b': z.object({ a: z.object({ b: z.union([z.string(), z.date().nullable().optional()]) }) }),
    }
    for (const [place, schema] of Object.entries(places)) {
      expect(() => compileSchema(z.object({ field: schema }))).toThrow(
        `Field 'field', at ${place}: z.date() is not JSON; use dateCodec`,
      )
    }
    expect(() => compileSchema(z.object({ field: z.date() }))).toThrow("Field 'field': z.date() is not JSON; use dateCodec")
  })

  test('never shows the default', () => {
    const schema = z.object({ field: z.enum(['a']).default('canary' as 'a') })
    expect(() => compileSchema(schema)).toThrow(/^(?!.*canary)/)
  })

  test('finds what a z.lazy() hides, also behind a circle', () => {
    const circle: z.ZodType = z.lazy(() => z.object({ next: circle.optional(), at: z.date() }))
    expect(() => compileSchema(z.object({ field: circle }))).toThrow('field.at: z.date() is not JSON')
  })

  test('ends with a z.lazy() that never does', () => {
    const endless = (): z.ZodType => z.lazy(() => z.object({ next: endless() }))
    expect(() => compileSchema(z.object({ field: endless() }))).toThrow('a z.lazy() that never ends')
  })
})

test('a catchall is looked at like a field', () => {
  expect(() => compileSchema(z.object({}).catchall(z.date()))).toThrow('use dateCodec')
})

function formOf(schema: z.ZodType): ReturnType<typeof storedForm> {
  compileSchema(z.object({ field: schema }))
  return storedForm('field', schema)
}
