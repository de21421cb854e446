import type { ConnectionOptions } from 'node:tls'
import { type MemcachedOptions, type ServerConfig, type Servers, serversOf } from '@fieldwise/memcached/servers'
import { addressOf } from '../address.js'
import { BinaryClient } from '../wire/binary-client.js'
import type { MemcachedClient, StatsMap } from '../wire/memcached-client.js'
import { TextClient } from '../wire/text-client.js'
import { Wire, WireFailure } from '../wire/wire.js'
import type { Health, ServerStats } from './frame.js'

/** What one server said when it was last asked. */
export interface Probed {
  readonly label: string
  readonly address: string
  readonly health: Health
  readonly says: string
  readonly stats: ServerStats | undefined
}

/** Asks each server for its statistics, over a connection of its own, since the store's own connections are for sessions. */
export class Probe {
  readonly #servers: readonly ServerConfig[]
  readonly #options: MemcachedOptions
  readonly #monotonic: () => number
  readonly #before = new Map<string, { readonly commands: number; readonly at: number }>()

  /** @throws {BadConfigError} (`BAD_CONFIG`) as `memcachedStore` does. */
  constructor(servers: Servers | undefined, options: MemcachedOptions, monotonic: () => number) {
    this.#servers = serversOf(servers, options)
    this.#options = options
    this.#monotonic = monotonic
  }

  /** Before anybody was asked. */
  unasked(): Probed[] {
    return this.#servers.map((server) => ({ ...shown(server), health: 'unknown', says: 'not asked yet', stats: undefined }))
  }

  /** Never rejects: what went wrong is in the answer. */
  ask(): Promise<Probed[]> {
    return Promise.all(this.#servers.map((server) => this.#askOne(server)))
  }

  async #askOne(server: ServerConfig): Promise<Probed> {
    try {
      const stats = this.#withRate(server, serverStats(await this.#statsOf(server)))
      return { ...shown(server), health: 'answers', says: 'asked a moment ago', stats }
    } catch (error) {
      return { ...shown(server), health: 'silent', says: whatFailed(error), stats: undefined }
    }
  }

  async #statsOf({ address, connectTimeout }: ServerConfig): Promise<StatsMap> {
    using wire = await Wire.open({ address, timeout: connectTimeout, tls: tlsOf(this.#options) })
    const client: MemcachedClient = this.#options.protocol === 'meta' ? new TextClient(wire) : new BinaryClient(wire)
    const { username, password } = this.#options
    if (username !== undefined && password !== undefined) await client.login(username, password)
    return await client.stats()
  }

  #withRate({ label }: ServerConfig, stats: Omit<ServerStats, 'commandsPerSecond'>): ServerStats {
    const { commands } = stats
    const at = this.#monotonic()
    const before = this.#before.get(label)
    this.#before.set(label, { commands, at })
    // A server that was started again counts from 0.
    if (before === undefined || commands < before.commands) return { ...stats, commandsPerSecond: null }
    return { ...stats, commandsPerSecond: (commands - before.commands) / ((at - before.at) / 1_000) }
  }
}

function shown(server: ServerConfig): Pick<Probed, 'label' | 'address'> {
  return { label: server.label, address: addressOf(server) }
}

function tlsOf(options: MemcachedOptions): ConnectionOptions | undefined {
  if (options.protocol !== 'meta' || options.tls === undefined) return undefined
  return options.tls === true ? {} : options.tls
}

function serverStats(stats: StatsMap): Omit<ServerStats, 'commandsPerSecond'> {
  const number = (name: string) => Number(stats.get(name) ?? 0)
  return {
    version: stats.get('version') ?? 'unknown',
    uptime: number('uptime'),
    items: number('curr_items'),
    memory: number('bytes'),
    memoryLimit: number('limit_maxbytes'),
    connections: number('curr_connections'),
    evictions: number('evictions'),
    commands: number('cmd_get') + number('cmd_set') + number('cmd_touch'),
  }
}

function whatFailed(error: unknown): string {
  if (!(error instanceof WireFailure)) throw error
  if (error.reason === 'timeout') return 'does not answer in time'
  return error.errorCode === undefined ? 'closes the connection' : `cannot be reached (${error.errorCode})`
}
