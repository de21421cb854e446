import type { ConnectionOptions } from 'node:tls'
import { BadConfigError, type Duration, isFieldwiseError, parseDuration } from 'fieldwise'
import { assertOptions } from 'fieldwise/adapter'
import type { Credentials } from '../connection/protocol.js'
import type { Timeouts } from './servers.js'

interface CommonOptions {
  /** How long one operation may take at most, connecting included. Default `'500ms'`. */
  readonly timeout?: Duration | undefined
  /** How long it may take to connect, log in and learn the server's version and settings. Default: `timeout`. */
  readonly connectTimeout?: Duration | undefined
  /**
   * The longest pause before a server that is down is tried again. Default `'1s'`. Until then calls for its sessions fail at once; then one
   * call tries the server, while the others still fail.
   */
  readonly retryInterval?: Duration | undefined
  /** For servers that ask for a login: SASL PLAIN with the binary protocol, the file of `memcached -Y` with the meta protocol. */
  readonly username?: string | undefined
  /** Required with `username`. */
  readonly password?: string | undefined
}

/** memcached's binary protocol, through memjs: works with every memcached since 1.4. The default. */
export interface BinaryOptions extends CommonOptions {
  readonly protocol?: 'binary' | undefined
  /** TLS takes `protocol: 'meta'`: memcached speaks SASL and TLS only apart. */
  readonly tls?: undefined
}

/** memcached's meta protocol, which memcached recommends: faster, and needs memcached 1.6 or newer. */
export interface MetaOptions extends CommonOptions {
  readonly protocol: 'meta'
  /** Connects with TLS and verifies the server's certificate: `true` trusts the authorities that Node trusts; or options such as `{ ca }`. Default: no TLS. */
  readonly tls?: true | ConnectionOptions | undefined
}

/**
 * The meta protocol with each server that speaks it, and the binary protocol with the others, decided anew for every connection. Both
 * store the same items. For fleets of old and new servers, and for the time of an upgrade.
 */
export interface AutoOptions extends CommonOptions {
  readonly protocol: 'auto'
  /** TLS takes `protocol: 'meta'`. */
  readonly tls?: undefined
}

/** The options of `memcachedStore`, by protocol. */
export type MemcachedOptions = BinaryOptions | MetaOptions | AutoOptions

export type ProtocolName = 'binary' | 'meta' | 'auto'

/** The checked options. Times are in milliseconds. */
export interface StoreSettings {
  readonly protocol: ProtocolName
  readonly timeouts: Timeouts
  readonly credentials: Credentials | undefined
  readonly tls: ConnectionOptions | undefined
}

/** @throws {BadConfigError} (`BAD_CONFIG`) saying what to write instead. */
export function parseOptions(options: MemcachedOptions): StoreSettings {
  assertOptions('memcachedStore', options, known)
  const protocol = options.protocol ?? 'binary'
  if (!protocols.has(protocol)) throw new BadConfigError("memcachedStore: `protocol` is 'binary', 'meta' or 'auto'")
  return {
    protocol,
    timeouts: parseTimeouts(options),
    credentials: parseCredentials(options, protocol),
    tls: parseTls(options, protocol),
  }
}

const protocols: ReadonlySet<string> = new Set<ProtocolName>(['binary', 'meta', 'auto'])
const known = ['protocol', 'timeout', 'connectTimeout', 'retryInterval', 'username', 'password', 'tls']

function parseTimeouts(options: MemcachedOptions): Timeouts {
  const timeout = parseTime('timeout', options.timeout ?? '500ms')
  return {
    timeout,
    connectTimeout: options.connectTimeout === undefined ? timeout : parseTime('connectTimeout', options.connectTimeout),
    retryInterval: parseTime('retryInterval', options.retryInterval ?? '1s'),
  }
}

function parseTime(name: string, text: Duration): number {
  const length = parsed(name, text)
  if (length > 0 && length <= longestTime) return length
  throw new BadConfigError(`memcachedStore: \`${name}\` is more than 0 and at most a day, such as '500ms'`)
}

/** Node's timers go off at once when set for longer than 24.8 days. */
const longestTime = 86_400_000

function parsed(name: string, text: Duration): number {
  try {
    return parseDuration(text)
  } catch (error) {
    if (!isFieldwiseError(error, 'BAD_ARGUMENT')) throw error
    throw new BadConfigError(`memcachedStore: \`${name}\`: ${error.message}`, { cause: error })
  }
}

function parseCredentials({ username, password }: MemcachedOptions, protocol: ProtocolName): Credentials | undefined {
  if (username === undefined && password === undefined) return undefined
  if (typeof username !== 'string' || typeof password !== 'string' || username === '') {
    throw new BadConfigError('memcachedStore: `username` and `password` are strings and go together')
  }
  const unfit = protocol === 'binary' ? /\0/ : /[\0\r\n ]/
  if (unfit.test(username + password)) {
    throw new BadConfigError(
      protocol === 'binary'
        ? 'memcachedStore: SASL PLAIN has no room for a NUL character in `username` or `password`'
        : 'memcachedStore: memcached -Y has no room for spaces and line ends in `username` or `password`',
    )
  }
  return { username, password }
}

function parseTls({ tls }: MemcachedOptions, protocol: ProtocolName): ConnectionOptions | undefined {
  const wanted: unknown = tls
  if (wanted === undefined) return undefined
  if (wanted !== true && (typeof wanted !== 'object' || wanted === null)) {
    throw new BadConfigError('memcachedStore: `tls` is true or an object of TLS options; leave it out for no TLS')
  }
  if (protocol === 'meta') return wanted === true ? {} : wanted
  throw new BadConfigError(`memcachedStore: TLS does not work with protocol '${protocol}'; write { protocol: 'meta', tls: … }`)
}
