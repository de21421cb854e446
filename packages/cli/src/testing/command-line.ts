import { run } from '../lib/program.js'
import type { Terminal } from '../lib/terminal.js'

export interface Ended {
  readonly code: number
  /** Standard output. */
  readonly output: string
  /** Standard error. */
  readonly said: string
}

/** Carries out a command line inside the test's process, on a terminal that only listens. */
export async function fieldwise(args: readonly string[], terminal: Partial<Terminal> = {}): Promise<Ended> {
  const [output, said]: [string[], string[]] = [[], []]
  const code = await run(args, {
    env: {},
    watched: false,
    write: (text) => output.push(text),
    say: (text) => said.push(text),
    paint: (_style, text) => text,
    ...terminal,
  })
  return { code, output: output.join(''), said: said.join('') }
}
