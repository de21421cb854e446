import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { SealBrokenError } from '../api/errors.js'
import { decodeHeader, encodeHeader, type Header } from './header.js'

const manifest = (...names: string[]) => new Map(names.map((name) => [name, randomBytes(4).readInt32BE()]))

const header: Header = {
  hash: randomBytes(32),
  persist: false,
  created: 1_767_225_600_001,
  deadline: 1_767_268_800_002,
  idle: 1_800_000,
  fieldsUntil: 1_767_231_000_003,
  rotated: 0,
  previous: undefined,
  manifest: manifest('username', 'cart'),
}

describe('a header', () => {
  const previous = { hash: randomBytes(32), until: 1_767_225_700_000 }
  const headers: [what: string, header: Header][] = [
    ['as it is created', header],
    ['of a session that persists', { ...header, persist: true }],
    ['after a rotation', { ...header, rotated: 1_767_225_600_500 }],
    ['with a previous secret in its grace', { ...header, persist: true, previous }],
    ['without fields', { ...header, manifest: new Map() }],
    ['of the longest names', { ...header, manifest: manifest('a'.repeat(64), 'b'.repeat(64)) }],
    ['of a thousand fields', { ...header, manifest: manifest(...Array.from({ length: 1_000 }, (_, index) => `field${index}`)) }],
    ['of the longest life', { ...header, deadline: 2 ** 48 - 1, idle: 36_525 * 86_400_000 }],
  ]
  test.each(headers)('%s is read back as it was stored', (_what, one) => {
    expect(decodeHeader(encodeHeader(one))).toEqual(one)
  })

  test('takes 65 bytes, and 5 more and its name for each field', () => {
    expect(encodeHeader({ ...header, manifest: new Map() })).toHaveLength(65)
    expect(encodeHeader({ ...header, manifest: manifest('cart') })).toHaveLength(65 + 5 + 4)
  })

  test('begins with a version, which no item and nothing sealed begins with', () => {
    expect(encodeHeader(header)[0]).toBe(0x18)
    expect(encodeHeader({ ...header, persist: true, previous })[0]).toBe(0x1b)
  })

  test('that was cut short anywhere is refused', () => {
    const bytes = encodeHeader({ ...header, previous })
    for (let length = 0; length < bytes.length; length++) {
      expect(() => decodeHeader(bytes.subarray(0, length))).toThrow(SealBrokenError)
    }
  })

  test('of another version is refused', () => {
    const bytes = encodeHeader(header)
    for (let first = 0; first < 256; first++) {
      bytes[0] = first
      if ((first & 0xfc) !== 0x18) expect(() => decodeHeader(bytes)).toThrow(SealBrokenError)
    }
  })

  test('of random bytes is refused or read, and never anything else', () => {
    const others: unknown[] = []
    for (let round = 0; round < 20_000; round++) {
      const bytes = randomBytes(round % 200)
      if (bytes.length > 0) bytes[0] = 0x18 | (round & 3)
      try {
        decodeHeader(bytes)
      } catch (error) {
        if (!(error instanceof SealBrokenError)) others.push(error)
      }
    }
    expect(others).toEqual([])
  })
})
