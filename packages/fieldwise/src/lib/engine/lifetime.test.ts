import { describe, expect, test } from 'vitest'
import type { Header } from '../format/header.js'
import { expiry, fieldLife, headerLife, needsRenewal, needsTouch } from './lifetime.js'

const [second, minute, day] = [1_000, 60_000, 86_400_000]
const now = Date.UTC(2026, 0, 1)

function header(idle: number, absolute = 400 * day): Header {
  return {
    hash: Buffer.alloc(32),
    persist: false,
    created: now,
    deadline: now + absolute,
    idle,
    fieldsUntil: now + fieldLife(idle, 0),
    rotated: 0,
    previous: undefined,
    manifest: new Map([['cart', 0]]),
  }
}

describe('the life of a header (L2)', () => {
  test.each([
    ['30 minutes', 30 * minute, 33 * minute + 2 * second],
    ['1 second, where a tenth would be less than a second', second, 4 * second],
    ['1 millisecond', 1, 1 + 3 * second],
    ['60 days', 60 * day, 66 * day + 2 * second],
  ])('is the idle time, a tenth (1 s at least) and 2 s: %s', (_what, idle, life) => {
    expect(headerLife(header(idle), now)).toBe(life)
  })

  test('ends 2 s after the absolute end at the latest, for a clock of whole seconds', () => {
    expect(headerLife(header(30 * minute, 10 * minute), now)).toBe(10 * minute + 2 * second)
  })

  test('is never nothing, not even past the absolute end', () => {
    expect(headerLife(header(30 * minute, minute), now + 5 * minute)).toBe(second)
  })
})

describe('a touch of the header (L4)', () => {
  const idle = 30 * minute

  test('is left out while more than the idle time and 2 s remain', () => {
    expect(needsTouch(header(idle), idle + 2 * second + 1, now)).toBe(false)
    expect(needsTouch(header(idle), idle + 2 * second, now)).toBe(true)
  })

  test('leaves no use with less than the idle time, whenever it comes', () => {
    const remaining = Array.from({ length: 4_000 }, (_, index) => headerLife(header(idle), now) - index * 977)
    const left = remaining.filter((life) => !needsTouch(header(idle), life, now))
    expect(left.length).toBeGreaterThan(100)
    expect(Math.min(...left)).toBeGreaterThan(idle)
  })

  test('is needed at most once in a tenth of the idle time', () => {
    expect(needsTouch(header(idle), headerLife(header(idle), now) - idle / 10 + 1, now)).toBe(false)
  })

  test('is left out near the absolute end, where the header lives that long already', () => {
    const one = header(idle, 10 * minute)
    const uses = Array.from({ length: 600 }, (_, index) => index * second)
    expect(uses.filter((used) => needsTouch(one, headerLife(one, now) - used, now + used))).toEqual([])
  })

  test('is needed where the header would not live to the absolute end', () => {
    expect(needsTouch(header(idle, 10 * minute), 9 * minute, now)).toBe(true)
  })
})

describe('the life of a field (L2)', () => {
  test('is three idle times, the longest call and 6 s', () => {
    expect(fieldLife(30 * minute, 2_500)).toBe(90 * minute + 8_500)
  })
})

describe('a renewal of the fields (L3)', () => {
  const idle = 30 * minute

  test('is due when fewer than two idle times and three seconds are noted', () => {
    const one = { ...header(idle), fieldsUntil: now + 2 * idle + 3 * second }
    expect(needsRenewal(one, now)).toBe(false)
    expect(needsRenewal(one, now + 1)).toBe(true)
  })

  test('comes at most once in an idle time', () => {
    expect(needsRenewal(header(idle), now + idle)).toBe(false)
  })

  test('may fail at one use, whatever the idle time: at the next the fields still live', () => {
    for (const length of [1, second, minute, 30 * minute, 60 * day]) {
      const one = header(length)
      for (let step = 0; step < 20; step++) {
        const use = now + (2 * length * step) / 19
        const next = use + length
        // The server may end an item a second before what was noted, and its time be read a second late.
        if (!needsRenewal(one, use)) expect(one.fieldsUntil).toBeGreaterThanOrEqual(next + length + 3 * second)
      }
    }
  })

  test('is not for a session without fields', () => {
    expect(needsRenewal({ ...header(idle), manifest: new Map() }, now + day)).toBe(false)
  })

  test('asks what is noted, not what this process would have given', () => {
    const givenLessByAnother = { ...header(idle), fieldsUntil: now + 1 }
    expect(needsRenewal(givenLessByAnother, now)).toBe(true)
  })
})

describe('when a session ends that is used now', () => {
  test('is an idle time later, but never after its absolute end', () => {
    expect(expiry(header(30 * minute), now)).toBe(now + 30 * minute)
    expect(expiry(header(30 * minute, 10 * minute), now)).toBe(now + 10 * minute)
  })
})
