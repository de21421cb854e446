import type { FieldwiseError } from 'fieldwise'
import type { Flight, StoreRequest } from 'fieldwise/store-contract'
import type { Outbox } from './outbox.js'

/** Whether the bytes of a request that failed may have left this process. */
export type Fate = 'unsent' | 'unanswered'

/**
 * Something to send over a connection, and the replies that belong to it. A connection carries its commands in order: all replies to the
 * first one are read before those to the next.
 */
export interface Command {
  /** When the caller stops waiting, on the connection's running clock. The connection brings it forward to its own timeout. */
  deadline: number
  /** Whether the caller has been answered. Replies may still come. */
  readonly settled: boolean
  /** Whether no more replies are due. */
  readonly complete: boolean
  /** Whether the caller uses the server's time that it is settled with. */
  readonly isDated: boolean
  /** When it was handed to the connection, and when it was sent; kept by the connection. */
  calledAt: number
  sentAt: number
  /** Adds the bytes to send to `out`; nothing when nothing needs to be sent. Called once, when the connection is ready. */
  encode(out: Outbox): void
  /**
   * Reads one reply, which begins at `start`. Returns where it ends; or, if it is not all there, minus the number of bytes that are needed
   * at least, counted from `start`.
   *
   * @throws {ProtocolError} when these bytes cannot be the reply that is due.
   */
  read(bytes: Buffer, start: number): number
  /** Answers the caller. `at` is the server's time in milliseconds since 1970. */
  settle(at: number): void
  /** Tells the caller that this failed. Further calls do nothing. */
  fail(fate: Fate, error: FieldwiseError): void
}

/** What a server says of itself when a connection to it is made. */
export interface ServerFacts {
  readonly version: string
  /** The largest item in bytes, with its key and header. */
  readonly itemSizeMax: number
  /** The server's clock in whole seconds since 1970. */
  readonly time: number
  /** Whether it makes room for new items by evicting old ones, unlike `memcached -M`. */
  readonly evicts: boolean
}

/** What a connection offers to the protocol that is spoken over it. */
export interface ProtocolHost {
  /** The server's time in milliseconds since 1970. */
  serverTime(): number
  /** The largest item that the server holds, with its key and header. */
  readonly itemSizeMax: number
  /** Sends a command ahead of all that wait for the connection to be ready. */
  ask(command: Command): void
}

/** A protocol, as spoken over one connection. */
export interface Protocol {
  /** Logs in where credentials are given, and learns what the server is. */
  greet(deadline: number): Promise<ServerFacts>
  /** The server's clock, read anew, in whole seconds since 1970. */
  readTime(deadline: number): Promise<number>
  /** The command that carries a flight. */
  flight(requests: readonly StoreRequest[], deadline: number, resolve: (flight: Flight) => void): Command
  /** What a server is likely to be that takes a connection and then says nothing, or closes it. */
  readonly silenceHint: string
  /** A command that the server answers without doing anything. */
  ping(deadline: number, done: Done): Command
}

export interface Credentials {
  readonly username: string
  readonly password: string
}

export interface Done {
  resolve(at: number): void
  reject(error: FieldwiseError): void
}

/** What the server sent cannot be the reply that is due. The message says what it looks like and what to do, and never repeats it. */
export class ProtocolError extends Error {}

/** What the server sent shows that it does not speak the protocol, or too early a form of it. */
export class Unspoken extends ProtocolError {}

/** The message about a server that does not answer `stats`. */
export const statsRefused =
  'refuses `stats`, which tell its clock and its largest item: allow the command, or is a proxy in between? Connect to memcached itself'

/** Added where a proxy cannot be told from a server that hangs up. */
export const proxyHint = 'a proxy such as twemproxy closes on what it does not know: connect to memcached itself'

/**
 * Reads what comes in place of a reply when the server does not speak the protocol: a line of text. As long as it is not all there, gives
 * minus the number of bytes needed to tell what it is.
 *
 * @throws {ForeignLine} once it is there.
 */
export function readForeign(bytes: Buffer, start: number): number {
  const text = bytes.toString('latin1', start, start + longestForeign)
  if (text.includes('\n') || text.length === longestForeign || text.startsWith(tlsAlert)) throw new ForeignLine(text)
  return -(text.length + 1)
}

const longestForeign = 128
const tlsAlert = '\x15\x03'

/** A line that is no reply. Its text may be anything, so it is kept private and shown to nobody. */
export class ForeignLine extends ProtocolError {
  readonly #text: string

  constructor(text: string) {
    super(explainForeign(text))
    this.#text = text
  }

  startsWith(prefix: string): boolean {
    return this.#text.startsWith(prefix)
  }

  /** The length of the line with its end. */
  get length(): number {
    return this.#text.indexOf('\n') + 1
  }
}

/** Says what a server is that answers in something else than the protocol, as far as its first bytes show. */
export function explainForeign(text: string): string {
  if (text.startsWith('ERROR Too many open connections')) {
    return 'has no connection left: raise its limit (memcached -c) or run fewer processes'
  }
  if (text.startsWith('HTTP/')) return 'is not memcached: an HTTP server answers on this port'
  if (text.startsWith(tlsAlert)) return "expects TLS: use { protocol: 'meta', tls: true }"
  if (text.startsWith('CLIENT_ERROR unauthenticated')) {
    return "asks for a password (memcached -Y): give username and password, with protocol: 'meta'"
  }
  return 'sent what the memcached protocol does not allow here'
}
