import { expect, test } from 'vitest'
import { wallClock } from './wall-clock.js'

test('keeps the distances between points, though the time of day comes in whole milliseconds', () => {
  const clocks = clocksFrom(1_700_000_000_000)
  const toWallTime = wallClock(clocks)
  const first = toWallTime(0)
  clocks.pass(0.7)
  expect(toWallTime(0.7) - first).toBeCloseTo(0.7)
  clocks.pass(0.6)
  expect(toWallTime(1.3) - first).toBeCloseTo(1.3)
})

test('follows the time of day when it is set', () => {
  const clocks = clocksFrom(1_700_000_000_000)
  const toWallTime = wallClock(clocks)
  expect(toWallTime(0)).toBe(1_700_000_000_000)
  clocks.set(1_700_000_060_000)
  expect(toWallTime(0)).toBe(1_700_000_060_000)
})

function clocksFrom(start: number) {
  let dayOffset = start
  let passed = 0
  return {
    day: { now: () => Math.floor(dayOffset + passed) },
    monotonic: { now: () => passed },
    pass: (milliseconds: number) => {
      passed += milliseconds
    },
    set: (time: number) => {
      dayOffset = time - passed
    },
  }
}
