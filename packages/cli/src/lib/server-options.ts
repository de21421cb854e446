import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import type { MemcachedOptions, Servers } from '@fieldwise/memcached/servers'
import { type Command, Option } from 'commander'
import { type Duration, parseDuration } from 'fieldwise'
import { CommandError } from './command.js'
import { exitCode } from './exit-code.js'

/** What the options of a command say of how to reach its servers. */
export interface ServerOptions {
  readonly username?: string
  readonly password?: string
  readonly tls?: boolean
  readonly ca?: string
  readonly protocol?: 'binary' | 'meta'
  readonly timeout: Duration
  readonly json?: boolean
}

export const serversHelp =
  "'host:port', '[::1]:11211' or '/path/to.sock', separated by commas; 'name=host:port' if the app names them " +
  '(default: MEMCACHE_SERVERS, or 127.0.0.1:11211)'

/** Adds the options by which a command reaches servers. */
export function addServerOptions(command: Command): Command {
  return command
    .addOption(new Option('--username <name>', 'for servers that ask for a password').env('FIELDWISE_USERNAME'))
    .addOption(
      new Option('--password <password>', 'better in the environment, where no process list shows it').env('FIELDWISE_PASSWORD'),
    )
    .option('--tls', 'connect over TLS and verify the server')
    .option('--ca <file>', 'PEM file of the authority that signed its certificate; implies --tls')
    .addOption(new Option('--protocol <protocol>', 'the protocol that the app uses').choices(['binary', 'meta']))
    .option('--timeout <duration>', 'how long one answer may take, as in the app', '500ms')
    .option('--json', 'print JSON')
}

/** `'a=10.0.0.1:11211, b=10.0.0.2:11211'` names the servers, as a record does in `memcachedStore`. */
export function parseServersArgument(text: string | undefined): Servers | undefined {
  if (text === undefined) return undefined
  const parts = text.split(',').map((part) => /^\s*([A-Za-z0-9_-]{1,32})=(.+)$/.exec(part))
  if (parts.every((part) => part === null)) return text
  if (parts.some((part) => part === null)) {
    throw new CommandError('Name all servers (name=host:port) or none', { code: exitCode.usage })
  }
  return Object.fromEntries(parts.map((part) => [part?.[1], part?.[2]]))
}

/** The options for `memcachedStore`, with the given protocol. */
export function storeOptions(options: ServerOptions, protocol: 'binary' | 'meta'): MemcachedOptions {
  const { username, password, timeout } = options
  const common = { timeout, ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) }
  const tls = tlsOptions(options)
  if (protocol === 'binary' && tls === undefined) return common
  return { ...common, protocol: 'meta', ...(tls === undefined ? {} : { tls }) }
}

/** Undefined without TLS. */
export function tlsOptions({ tls, ca }: ServerOptions): ConnectionOptions | undefined {
  if (ca !== undefined) return { ca: readCertificate(ca) }
  return tls ? {} : undefined
}

export function timeoutOf({ timeout }: ServerOptions): number {
  return parseDuration(timeout)
}

function readCertificate(path: string): Buffer {
  try {
    return readFileSync(path)
  } catch (error) {
    const reason = (error as NodeJS.ErrnoException).code
    throw new CommandError(`Cannot read the file of --ca (${reason})`, { code: exitCode.usage, cause: error })
  }
}
