import { readFileSync } from 'node:fs'
import { Command, CommanderError } from 'commander'
import { type FieldwiseError, isFieldwiseError } from 'fieldwise'
import { CommandError } from './command.js'
import { commands } from './commands.js'
import { type ExitCode, exitCode } from './exit-code.js'
import { redacted } from './redaction.js'
import type { Terminal } from './terminal.js'

/** Carries out one command line, without the program's own name. Resolves with the exit code and never rejects. */
export async function run(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let code: ExitCode = exitCode.good
  const end = (ended: ExitCode) => {
    code = ended
  }
  try {
    await programOf(terminal, end).parseAsync(args, { from: 'user' })
    return code
  } catch (error) {
    return report(error, terminal)
  }
}

function programOf(terminal: Terminal, end: (code: ExitCode) => void): Command {
  const program = new Command('fieldwise')
    .description('Check memcached servers, look into sessions, show the lost update, make keys.')
    .version(version())
    .helpCommand(false)
    .showHelpAfterError('Run the command with --help to see its options.')
    .exitOverride()
    .configureOutput({
      writeOut: terminal.write,
      writeErr: terminal.say,
      outputError: (text, write) => write(redacted(text)),
    })
  for (const add of commands) add(program, { terminal, end })
  return program
}

/** Says what went wrong in one line. A stack trace is for what nobody expected. */
function report(error: unknown, terminal: Terminal): ExitCode {
  // Commander has said it already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.good : exitCode.usage
  if (error instanceof CommandError) return say(error.message, error.code)
  if (isFieldwiseError(error)) return say(error.message.replace(/^memcachedStore: /, ''), codeFor(error))
  return say(error instanceof Error ? (error.stack ?? error.message) : String(error), exitCode.failed)

  function say(text: string, code: ExitCode): ExitCode {
    terminal.say(`error: ${redacted(text)}\n`)
    return code
  }
}

function codeFor({ code }: FieldwiseError): ExitCode {
  return code === 'BAD_CONFIG' || code === 'BAD_ARGUMENT' ? exitCode.usage : exitCode.failed
}

function version(): string {
  const manifest = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(manifest) as { version: string }).version
}
