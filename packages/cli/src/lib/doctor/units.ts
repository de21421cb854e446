/** `67108864` as `64 MiB`. */
export function bytes(count: number): string {
  const unit = units.find(({ size }) => count >= size) ?? (units.at(-1) as Magnitude)
  return `${rounded(count / unit.size)} ${unit.name}`
}

/** A length of time in milliseconds as its largest unit: `3 days`, `90 s`, `0.2 ms`. */
export function time(milliseconds: number): string {
  const length = Math.abs(milliseconds)
  const unit = lengths.find(({ size }) => length >= 2 * size) ?? (lengths.at(-1) as Magnitude)
  return `${rounded(length / unit.size)} ${unit.name}`
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`
}

export function count(figure: number): string {
  return figure.toLocaleString('en')
}

interface Magnitude {
  readonly name: string
  readonly size: number
}

const units: readonly Magnitude[] = [
  { name: 'GiB', size: 1024 ** 3 },
  { name: 'MiB', size: 1024 ** 2 },
  { name: 'KiB', size: 1024 },
  { name: 'bytes', size: 1 },
]

const lengths: readonly Magnitude[] = [
  { name: 'days', size: 86_400_000 },
  { name: 'hours', size: 3_600_000 },
  { name: 'minutes', size: 60_000 },
  { name: 's', size: 1_000 },
  { name: 'ms', size: 1 },
]

function rounded(figure: number): string {
  return figure >= 10 || Number.isInteger(figure) ? count(Math.round(figure)) : figure.toFixed(1)
}
