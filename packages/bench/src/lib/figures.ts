import type { Repeats } from './statistics.js'

/** A count or rate: `184,000`, three figures of it. */
export function count(value: number): string {
  return rounded(value).toLocaleString('en', { maximumFractionDigits: 3 })
}

/** A median with its spread: `184,000 ±2 %`. */
export function withSpread(repeats: Repeats): string {
  return `${count(repeats.median)} ±${(repeats.spread * 100).toFixed(0)} %`
}

/** `1.52`. */
export function ratio(value: number): string {
  return value.toFixed(2)
}

/** `12.3 %`. */
export function percent(share: number): string {
  return `${count(share * 100)} %`
}

/** More figures than three are noise. */
function rounded(value: number): number {
  return Number(value.toPrecision(3))
}
