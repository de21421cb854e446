import type { FieldwiseError } from 'fieldwise'
import type { Outbox } from '../../connection/outbox.js'
import { type Command, type Fate, ForeignLine, ProtocolError, statsRefused, Unspoken } from '../../connection/protocol.js'

/** Judges a line of an answer. Returns whether it is the last one. @throws {ProtocolError} for a line that does not belong there. */
export type TakeLine = (line: string) => boolean

/** Whoever asked, to be told the lines of the answer. */
export interface LinesTaker {
  resolve(lines: string[], at: number): void
  reject(error: FieldwiseError): void
}

/** A command outside of sessions' flights, such as `stats`. Its answer is lines of text. */
export class MetaCommand implements Command {
  calledAt = 0
  sentAt = 0
  settled = false
  complete = false
  readonly isDated = false
  deadline: number
  readonly #command: string
  readonly #take: TakeLine
  readonly #done: LinesTaker
  readonly #lines: string[] = []

  constructor(command: string, take: TakeLine, deadline: number, done: LinesTaker) {
    this.#command = command
    this.#take = take
    this.deadline = deadline
    this.#done = done
  }

  encode(out: Outbox): void {
    out.text(this.#command)
  }

  read(bytes: Buffer, start: number): number {
    const end = bytes.indexOf('\r\n', start, 'latin1')
    const length = (end < 0 ? bytes.length : end) - start
    if (length > longestStat || this.#lines.length > mostStats)
      throw new ProtocolError('sent an answer that does not fit the request')
    if (end < 0) return -(length + 1)
    const line = bytes.toString('latin1', start, end)
    this.#lines.push(line)
    this.complete = this.#take(line)
    return end + 2
  }

  settle(at: number): void {
    if (this.settled) return
    this.settled = true
    this.#done.resolve(this.#lines, at)
  }

  fail(_fate: Fate, error: FieldwiseError): void {
    if (this.settled) return
    this.settled = true
    this.#done.reject(error)
  }
}

const longestStat = 2_048
const mostStats = 4_096

export function versionLine(line: string): boolean {
  if (line.startsWith('VERSION ')) return true
  throw new ForeignLine(line)
}

export function statsLine(line: string): boolean {
  if (line === 'END') return true
  if (line.startsWith('STAT ')) return false
  if (/^(ERROR$|SERVER_ERROR\b|CLIENT_ERROR (?!unauthenticated))/.test(line)) throw new ProtocolError(statsRefused)
  throw new ForeignLine(line)
}

/** Stores nothing, and shows whether the server speaks the protocol. */
export const probe = 'mg fieldwise-probe t O1\r\n'

/** An early meta protocol does not repeat the number (opaque) on a miss, so that replies could be mixed up: it is not used. */
export function probeLine(line: string): boolean {
  if (/^(EN|HD t-?\d+) O1$/.test(line)) return true
  if (/^(EN|HD)\b|^ERROR$|^CLIENT_ERROR (?!unauthenticated)/.test(line)) throw new Unspoken(tooOld)
  throw new ForeignLine(line)
}

export function noopLine(line: string): boolean {
  if (line === 'MN') return true
  throw new ForeignLine(line)
}

export const passwordNeeded = 'CLIENT_ERROR unauthenticated'

export function loginLine(line: string): boolean {
  return line.startsWith(passwordNeeded) || probeLine(line)
}

export function verdictLine(line: string): boolean {
  if (line === 'STORED') return true
  throw new ProtocolError('refuses this username and password')
}

const tooOld = "speaks no meta protocol, or an early form of it: update memcached to 1.6.18 or later, or write protocol: 'binary'"
