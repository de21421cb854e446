import type { TestContext } from 'vitest'
import { report } from './scale.js'

/** What a test of a promise measured: a row of the table that `npm run torture` prints. */
interface Measured {
  /** How much was tried: `10,000 swallowed answers`. */
  readonly size: string
  /** What came of it: `0 lost, 0 twice`. */
  readonly figures: string
}

declare module 'vitest' {
  interface TaskMeta {
    measured?: Measured
  }
}

/** Says what was measured, in the log and in the table of `npm run torture`. Called before the figures are judged, so that both show them. */
export function measured({ task }: TestContext, size: string, figures: string): void {
  task.meta.measured = { size, figures }
  report(`${task.name}: ${size}: ${figures}`)
}

/** `12,345` */
export function count(number: number): string {
  return number.toLocaleString('en-US')
}
