import { describe, expect, test } from 'vitest'
import { parseDuration } from './duration.js'
import { BadArgumentError } from './errors.js'

describe('parseDuration', () => {
  test.each([
    ['500ms', 500],
    ['30s', 30_000],
    ['30m', 1_800_000],
    ['12h', 43_200_000],
    ['7d', 604_800_000],
    ['1.5h', 5_400_000],
    ['0.5ms', 1],
    ['0.0001s', 1],
    ['0s', 0],
    ['007s', 7_000],
    ['36525d', 36_525 * 86_400_000],
  ])('reads %s as %i ms', (text, milliseconds) => {
    expect(parseDuration(text)).toBe(milliseconds)
  })

  test.each([
    '-5m',
    '+5m',
    '0x10m',
    '1e3s',
    ' 5m',
    '5m ',
    '5 m',
    '5M',
    '5',
    'm',
    '',
    '.5s',
    '5.s',
    '5,5s',
    '5m30s',
    '5m\n',
    '٥m',
    'NaNs',
    'Infinitys',
    '5w',
    `${'1'.repeat(400)}s`,
    '36526d',
    '99999999999999d',
  ])('refuses %j', (text) => {
    expect(() => parseDuration(text)).toThrow(BadArgumentError)
  })

  test.each([1800, undefined, null, {}, ['5m'], true, 5n, Symbol('5m'), new String('5m')])('refuses a bare %s', (value) => {
    expect(() => parseDuration(value as string)).toThrow(BadArgumentError)
  })

  test('says what a duration looks like, and shows at most 40 characters of what it was given', () => {
    expect(() => parseDuration('soon')).toThrow(
      "A duration is a number and a unit such as '500ms', '30s', '30m', '12h' or '7d', not 'soon'",
    )
    const message = (() => {
      try {
        return String(parseDuration('x'.repeat(10_000)))
      } catch (error) {
        return (error as Error).message
      }
    })()
    expect(message.length).toBeLessThan(160)
  })
})
