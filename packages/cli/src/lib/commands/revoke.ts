import { createSessions } from 'fieldwise'
import { inspectSession } from 'fieldwise/adapter'
import * as z from 'zod'
import type { AddCommand } from '../command.js'
import { sealingFrom } from '../sealing-keys.js'
import { addServerOptions, type ServerOptions, serversHelp } from '../server-options.js'
import { readSession, sessionHelp } from '../session-argument.js'
import { openStoreOf } from '../store.js'
import type { Terminal } from '../terminal.js'
import { assertOne, userHelp, withUser } from '../user.js'

interface RevokeOptions extends ServerOptions {
  readonly prefix?: string
  readonly user?: string
}

/** `fieldwise revoke`: ends a session by its id, for all servers at once. */
export const addRevoke: AddCommand = (program, { terminal }) => {
  addServerOptions(program.command('revoke').argument('<servers>', serversHelp).argument('[session]', sessionHelp))
    .description('end a session by its id, or all sessions of a user')
    .option('--user <id>', userHelp)
    .option('--prefix <prefix>', "the app's prefix")
    .addHelpText('after', help)
    .action(async (servers: string, session: string | undefined, options: RevokeOptions) => {
      assertOne(session, options.user)
      if (session === undefined) return revokeUser(servers, options as RevokeOptions & { user: string }, terminal)
      const { sid } = await readSession(session, process.stdin)
      const ended = await revoke(sid, servers, options, sealingFrom(terminal.env))
      if (options.json) terminal.write(`${JSON.stringify({ sid, ended })}\n`)
      else terminal.write(ended ? `${sid} has ended.\n` : `${sid} did not exist.\n`)
    })
}

async function revokeUser(
  servers: string,
  options: RevokeOptions & { readonly user: string },
  terminal: Terminal,
): Promise<void> {
  const { ended } = await withUser(servers, options, terminal, (user) => user.end())
  if (options.json) terminal.write(`${JSON.stringify({ ended })}\n`)
  else terminal.write(`${ended} session${ended === 1 ? ' has' : 's have'} ended.\n`)
}

/** Whether there was a session to end. */
async function revoke(sid: string, servers: string, { prefix = '', ...options }: RevokeOptions, sealing = {} as Sealing) {
  const { store } = await openStoreOf(sid, servers, options)
  const given = { prefix, ...(sealing.keys && { sealing: { keys: sealing.keys, acceptUnsealed: true } }) }
  await using sessions = createSessions({ schema: z.object({}), store, ...given })
  const { state } = await inspectSession(store, sid, given)
  await sessions.revoke(sid)
  return state !== 'missing'
}

interface Sealing {
  readonly keys?: readonly string[]
}

const help = `
With --user, all sessions of the user end, on all servers that are given. If the app seals, that needs its keys in FIELDWISE_KEYS: the name of a
user's list is hashed by them.

The session ends for every web server at once, sealed or not. With FIELDWISE_KEYS in the environment, the fields of a sealed session are
deleted too; otherwise they stay, unreachable, until their time is over.

Exit codes: 0 it has ended, or did not exist, 2 wrong usage, 3 it could not be ended.

Examples:
  $ fieldwise revoke 10.0.0.1:11211,10.0.0.2:11211 "$SID"
  $ fieldwise revoke cache-1 "$SID" --prefix shop: --json
  $ fieldwise revoke 10.0.0.1:11211,10.0.0.2:11211 --user ada
`
