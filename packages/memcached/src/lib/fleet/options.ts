import type { ConnectionOptions } from 'node:tls'
import { BadConfigError, type Duration, isFieldwiseError, parseDuration } from 'fieldwise'
import { assertOptions } from 'fieldwise/adapter'
import type { Credentials } from '../connection/protocol.js'
import type { Timeouts } from './servers.js'

interface CommonOptions {
  /** How long one operation may take at most, connecting included. Default `'500ms'`. */
  readonly timeout?: Duration | undefined
  /** How long it may take to connect, to log in and to learn what the server is. Default: `timeout`. */
  readonly connectTimeout?: Duration | undefined
  /** How long a server that is down is left alone at most before one call tries it again. Default `'1s'`. */
  readonly retryInterval?: Duration | undefined
  /** For servers that ask for it: SASL PLAIN (over the binary protocol), or the file of `memcached -Y` (over the meta protocol). */
  readonly username?: string | undefined
  readonly password?: string | undefined
}

/** memcached's binary protocol through memjs: any memcached since 1.4. */
export interface BinaryOptions extends CommonOptions {
  readonly protocol?: 'binary' | undefined
  /** TLS takes `protocol: 'meta'`: memcached speaks SASL and TLS only apart. */
  readonly tls?: undefined
}

/** memcached's meta protocol: memcached 1.6 and later. Faster, and the one that memcached recommends. */
export interface MetaOptions extends CommonOptions {
  readonly protocol: 'meta'
  /** TLS, with the server's certificate verified: `true` for the authorities that Node trusts, or options such as `{ ca }`. */
  readonly tls?: true | ConnectionOptions | undefined
}

/**
 * The meta protocol with each server that speaks it, and the binary protocol with each that does not, decided anew for every connection.
 * What is stored is the same. For fleets of old and new servers, and while one becomes the other.
 */
export interface AutoOptions extends CommonOptions {
  readonly protocol: 'auto'
  /** TLS takes `protocol: 'meta'`. */
  readonly tls?: undefined
}

/** The options of `memcachedStore`, by protocol. */
export type MemcachedOptions = BinaryOptions | MetaOptions | AutoOptions

export type ProtocolName = 'binary' | 'meta' | 'auto'

/** Options as they were checked. Times are in milliseconds. */
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
  throw new BadConfigError(`memcachedStore: TLS is not to be had with protocol '${protocol}'; write { protocol: 'meta', tls: … }`)
}
