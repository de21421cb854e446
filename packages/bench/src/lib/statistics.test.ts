import { expect, test } from 'vitest'
import { median, medianInterval, quantile, Repeats } from './statistics.js'

test('the median of an even number of values lies between the two in the middle', () => {
  expect(median([10, 2, 4, 1])).toBe(3)
})

test('a quantile between two values lies in proportion', () => {
  expect(quantile([0, 10, 20], 0.75)).toBe(15)
})

test('a slow repeat that slowed the base too leaves the ratio alone', () => {
  expect(new Repeats([200, 20, 220]).ratioTo(new Repeats([100, 10, 100]))).toBe(2)
})

test('the spread is half the distance between the least and the greatest, as a share of the median', () => {
  expect(new Repeats([90, 100, 120]).spread).toBe(0.15)
})

test('the interval of a median holds the ranks within two deviations around the middle, and never more values than there are', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index)
  expect(medianInterval(hundred)).toEqual([40, 61])
  expect(medianInterval([3, 1, 2])).toEqual([1, 3])
})
