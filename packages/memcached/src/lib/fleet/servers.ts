import { createHash } from 'node:crypto'
import { isIPv6 } from 'node:net'
import { BadConfigError } from 'fieldwise'
import type { Address } from '../connection/address.js'

/**
 * Where the memcached servers are: `'host:port'`, `'[::1]:11211'`, `'/path/to.sock'`, the URL form of PHP's `session.save_path`
 * (`'tcp://host:port?weight=2'`, `'unix:///path/to.sock'`), several of these separated by commas, an array of them, or a record that
 * gives each server a name.
 */
export type Servers = string | readonly string[] | Readonly<Record<string, string>>

/** One server of a fleet, as it was configured. Times are in milliseconds. */
export interface ServerConfig {
  /** What a session's id says of its server. Shows no address. */
  readonly label: string
  /** For messages: label and address. */
  readonly name: string
  readonly address: Address
  /** Its share of the new sessions, relative to the others; 0: it gets none. */
  readonly weight: number
  readonly timeout: number
  readonly connectTimeout: number
  readonly retryInterval: number
}

export interface Timeouts {
  readonly timeout: number
  readonly connectTimeout: number
  readonly retryInterval: number
}

/**
 * Understands every form of {@link Servers}. `defaults` hold for servers whose URL does not say otherwise.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) saying what to write instead. It never repeats what may be a password.
 */
export function parseServers(servers: Servers, defaults: Timeouts): readonly ServerConfig[] {
  const entries = entriesOf(servers)
  if (entries.length === 0) throw new BadConfigError("memcachedStore: no server is given; write for example '127.0.0.1:11211'")
  const configs = entries.map(({ name, text }) => parseServer(name, text.trim(), defaults))
  assertDistinct(configs)
  if (configs.every((config) => config.weight === 0)) {
    throw new BadConfigError('memcachedStore: every server has weight=0, so none could take a new session; give one a weight')
  }
  return configs
}

/** The servers that are used when none are given. */
export function serversFromEnvironment(environment: NodeJS.ProcessEnv): Servers {
  return environment.MEMCACHE_SERVERS || '127.0.0.1:11211'
}

const defaultPort = 11_211

interface ServerEntry {
  readonly name: string | undefined
  readonly text: string
}

function entriesOf(servers: Servers): ServerEntry[] {
  if (typeof servers === 'string') return unnamed(servers.split(','))
  if (Array.isArray(servers)) return unnamed(servers)
  if (typeof servers !== 'object' || servers === null) {
    throw new BadConfigError(
      "memcachedStore: servers are a string such as '127.0.0.1:11211', an array of them, or a record of named ones",
    )
  }
  return Object.entries(servers).map(([name, text]) => ({ name: checkedName(name), text: checkedText(text) }))
}

function unnamed(texts: readonly unknown[]): ServerEntry[] {
  return texts.map((text) => ({ name: undefined, text: checkedText(text) }))
}

function checkedText(text: unknown): string {
  if (typeof text === 'string') return text
  throw new BadConfigError(
    `memcachedStore: a server is a string such as '127.0.0.1:11211', not ${text === null ? 'null' : typeof text}`,
  )
}

/** The name becomes part of session ids, and so of cookies and keys. */
function checkedName(name: string): string {
  if (/^[A-Za-z0-9_-]{1,32}$/.test(name)) return name
  throw new BadConfigError(
    "memcachedStore: a server's name has 1 to 32 letters, digits, '_' and '-', since it becomes part of session ids; " +
      `'${name.slice(0, 40)}' does not`,
  )
}

function parseServer(name: string | undefined, text: string, defaults: Timeouts): ServerConfig {
  refuseCredentials(text)
  const url = parseUrl(text)
  const address = url === undefined ? parseAddress(text) : url.address
  const shown = showAddress(address)
  const label = name ?? labelOf(shown)
  return { label, name: `memcached '${label}' (${shown})`, address, weight: 1, ...defaults, ...url?.settings }
}

/** A password has no place in an address, and an address may be logged. */
function refuseCredentials(text: string): void {
  if (!text.includes('@')) return
  throw new BadConfigError(
    "memcachedStore: a server's address has no room for a user and password; give them as the options `username` and `password`",
  )
}

interface ParsedUrl {
  readonly address: Address
  readonly settings: Partial<ServerConfig>
}

function parseUrl(text: string): ParsedUrl | undefined {
  const match = /^([a-z][a-z0-9+.-]*):\/\/([^?#]*)(?:\?([^#]*))?(#.*)?$/i.exec(text)
  if (match === null) return undefined
  const [, scheme = '', rest = '', query = '', fragment] = match
  if (fragment !== undefined) throw new BadConfigError(`memcachedStore: '${shorten(text)}' has a '#', which means nothing here`)
  return { address: parseUrlAddress(scheme.toLowerCase(), rest), settings: parseSettings(query) }
}

function parseUrlAddress(scheme: string, rest: string): Address {
  switch (scheme) {
    case 'tcp':
      return parseHostPort(rest.replace(/\/$/, ''))
    case 'unix':
      return parsePath(rest.replace(/:0$/, ''))
    default:
      throw new BadConfigError(
        `memcachedStore: '${shorten(scheme)}://' is not understood; write tcp://host:port or unix:///path` +
          (/tls|ssl|s$/.test(scheme) ? ", and for TLS the options { protocol: 'meta', tls: true }" : ''),
      )
  }
}

function parseAddress(text: string): Address {
  return text.startsWith('/') ? parsePath(text) : parseHostPort(text)
}

function parsePath(path: string): Address {
  if (path.startsWith('/') && path.length > 1 && !path.includes('\0')) return { path }
  throw new BadConfigError(
    `memcachedStore: the path of a unix socket starts with '/', as in '/run/memcached.sock', unlike '${shorten(path)}'`,
  )
}

function parseHostPort(text: string): Address {
  const match = /^(?:\[([0-9a-f:.]+)\]|([^\s:/[\]?#%]+))(?::(\d{1,5}))?$/i.exec(text)
  if (match === null) throw new BadConfigError(notAnAddress(text))
  const [, literal, hostname, port] = match
  return { host: literal === undefined ? (hostname as string).toLowerCase() : ipv6(literal), port: checkedPort(port, text) }
}

/** One spelling for each address: labels are made from it. */
function ipv6(literal: string): string {
  if (!isIPv6(literal)) throw new BadConfigError(notAnAddress(`[${literal}]`))
  return new URL(`http://[${literal}]`).hostname.slice(1, -1)
}

function checkedPort(text: string | undefined, address: string): number {
  const port = text === undefined ? defaultPort : Number(text)
  if (port >= 1 && port <= 65_535) return port
  throw new BadConfigError(`memcachedStore: the port of '${shorten(address)}' is not between 1 and 65535`)
}

function notAnAddress(text: string): string {
  const hint = isIPv6(text) ? `; write [${text}]:${defaultPort}` : "; write 'host:port', '[::1]:11211' or '/path/to.sock'"
  return `memcachedStore: '${shorten(text)}' is not the address of a server${hint}`
}

/** The parameters that PHP's memcache handler takes, with its units: seconds. */
function parseSettings(query: string): Partial<ServerConfig> {
  const settings: { -readonly [name in keyof ServerConfig]?: ServerConfig[name] } = {}
  for (const [name, value] of new URLSearchParams(query)) {
    switch (name) {
      case 'weight':
        settings.weight = wholeNumber(name, value, 0, 1_000_000)
        break
      case 'timeout':
        settings.timeout = settings.connectTimeout = seconds(name, value)
        break
      case 'retry_interval':
        settings.retryInterval = seconds(name, value)
        break
      case 'persistent':
        assertPersistent(value)
        break
      default:
        throw new BadConfigError(
          `memcachedStore: the parameter '${shorten(name)}' is unknown; there are weight, timeout, retry_interval and persistent`,
        )
    }
  }
  return settings
}

function wholeNumber(name: string, value: string, least: number, most: number): number {
  const number = Number(value)
  if (/^\d{1,7}$/.test(value) && number >= least && number <= most) return number
  throw new BadConfigError(`memcachedStore: ${name}=${shorten(value)} is not a whole number from ${least} to ${most}`)
}

function seconds(name: string, value: string): number {
  const length = Math.round(Number(value) * 1_000)
  if (/^\d{1,6}(\.\d{1,3})?$/.test(value) && length > 0) return length
  throw new BadConfigError(
    `memcachedStore: ${name}=${shorten(value)} is not a number of seconds above 0, such as ${name}=1 or 0.5`,
  )
}

function assertPersistent(value: string): void {
  if (value === '1') return
  throw new BadConfigError(
    `memcachedStore: persistent=${shorten(value)} cannot be had: a process keeps one connection a server open; write persistent=1 or leave it out`,
  )
}

function showAddress(address: Address): string {
  if ('path' in address) return address.path
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}

/** Four characters of base 36 that show nothing of the address. */
function labelOf(address: string): string {
  const hash = createHash('sha256').update(address).digest()
  return (hash.readUIntBE(0, 6) % 36 ** labelLength).toString(36).padStart(labelLength, '0')
}

const labelLength = 4

function assertDistinct(configs: readonly ServerConfig[]): void {
  const addresses = new Map<string, string>()
  const labels = new Map<string, string>()
  for (const { address, label } of configs) {
    const shown = showAddress(address)
    if (addresses.has(shown))
      throw new BadConfigError(`memcachedStore: the server ${shown} is given twice; give it once, with a weight`)
    const other = labels.get(label)
    if (other !== undefined) throw new BadConfigError(sameLabel(other, shown, label))
    addresses.set(shown, label)
    labels.set(label, shown)
  }
}

function sameLabel(one: string, other: string, label: string): string {
  return (
    `memcachedStore: ${one} and ${other} would both be called '${label}' in session ids; ` +
    `give them names: memcachedStore({ first: '${one}', second: '${other}' })`
  )
}

function shorten(text: string): string {
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
