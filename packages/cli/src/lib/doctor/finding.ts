import type { Examination, Intentions } from './examination.js'

/** Something that is not as it should be, and what to do about it. */
export interface Finding {
  /** Stable, for scripts. */
  readonly code: string
  /** `danger`: sessions are lost, read or changed by others, or not served at all. `warning`: it may come to that. */
  readonly severity: 'danger' | 'warning'
  /** One sentence: what is, and what follows from it. */
  readonly message: string
  /** What to do: the flag of memcached, the firewall rule, the option. */
  readonly remedy: string
}

/** Looks at one thing. Finds nothing where all is well. */
export type Check = (examination: Examination, intentions: Intentions) => Finding | undefined

export function danger(code: string, message: string, remedy: string): Finding {
  return { code, severity: 'danger', message, remedy }
}

export function warning(code: string, message: string, remedy: string): Finding {
  return { code, severity: 'warning', message, remedy }
}
