import { InvalidArgumentError } from 'commander'
import { type AddCommand, CommandError } from '../command.js'
import { count, time } from '../doctor/units.js'
import { exitCode } from '../exit-code.js'
import { ProgressBar } from '../progress-bar.js'
import type { Side } from '../race/course.js'
import { type Outcome, race } from '../race/race.js'
import { addServerOptions, parseServersArgument, type ServerOptions, serversHelp } from '../server-options.js'
import { resolvedOptions } from '../store.js'
import { table } from '../table.js'
import type { Terminal } from '../terminal.js'

interface RaceCommandOptions extends ServerOptions {
  readonly workers: number
  readonly increments: number
  readonly inFlight: number
}

/** `fieldwise race`: the lost update, on the user's own memcached, and Fieldwise beside it. */
export const addRace: AddCommand = (program, { terminal, end }) => {
  addServerOptions(program.command('race').argument('[servers]', serversHelp))
    .description('let web servers count in one session on your memcached, whole sessions against Fieldwise')
    .option('--workers <number>', 'how many web servers take part', wholeNumber, 4)
    .option('--increments <number>', 'how many requests each side gets', wholeNumber, 4_000)
    .option('--in-flight <number>', 'how many requests each web server works on at once', wholeNumber, 8)
    .addHelpText('after', help)
    .action(async (servers: string | undefined, options: RaceCommandOptions) => {
      const outcomes = await raceWatched(servers, options, terminal)
      if (options.json) terminal.write(`${JSON.stringify({ increments: options.increments, sides: outcomes })}\n`)
      else printOutcomes(outcomes, options, terminal)
      if (outcomes.some(({ side, lost }) => side === 'fieldwise' && lost > 0)) end(exitCode.found)
    })
}

async function raceWatched(servers: string | undefined, options: RaceCommandOptions, terminal: Terminal): Promise<Outcome[]> {
  const bars = new Map(sides.map(([side, name]) => [side, new ProgressBar(terminal, name.padEnd(nameWidth), options.increments)]))
  const stop = new AbortController()
  const interrupt = () => stop.abort()
  process.once('SIGINT', interrupt).once('SIGTERM', interrupt)
  try {
    const resolved = await resolvedOptions(servers, options)
    const onProgress = (side: Side, done: number) => bars.get(side)?.show(done)
    return await race(parseServersArgument(servers), resolved, { ...options, signal: stop.signal, onProgress })
  } catch (error) {
    if (!stop.signal.aborted) throw error
    throw new CommandError('Interrupted. Everything that the race stored is deleted.', { code: exitCode.failed, cause: error })
  } finally {
    bars.get('naive')?.clear()
    process.off('SIGINT', interrupt).off('SIGTERM', interrupt)
  }
}

const sides: readonly (readonly [Side, string])[] = [
  ['naive', 'whole session'],
  ['fieldwise', 'Fieldwise'],
]
const nameWidth = 13

function printOutcomes(outcomes: readonly Outcome[], options: RaceCommandOptions, { write, paint }: Terminal): void {
  const { increments, workers, inFlight } = options
  write(
    `One visitor, ${count(increments)} requests, ${workers} web servers with ${inFlight} at once. Each adds one to "visits".\n\n`,
  )
  const head = ['', 'sent', 'kept', 'lost', 'failed', 'time', 'a second']
  write(`${table(head, outcomes.map(row), [1, 2, 3, 4, 5, 6])}\n\n`)
  const lost = outcomes.find(({ side }) => side === 'fieldwise')?.lost ?? 0
  write(`${paint(lost === 0 ? 'green' : 'red', `Fieldwise lost ${count(lost)} of ${count(increments)}.`)}\n`)
}

function row({ side, sent, kept, lost, failed, milliseconds }: Outcome): string[] {
  const name = sides.find(([one]) => one === side)?.[1] as string
  const speed = Math.round((sent / Math.max(1, milliseconds)) * 1_000)
  return [name, ...[sent, kept, lost, failed].map(count), time(milliseconds), count(speed)]
}

function wholeNumber(text: string): number {
  const number = Number(text)
  if (/^\d{1,7}$/.test(text) && number >= 1) return number
  throw new InvalidArgumentError('It must be a whole number, 1 or more.')
}

const help = `
"whole session" reads the session, changes it and writes it back, as most session libraries do. What it stores has the prefix
"fieldwise-race-" and is deleted at the end.

Exit codes: 0 Fieldwise lost nothing, 1 it lost an update, 2 wrong usage, 3 memcached did not answer.

Examples:
  $ fieldwise race
  $ fieldwise race 10.0.0.1:11211 --workers 8 --increments 20000
  $ fieldwise race cache-1,cache-2 --json
`
