import { describe, expect, test } from 'vitest'
import { exptime } from './expiry.js'

const now = Date.UTC(2026, 0, 1)
const nowSeconds = now / 1_000
const day = 86_400_000

describe('an item’s life as memcached takes it', () => {
  test.each([
    [1, 1],
    [200, 1],
    [1_000, 1],
    [1_001, 2],
    [59_999.5, 60],
    [29 * day, 29 * 86_400],
    [30 * day, 2_592_000],
  ])('up to 30 days %d ms are %d s from now: rounded up, and never 0, which is for ever', (life, seconds) => {
    expect(exptime(life, now)).toBe(seconds)
  })

  test.each([30 * day + 1, 31 * day, 400 * day])('above 30 days %d ms are a time of the server, not early', (life) => {
    expect(exptime(life, now)).toBe(nowSeconds + 1 + Math.ceil(life / 1_000))
    // The server's clock may be up to a second ahead of what is known of it.
    expect(exptime(life, now) - (now + 999) / 1_000).toBeGreaterThanOrEqual(life / 1_000)
  })

  test.each([100 * 365 * day, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY])(
    '%d ms are as long as memcached can',
    (life) => {
      expect(exptime(life, now)).toBe(2_147_483_647)
    },
  )
})
