import { describe, expect, test } from 'vitest'
import { keyLength } from './key.js'

describe('a key that memcached takes', () => {
  test.each([
    ['a', 1],
    ['!~', 2],
    ['k'.repeat(250), 250],
    ['é', 2],
    ['日本', 6],
    ['é'.repeat(125), 250],
  ])('has a length in bytes: %s', (key, length) => {
    expect(keyLength(key)).toBe(length)
  })

  test.each(['', ' ', 'a b', 'a\r\n', '\0', 'a\x7f', '\t', 'k'.repeat(251), 'é'.repeat(126), 'é b', '\ud800', 'a\udc00b'])(
    'is not %j',
    (key) => {
      expect(keyLength(key)).toBe(0)
    },
  )
})
