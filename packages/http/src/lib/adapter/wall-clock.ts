/** What tells the time of day, and what only ever grows; both in milliseconds. */
export interface WallClocks {
  readonly day: { now(): number }
  readonly monotonic: { now(): number }
}

/**
 * Turns points on the monotonic clock into times of day. The two clocks part when the system's clock is set or it has slept, so they are compared
 * each time. The time of day comes in whole milliseconds, so a difference of less than two counts as none: otherwise calls of a tenth of a
 * millisecond would seem to overlap.
 */
export function wallClock({ day, monotonic }: WallClocks = { day: Date, monotonic: performance }): (point: number) => number {
  let between = performance.timeOrigin
  return (point) => {
    const seen = day.now() - monotonic.now()
    if (Math.abs(seen - between) > tolerance) between = seen
    return between + point
  }
}

const tolerance = 2
