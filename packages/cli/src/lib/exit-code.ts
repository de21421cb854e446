/** How a command ended, for scripts. */
export const exitCode = {
  /** Carried out, and nothing is wrong. */
  good: 0,
  /** Carried out, and it found what must not stay: a danger, a lost update, a session that is not there. */
  found: 1,
  /** Called in a way that it does not understand. */
  usage: 2,
  /** Could not be carried out: a server did not answer, a key is missing. */
  failed: 3,
} as const

export type ExitCode = (typeof exitCode)[keyof typeof exitCode]
