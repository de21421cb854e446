import { describe, expect, test } from 'vitest'
import { exptime } from './expiry.js'

const now = Date.UTC(2026, 0, 1)
const nowSeconds = now / 1_000
const day = 86_400_000

describe('an item’s time to live as memcached takes it', () => {
  test.each([
    [1, 1],
    [200, 1],
    [1_000, 1],
    [1_001, 2],
    [59_999.5, 60],
    [29 * day, 29 * 86_400],
    [30 * day, 2_592_000],
  ])('up to 30 days %d ms are %d s from now: rounded up, and never 0, which is for ever', (ttl, seconds) => {
    expect(exptime(ttl, now)).toBe(seconds)
  })

  test.each([30 * day + 1, 31 * day, 400 * day])('above 30 days %d ms are a time of the server, not early', (ttl) => {
    expect(exptime(ttl, now)).toBe(nowSeconds + 1 + Math.ceil(ttl / 1_000))
    // The server's clock may be up to a second ahead of what is known of it.
    expect(exptime(ttl, now) - (now + 999) / 1_000).toBeGreaterThanOrEqual(ttl / 1_000)
  })

  test.each([100 * 365 * day, Number.MAX_SAFE_INTEGER, Number.POSITIVE_INFINITY])('%d ms are as long as memcached can', (ttl) => {
    expect(exptime(ttl, now)).toBe(2_147_483_647)
  })
})
