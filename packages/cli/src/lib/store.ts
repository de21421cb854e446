import { memcachedStore } from '@fieldwise/memcached'
import { type MemcachedOptions, type ServerConfig, serversOf } from '@fieldwise/memcached/servers'
import type { Store } from 'fieldwise/store-contract'
import { addressOf } from './address.js'
import { CommandError } from './command.js'
import { exitCode } from './exit-code.js'
import { parseServersArgument, type ServerOptions, storeOptions, timeoutOf, tlsOptions } from './server-options.js'
import { TextClient } from './wire/text-client.js'
import { Wire } from './wire/wire.js'

/** The options for a store on all servers, over the better protocol that they speak unless one is asked for. */
export async function resolvedOptions(servers: string | undefined, options: ServerOptions): Promise<MemcachedOptions> {
  const configs = serversOf(parseServersArgument(servers), storeOptions(options, options.protocol ?? 'binary'))
  return storeOptions(options, await protocolFor(configs, options))
}

/** A store on the one server that holds the session, and its address. */
export async function openStoreOf(
  sid: string,
  servers: string,
  options: ServerOptions,
): Promise<{ store: Store; server: string }> {
  const configs = serversOf(parseServersArgument(servers), storeOptions(options, options.protocol ?? 'binary'))
  const label = sid.slice(sid.indexOf('~') + 1)
  const config = configs.find((one) => one.label === label)
  if (config === undefined) throw unknownServer(label, configs)
  const server = addressOf(config)
  return { store: memcachedStore({ [label]: server }, storeOptions(options, await protocolFor([config], options))), server }
}

/** The binary protocol is spoken by all; the meta protocol also tells how long an item lives. */
async function protocolFor(servers: readonly ServerConfig[], options: ServerOptions): Promise<'binary' | 'meta'> {
  if (options.protocol !== undefined) return options.protocol
  const speakMeta = await Promise.all(servers.map((server) => speaksMeta(server, options)))
  return speakMeta.every(Boolean) ? 'meta' : 'binary'
}

/** True for TLS and `memcached -Y` as well, which leave no choice. What cannot be reached says so when it is used. */
async function speaksMeta({ address }: ServerConfig, options: ServerOptions): Promise<boolean> {
  const tls = tlsOptions(options)
  if (tls !== undefined) return true
  try {
    using wire = await Wire.open({ address, tls, timeout: timeoutOf(options) })
    const line = await new TextClient(wire).line('mg fieldwise-probe t O1\r\n')
    return /^(EN|HD t-?\d+) O1$|^CLIENT_ERROR unauthenticated/.test(line)
  } catch {
    return false
  }
}

function unknownServer(label: string, servers: readonly ServerConfig[]): CommandError {
  const known = servers.map((server) => `'${server.label}' (${addressOf(server)})`).join(', ')
  const message =
    `The session names the server '${label}', and there is ${known}. Give the server that the app uses, by the same address; ` +
    `where the app gives servers names, or this machine reaches it by another address, write ${label}=host:port`
  return new CommandError(message, { code: exitCode.usage })
}
