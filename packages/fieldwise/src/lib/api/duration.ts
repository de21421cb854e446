import { BadArgumentError } from './errors.js'
import { fromCaller } from './stack.js'

/**
 * A length of time: a whole or decimal number and a unit, without a space: `'500ms'`, `'30s'`, `'30m'`, `'12h'`, `'7d'`.
 * A bare number does not compile: nobody can tell seconds from milliseconds by looking at `1800`.
 */
export type Duration = `${number}${'ms' | 's' | 'm' | 'h' | 'd'}`

/**
 * The length of a duration in whole milliseconds, rounded up. For values from the environment, which the compiler cannot check.
 *
 * @throws {BadArgumentError} (`BAD_ARGUMENT`) for anything that is not a {@link Duration}: `'-5m'`, `'0x10m'`, `'1e3s'`, `' 5m'`, a
 * bare number, or more than 100 years.
 *
 * @example
 * parseDuration('1.5h') // 5400000
 */
export function parseDuration(text: string): number {
  return fromCaller(parseDuration, () => lengthOf(text))
}

function lengthOf(text: string): number {
  const match = typeof text === 'string' ? /^(\d{1,15}(?:\.\d{1,9})?)(ms|s|m|h|d)$/.exec(text) : null
  if (match === null) {
    throw new BadArgumentError(
      `A duration is a number and a unit such as '500ms', '30s', '30m', '12h' or '7d', not ${show(text)}`,
    )
  }
  const length = Math.ceil(Number(match[1]) * unitLengths[match[2] as Unit])
  if (length > longest) throw new BadArgumentError(`A duration of ${show(text)} is longer than 100 years`)
  return length
}

type Unit = keyof typeof unitLengths

const unitLengths = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }
const longest = 36_525 * unitLengths.d

function show(value: unknown): string {
  return typeof value === 'string' ? `'${value.slice(0, 40)}'` : `a ${typeof value}`
}
