import type { LookupAddress } from 'node:dns'
import type { ConnectionOptions } from 'node:tls'
import type { ServerConfig } from '@fieldwise/memcached/servers'
import type { StatsMap } from '../wire/memcached-client.js'
import type { Trouble } from './trouble.js'

/** How the application uses its servers, on which findings depend. */
export interface Intentions {
  readonly credentials: { readonly username: string; readonly password: string } | undefined
  readonly tls: ConnectionOptions | undefined
  /** The protocol that the application has chosen; undefined where it could take either. */
  readonly protocol: 'binary' | 'meta' | undefined
  /** How long one answer may take, in milliseconds. */
  readonly timeout: number
  /** How long a session lives without being used, in milliseconds. */
  readonly idle: number
  /** The servers, by their names, that hold cached values of `fieldwise/shared` as well. */
  readonly caches: ReadonlySet<string>
}

/** What was found out of a server that tells its statistics. */
export interface Examination {
  readonly server: ServerConfig
  readonly version: string
  readonly speaks: { readonly meta: boolean; readonly binary: boolean }
  /** `stats`, `stats settings`, `stats items`. */
  readonly general: StatsMap
  readonly settings: StatsMap
  readonly items: StatsMap
  /** The shortest of several round trips, in milliseconds. */
  readonly roundTrip: number
  /** How far the server's clock is ahead of this machine's, in milliseconds, at least; 0 where they may be the same. Undefined where it is not told. */
  readonly clockAhead: number | undefined
  /** When its certificate ends, in milliseconds since 1970; undefined without TLS. */
  readonly certificateEnds: number | undefined
  /** Whether it asked for a password. */
  readonly askedForPassword: boolean
  /** The addresses that its host name stands for; none where it is an address or a socket itself. */
  readonly addresses: readonly LookupAddress[]
  /** What `memcachedStore` says when it is to use this server; undefined where it does. */
  readonly refusal: string | undefined
}

/** A server that could not be examined, and why. */
export interface Failure {
  readonly server: ServerConfig
  readonly trouble: Trouble
}

/** A figure among statistics; undefined where the server does not tell it. */
export function figure(stats: StatsMap, name: string): number | undefined {
  const text = stats.get(name) ?? ''
  return /^\d{1,15}(\.\d{1,15})?$/.test(text) ? Number(text) : undefined
}

/** Whether a setting is on; false where the server does not tell it. */
export function isOn(settings: StatsMap, name: string): boolean {
  return !['no', 'off', '0'].includes(settings.get(name) ?? 'no')
}
