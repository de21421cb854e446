import { expect, test } from 'vitest'
import { Seconds } from './seconds.js'

const start = 1_700_000_000_000

test('counts by the second, and tells the seconds that are whole', () => {
  const seconds = new Seconds(start, 10)
  seconds.add(start + 100, 'writes', 2)
  seconds.addDuration(start + 900, 4)
  expect(seconds.after(Number.NEGATIVE_INFINITY, start + 999)).toEqual([])
  seconds.add(start + 1_000, 'writes', 1)
  expect(seconds.after(Number.NEGATIVE_INFINITY, start + 1_500)).toMatchObject([{ at: start, writes: 2, conflicts: 0 }])
  expect(seconds.after(start, start + 2_000)).toMatchObject([{ at: start + 1_000, writes: 1, latency: null }])
})

test('tells seconds without events too, so that a plot has no holes', () => {
  const seconds = new Seconds(start, 10)
  seconds.add(start + 3_000, 'lost', 1)
  expect(seconds.after(Number.NEGATIVE_INFINITY, start + 5_000).map(({ lost }) => lost)).toEqual([0, 0, 0, 1, 0])
})

test('an old second makes room for a new one', () => {
  const seconds = new Seconds(start, 4)
  for (let second = 0; second < 9; second++) seconds.add(start + second * 1_000, 'operations', second)
  expect(seconds.after(Number.NEGATIVE_INFINITY, start + 9_500).map(({ operations }) => operations)).toEqual([6, 7, 8])
  expect(seconds.after(Number.NEGATIVE_INFINITY, start + 3_600_000).map(({ operations }) => operations)).toEqual([0, 0, 0])
})

test('a clock that is set back loses nothing', () => {
  const seconds = new Seconds(start, 10)
  seconds.add(start + 5_000, 'writes', 1)
  seconds.add(start + 2_000, 'writes', 1)
  expect(seconds.after(start + 4_000, start + 6_000).map(({ writes }) => writes)).toEqual([2])
})
