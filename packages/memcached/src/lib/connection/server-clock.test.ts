import { beforeEach, describe, expect, test } from 'vitest'
import { ServerClock } from './server-clock.js'

const time = { monotonic: 0, wall: 0 }
const clocks = { monotonic: () => time.monotonic, wall: () => time.wall }
const seconds = 1_700_000_000

beforeEach(() => {
  time.monotonic = 5_000
  time.wall = seconds * 1_000
})

/** Time that all clocks see. */
function pass(milliseconds: number): void {
  time.monotonic += milliseconds
  time.wall += milliseconds
}

/** A clock that was read, the answer having taken so long. */
function read(took = 0): ServerClock {
  const clock = new ServerClock(clocks, undefined)
  const asked = clock.moment()
  pass(took)
  expect(clock.learn(seconds, asked)).toBe(took <= 1_000)
  return clock
}

describe('a reading of the server’s clock', () => {
  test('counts if it came back within a second', () => {
    const clock = read(1_000)
    expect([clock.isInDoubt, clock.now()]).toEqual([false, seconds * 1_000])
    pass(7)
    expect(clock.now()).toBe(seconds * 1_000 + 7)
  })

  test('does not count if its answer may have lain unread: the process was stopped for 65 s before it looked', () => {
    const clock = read(65_000)
    expect([clock.isInDoubt, clock.now()]).toEqual([true, Number.NaN])
    const asked = clock.moment()
    expect(clock.learn(seconds + 65, asked)).toBe(true)
    expect(clock.now()).toBe((seconds + 65) * 1_000)
  })

  test('does not count if the machine slept meanwhile, which only the wall clock shows', () => {
    const clock = new ServerClock(clocks, undefined)
    const asked = clock.moment()
    time.wall += 3_600_000
    expect([clock.learn(seconds, asked), clock.isInDoubt]).toEqual([false, true])
  })

  test('that does not count takes nothing from what was known before', () => {
    const clock = read()
    const asked = clock.moment()
    pass(65_000)
    expect(clock.learn(seconds, asked)).toBe(false)
    expect([clock.isInDoubt, clock.now()]).toEqual([false, (seconds + 65) * 1_000])
  })
})

describe('a server’s clock', () => {
  test('is read again after ten minutes, and not in doubt meanwhile', () => {
    const clock = read()
    pass(600_000)
    expect(clock.isDue(time.monotonic)).toBe(false)
    pass(1)
    expect([clock.isDue(time.monotonic), clock.isInDoubt]).toEqual([true, false])
  })

  test.each([
    ['the machine slept: its monotonic clock lost the time', 3_600_000],
    ['the wall clock was set back', -5_000],
    ['the wall clock was set forward by hardly more than a second', 1_001],
  ])('is in doubt until it is read again where %s', (_what, jump) => {
    const clock = read()
    time.wall += jump
    expect([clock.isDue(time.monotonic), clock.isInDoubt]).toEqual([true, true])
    expect(clock.learn(seconds + 3_600, clock.moment())).toBe(true)
    expect([clock.isDue(time.monotonic), clock.isInDoubt, clock.now()]).toEqual([false, false, (seconds + 3_600) * 1_000])
  })

  test('is not in doubt where the wall clock is corrected by a second', () => {
    const clock = read()
    time.wall -= 1_000
    expect([clock.isDue(time.monotonic), clock.isInDoubt]).toEqual([false, false])
  })
})
