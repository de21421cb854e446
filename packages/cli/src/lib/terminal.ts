import { styleText } from 'node:util'

/** Where a command reads its surroundings and writes its results. */
export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>
  /** Whether somebody watches: a progress bar is for them. */
  readonly watched: boolean
  /** Results, on standard output. */
  write(text: string): void
  /** What is said besides: progress and errors, on standard error. */
  say(text: string): void
  /** Colours a result, if standard output shows colours. */
  paint(style: Style, text: string): string
}

/** What `util.styleText` knows. */
type Style = 'bold' | 'dim' | 'red' | 'yellow' | 'green' | 'cyan'

/** The terminal of this process. Colours follow NO_COLOR and FORCE_COLOR, and are off where the output is piped. */
export function processTerminal(): Terminal {
  for (const stream of [process.stdout, process.stderr]) stream.on('error', ignoreDeafness)
  const coloured = showsColours(process.stdout, process.env)
  return {
    env: process.env,
    watched: process.stderr.isTTY === true,
    write: (text) => process.stdout.write(text),
    say: (text) => process.stderr.write(text),
    paint: (style, text) => (coloured ? styleText(style, text) : text),
  }
}

/** The reader of the output may close it early: `fieldwise doctor | head -1`. */
function ignoreDeafness(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EPIPE') throw error
}

function showsColours(stream: NodeJS.WriteStream, env: NodeJS.ProcessEnv): boolean {
  if (env.NO_COLOR) return false
  if (env.FORCE_COLOR) return env.FORCE_COLOR !== '0'
  return stream.isTTY === true && stream.hasColors()
}
