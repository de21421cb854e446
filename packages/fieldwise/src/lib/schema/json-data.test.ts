import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { copyOfJson, deepest, NotJsonError } from './json-data.js'

describe('a copy of JSON data', () => {
  test('is equal and shares nothing', () => {
    const inner = { b: [1, 'x', null, true] }
    const copy = copyOfJson({ a: inner, again: inner }) as { a: typeof inner; again: typeof inner }
    expect(copy).toStrictEqual({ a: inner, again: inner })
    expect(copy.a).not.toBe(inner)
    expect(copy.a.b).not.toBe(inner.b)
    expect(copy.a).not.toBe(copy.again)
  })

  test('takes plain objects of another realm and such without a prototype', () => {
    expect(copyOfJson(runInNewContext('({ a: [1] })'))).toStrictEqual({ a: [1] })
    expect(copyOfJson(Object.assign(Object.create(null), { a: 1 }))).toStrictEqual({ a: 1 })
  })

  test('keeps names that objects inherit as its own', () => {
    const copy = copyOfJson({ constructor: 1, toString: 2 }) as object
    expect(Object.entries(copy)).toEqual([
      ['constructor', 1],
      ['toString', 2],
    ])
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype)
  })

  test('leads to what is not JSON data', () => {
    expect(pathOf({ a: [0, { b: undefined, c: new Date() }] })).toEqual(['a', 1, 'c'])
    expect(pathOf([undefined])).toEqual([0])
    expect(pathOf(undefined)).toEqual([])
  })

  test(`is at most ${deepest} levels deep`, () => {
    expect(() => copyOfJson(nested(deepest))).not.toThrow()
    expect(() => copyOfJson(nested(deepest + 1))).toThrow(NotJsonError)
  })
})

function pathOf(value: unknown): unknown {
  try {
    copyOfJson(value)
  } catch (error) {
    return (error as NotJsonError).path
  }
  return 'accepted'
}

/** A list in a list, that many times below the first. */
function nested(levels: number): unknown {
  let value: unknown = []
  for (let level = 0; level < levels; level++) value = [value]
  return value
}
