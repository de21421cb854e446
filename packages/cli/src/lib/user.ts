import { memcachedStore } from '@fieldwise/memcached'
import { createSessions, type UserSessions } from 'fieldwise'
import * as z from 'zod'
import { CommandError } from './command.js'
import { exitCode } from './exit-code.js'
import { sealingFrom } from './sealing-keys.js'
import { parseServersArgument, type ServerOptions } from './server-options.js'
import { resolvedOptions } from './store.js'
import type { Terminal } from './terminal.js'

export const userHelp = "the user's id; takes the place of a session, and looks on all servers"

interface UserOptions extends ServerOptions {
  readonly prefix?: string
  readonly user: string
}

/** Does something with a user's sessions, on all servers of the app. */
export async function withUser<T>(
  servers: string,
  { prefix = '', user, ...options }: UserOptions,
  { env }: Terminal,
  work: (sessions: UserSessions) => Promise<T>,
): Promise<T> {
  const store = memcachedStore(parseServersArgument(servers), await resolvedOptions(servers, options))
  const keys = sealingFrom(env)?.keys
  await using sessions = createSessions({
    schema: z.object({}),
    store,
    prefix,
    // The lists of an app that seals have names that only its keys tell.
    ...(keys && { sealing: { keys, acceptUnsealed: true } }),
  })
  return await work(sessions.user(user))
}

/** @throws {CommandError} unless exactly one of the two is given */
export function assertOne(session: string | undefined, user: string | undefined): void {
  if ((session === undefined) !== (user === undefined)) return
  throw new CommandError('Give either the id of a session, or --user with the id of a user', { code: exitCode.usage })
}
