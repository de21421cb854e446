import { inspectSession, type SessionInspection } from 'fieldwise/adapter'
import type { AddCommand } from '../command.js'
import { type ExitCode, exitCode } from '../exit-code.js'
import { inspectionAsJson, printInspection } from '../inspect/report.js'
import { sealingFrom } from '../sealing-keys.js'
import { addServerOptions, type ServerOptions, serversHelp } from '../server-options.js'
import { readSession, sessionHelp } from '../session-argument.js'
import { openStoreOf } from '../store.js'
import { table } from '../table.js'
import type { Terminal } from '../terminal.js'
import { assertOne, userHelp, withUser } from '../user.js'

interface InspectOptions extends ServerOptions {
  readonly prefix?: string
  readonly user?: string
  readonly values?: boolean
}

/** `fieldwise inspect`: what is stored of one session. Nothing is written. */
export const addInspect: AddCommand = (program, { terminal, end }) => {
  addServerOptions(program.command('inspect').argument('<servers>', serversHelp).argument('[session]', sessionHelp))
    .description('show what is stored for a session: header, fields, sizes, lifetimes, writes')
    .option('--prefix <prefix>', "the app's prefix")
    .option('--values', 'show the values too')
    .option('--user <id>', userHelp)
    .addHelpText('after', help)
    .action(async (servers: string, session: string | undefined, options: InspectOptions) => {
      assertOne(session, options.user)
      if (session === undefined) return end(await inspectUser(servers, options as InspectOptions & { user: string }, terminal))
      const { sid, text } = await readSession(session, process.stdin)
      const { store, server } = await openStoreOf(sid, servers, options)
      const { prefix = '', values = false } = options
      const sealing = sealingFrom(terminal.env)
      const inspection = await inspectSession(store, text, { prefix, values, ...(sealing && { sealing }) }).finally(() =>
        store.close(),
      )
      if (options.json) terminal.write(`${inspectionAsJson(inspection, server)}\n`)
      else printInspection(inspection, server, terminal)
      end(codeFor(inspection))
    })
}

async function inspectUser(
  servers: string,
  options: InspectOptions & { readonly user: string },
  terminal: Terminal,
): Promise<ExitCode> {
  const sessions = await withUser(servers, options, terminal, (user) => user.list())
  const rows = sessions.map(({ id, ...dates }) => [id, ...[dates.boundAt, dates.createdAt, dates.expiresAt].map(shown)])
  if (options.json)
    terminal.write(
      `${JSON.stringify(sessions.map(({ id, createdAt, boundAt, expiresAt }) => ({ id, createdAt, boundAt, expiresAt })))}\n`,
    )
  else
    terminal.write(rows.length === 0 ? 'No session of this user.\n' : `${table(['session', 'login', 'created', 'ends'], rows)}\n`)
  return sessions.length === 0 ? exitCode.found : exitCode.good
}

function shown(date: Date): string {
  return date.toISOString().slice(0, 19).replace('T', ' ')
}

function codeFor({ state, fields }: SessionInspection): ExitCode {
  if (state === 'unreadable') return exitCode.failed
  const isWhole = fields.every((field) => ['set', 'deleted', 'expired'].includes(field.state))
  return state === 'living' && isWhole ? exitCode.good : exitCode.found
}

const help = `
With --user, the living sessions of a user are listed instead, the newest login first; times are in UTC.
To open what is sealed, and to find a user's sessions where the app seals, put the app's sealing.keys into FIELDWISE_KEYS, separated by commas.

Exit codes: 0 a whole session, 1 no session, or one with a field that is missing or broken, 2 wrong usage, 3 no answer, or no key for what is sealed.

Examples:
  $ fieldwise inspect 127.0.0.1:11211 "$SID"
  $ echo "$TOKEN" | FIELDWISE_KEYS="$SESSION_KEY" fieldwise inspect cache-1,cache-2 - --values
  $ fieldwise inspect a=cache-1:11211,b=cache-2:11211 "$SID" --prefix shop: --json
  $ fieldwise inspect cache-1,cache-2 --user ada
`
