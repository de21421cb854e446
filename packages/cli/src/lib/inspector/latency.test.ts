import { expect, test } from 'vitest'
import { LatencyBuckets } from './latency.js'

test('tells quantiles to within a tenth', () => {
  const latency = new LatencyBuckets()
  for (let duration = 1; duration <= 1_000; duration++) latency.add(duration)
  const { p50, p90, p99 } = latency.quantiles() ?? { p50: 0, p90: 0, p99: 0 }
  for (const [told, is] of [
    [p50, 500],
    [p90, 900],
    [p99, 990],
  ] as const)
    expect(Math.abs(told / is - 1)).toBeLessThan(0.1)
})

test('tells nothing where there was no call', () => {
  const latency = new LatencyBuckets()
  expect(latency.quantiles()).toBeNull()
  latency.add(5)
  latency.clear()
  expect(latency.quantiles()).toBeNull()
})

test.each([0, -1, Number.NaN, 1e9, Number.POSITIVE_INFINITY])(
  'takes a duration of %s for the nearest that it knows',
  (duration) => {
    const latency = new LatencyBuckets()
    latency.add(duration)
    expect(latency.quantiles()?.p50).toBeGreaterThan(0)
    expect(latency.quantiles()?.p50).toBeLessThan(200_000)
  },
)
