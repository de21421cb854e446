/** The middle of some numbers. */
export function median(values: Iterable<number>): number {
  return quantile([...values].sort(ascending), 0.5)
}

/** The 95 % interval of a median, from the ranks of the values: of any distribution. */
export function medianInterval(values: readonly number[]): readonly [low: number, high: number] {
  const sorted = [...values].sort(ascending)
  const reach = 0.98 * Math.sqrt(sorted.length)
  const middle = (sorted.length - 1) / 2
  const at = (place: number) => sorted[Math.min(sorted.length - 1, Math.max(0, place))] as number
  return [at(Math.floor(middle - reach)), at(Math.ceil(middle + reach))]
}

/** What a part `share` of all values is not above; `sorted` ascending. Between two values it lies in proportion. */
export function quantile(sorted: ArrayLike<number>, share: number): number {
  if (sorted.length === 0) return Number.NaN
  const place = (sorted.length - 1) * share
  const below = sorted[Math.floor(place)] as number
  const above = sorted[Math.ceil(place)] as number
  return below + (above - below) * (place - Math.floor(place))
}

/** The values of several repeats of one measurement. */
export class Repeats {
  readonly values: readonly number[]

  constructor(values: readonly number[]) {
    this.values = values
  }

  get median(): number {
    return median(this.values)
  }

  /** How far the repeats lie apart: the half of the distance between the least and the greatest, as a share of the median. */
  get spread(): number {
    return (Math.max(...this.values) - Math.min(...this.values)) / 2 / this.median
  }

  /** The median of the ratios within each repeat: what slows a whole repeat down leaves it alone. */
  ratioTo(base: Repeats): number {
    return median(this.values.map((value, index) => value / (base.values[index] as number)))
  }
}

function ascending(a: number, b: number): number {
  return a - b
}
