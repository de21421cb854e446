import type { Command } from 'commander'
import type { ExitCode } from './exit-code.js'
import type { Terminal } from './terminal.js'

/** What a command is given besides its arguments. */
interface CommandHost {
  readonly terminal: Terminal
  /** Sets the exit code. Without a call it is 0. */
  end(code: ExitCode): void
}

/** Adds one command to the program: its arguments, options, help and action. */
export type AddCommand = (program: Command, host: CommandHost) => void

/** An error for the user, shown without a stack trace. `code` is the exit code. */
export class CommandError extends Error {
  override readonly name = 'CommandError'
  readonly code: ExitCode

  constructor(message: string, { code, cause }: { readonly code: ExitCode; readonly cause?: unknown }) {
    super(message, { cause })
    this.code = code
  }
}
