import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { type CompiledField, compileSchema } from '../schema/schema.js'
import { bigintCodec, bytesCodec, dateCodec, mapCodec, setCodec } from './codecs.js'

describe('every codec brings back exactly what was stored:', () => {
  test('dateCodec, over all dates that there are', () => {
    exact(dateCodec, fc.date({ noInvalidDate: true }))
    exact(dateCodec, fc.constantFrom(new Date(-8.64e15), new Date(8.64e15), new Date(0)))
  })

  test('bigintCodec', () => exact(bigintCodec, fc.bigInt()))

  test('bytesCodec', () => exact(bytesCodec, fc.uint8Array({ maxLength: 100 })))

  test('mapCodec, in order', () => {
    exact(
      mapCodec(z.string(), z.number()),
      fc.uniqueArray(fc.tuple(fc.string(), fc.integer()), { selector: ([key]) => key }).map((pairs) => new Map(pairs)),
    )
  })

  test('setCodec, in order', () =>
    exact(
      setCodec(z.string()),
      fc.uniqueArray(fc.string()).map((values) => new Set(values)),
    ))

  test('codecs inside codecs', () => {
    const nested = mapCodec(bigintCodec, z.object({ at: dateCodec, tags: setCodec(mapCodec(dateCodec, bytesCodec)).optional() }))
    const plain = { noNullPrototype: true }
    const date = fc.date({ noInvalidDate: true })
    const tags = fc
      .uniqueArray(date, { maxLength: 3, selector: Number })
      .map((dates) => new Set([new Map(dates.map((at) => [at, new Uint8Array([1])]))]))
    const value = fc.oneof(fc.record({ at: date }, plain), fc.record({ at: date, tags }, plain))
    exact(
      nested,
      fc.uniqueArray(fc.tuple(fc.bigInt(), value), { maxLength: 4, selector: ([key]) => key }).map((pairs) => new Map(pairs)),
    )
  })
})

describe('what is stored', () => {
  test('is text or lists that other programs can read', () => {
    expect(fieldOf(dateCodec).encode(new Date(0))).toBe('"1970-01-01T00:00:00.000Z"')
    expect(fieldOf(bigintCodec).encode(-12n)).toBe('"-12"')
    expect(fieldOf(bytesCodec).encode(new Uint8Array([1, 2, 255]))).toBe('"AQL/"')
    expect(fieldOf(mapCodec(z.string(), dateCodec)).encode(new Map([['a', new Date(0)]]))).toBe(
      '[["a","1970-01-01T00:00:00.000Z"]]',
    )
    expect(fieldOf(setCodec(bigintCodec)).encode(new Set([1n, 2n]))).toBe('["1","2"]')
  })

  test('is of one form for each value: any other text does not fit', () => {
    for (const text of [
      '1970-01-01',
      '1970-01-01T00:00:00Z',
      '1970-01-01T00:00:00.000+00:00',
      '2021-02-30T00:00:00.000Z',
      'today',
      '',
    ]) {
      expect(() => fieldOf(dateCodec).decode(JSON.stringify(text)), text).toThrow('invalid_format')
    }
    for (const text of ['01', '-0', '0x1', '1n', ' 1', '1e3', '']) {
      expect(() => fieldOf(bigintCodec).decode(JSON.stringify(text)), text).toThrow('invalid_format')
    }
    for (const text of ['AQL_', 'AQI', '*', 'AQL/\n']) {
      expect(() => fieldOf(bytesCodec).decode(JSON.stringify(text)), text).toThrow('invalid_format')
    }
  })
})

describe('what does not fit is refused on writing:', () => {
  test('an invalid date', () => expect(() => fieldOf(dateCodec).encode(new Date(Number.NaN))).toThrow('invalid_type'))
  test('a number in place of a bigint', () => expect(() => fieldOf(bigintCodec).encode(1)).toThrow('invalid_type'))
  test('an array in place of bytes', () => expect(() => fieldOf(bytesCodec).encode([1])).toThrow('custom'))
  test('an object in place of a map', () => expect(() => fieldOf(mapCodec(z.string(), z.string())).encode({})).toThrow('custom'))
  test('an array in place of a set', () => expect(() => fieldOf(setCodec(z.string())).encode([])).toThrow('custom'))
  test('a wrong key, value or element', () => {
    expect(() => fieldOf(mapCodec(z.string(), z.int())).encode(new Map([[1, 1]]))).toThrow('invalid_type at 0.0')
    expect(() => fieldOf(mapCodec(z.string(), z.int())).encode(new Map([['a', 1.5]]))).toThrow('invalid_type at 0.1')
    expect(() => fieldOf(setCodec(dateCodec)).encode(new Set(['a']))).toThrow('invalid_type at 0')
  })
  test('undefined in a set', () => {
    expect(() => fieldOf(setCodec(z.string().optional())).encode(new Set([undefined]))).toThrow('not_json at 0')
  })
})

test('a Buffer comes back as a Uint8Array with a buffer of its own', () => {
  const field = fieldOf(bytesCodec)
  const bytes = field.decode(field.encode(Buffer.from('abc'))) as Uint8Array
  expect(bytes.constructor).toBe(Uint8Array)
  expect(bytes.buffer.byteLength).toBe(3)
})

test('an element that a schema takes in another form is refused where it would be stored', () => {
  expect(() => fieldOf(mapCodec(z.string(), z.date()))).toThrow('use dateCodec')
  expect(() => fieldOf(setCodec(z.bigint()))).toThrow('use bigintCodec')
})

test('the examples of the documentation work', () => {
  const schema = z.object({
    since: dateCodec,
    seen: dateCodec.default(() => new Date()),
    balance: bigintCodec.default(0n),
    challenge: bytesCodec,
    visitedAt: mapCodec(z.string(), dateCodec).default(new Map()),
    read: setCodec(z.uuid()).default(new Set()),
  })
  const compiled = compileSchema(schema)
  expect(compiled.field('since').default()).toBeUndefined()
  expect(compiled.field('seen').default()).toBeInstanceOf(Date)
  expect(compiled.field('balance').default()).toBe(0n)
  expect(compiled.field('visitedAt').default()).toEqual(new Map())
  expect(compiled.field('read').default()).toEqual(new Set())
})

test('a default that is a Map or a Set is a new one each time', () => {
  const field = fieldOf(setCodec(z.string()).default(new Set()))
  ;(field.default() as Set<string>).add('a')
  expect(field.default()).toEqual(new Set())
})

function fieldOf(schema: z.ZodType): CompiledField {
  return compileSchema(z.object({ field: schema })).field('field')
}

/** fast-check prints the seed of a failure. */
function exact(schema: z.ZodType, values: fc.Arbitrary<unknown>): void {
  const field = fieldOf(schema)
  fc.assert(
    fc.property(values, (value) => {
      const back = field.decode(field.encode(value))
      expect(back).toStrictEqual(value)
      if (typeof value === 'object') expect(back).not.toBe(value)
      if (value instanceof Map || value instanceof Set) expect([...(back as Set<unknown>)]).toStrictEqual([...value])
    }),
    { numRuns: 200 },
  )
}
