import { SessionGoneError } from '../api/errors.js'
import type { Version } from '../api/store.js'
import type { Header } from '../format/header.js'

/** When something was seen of a session, on two clocks. */
export interface SeenAt {
  /** The server's time. */
  readonly serverTime: number
  /** The monotonic clock then. */
  readonly readAt: number
  /**
   * The monotonic clock when it was asked for. Its age counts from here, since a process that was stopped in between reads an answer that was
   * given long ago.
   */
  readonly askedAt: number
}

/** The server's time now, computed from when it was last read. */
export function serverTimeNow({ serverTime, readAt }: SeenAt, environment: { monotonic(): number }): number {
  return serverTime + (environment.monotonic() - readAt)
}

/** What one flight found of a session. */
export interface Snapshot extends SeenAt {
  readonly sid: string
  /** The living header; undefined where there is none or its absolute end has passed: then there is no session. */
  readonly header: FoundHeader | undefined
  /** The header whose absolute end has passed, as long as the store still has it. */
  readonly over: Header | undefined
  /** The list of its user's sessions does not hold it any more (U1): then there is no session either. */
  readonly isEnded?: true
  /** The fields that were asked for. */
  readonly fields: readonly string[]
  /** The item of each field that was asked for, in their order; undefined where nothing is there. */
  readonly items: readonly (FoundItem | undefined)[]
}

export interface FoundHeader {
  readonly value: Header
  readonly version: Version
  /** How long it lives on, in milliseconds, where the store reports it. */
  readonly ttl: number | undefined
}

export interface FoundItem {
  /** As stored, still sealed. */
  readonly bytes: Buffer
  readonly version: Version
  /** The bytes unsealed, once they were asked for: its birth and its value are read apart, and unsealing is most of the cost of either. */
  plain: Buffer | undefined
}

/** The item of a field that was asked for; undefined where nothing is there. */
export function itemIn(snapshot: Snapshot, field: string): FoundItem | undefined {
  return snapshot.items[snapshot.fields.indexOf(field)]
}

/** The living header. @throws {EndOfSession} where its end has passed, and {SessionGoneError} where there is none. */
export function headerIn(snapshot: Snapshot): FoundHeader {
  if (snapshot.header !== undefined) return snapshot.header
  if (snapshot.isEnded) throw new SessionGoneError('ended')
  throw snapshot.over ? new EndOfSession(snapshot, new SessionGoneError('expired')) : new SessionGoneError('destroyed')
}

/** A copy for keeping. The buffers of a snapshot are slices of what came from the network, and would keep other visitors' bytes in memory. */
export function copyOf(snapshot: Snapshot): Snapshot {
  const items = snapshot.items.map((item) => item && { ...item, bytes: copyOfBytes(item.bytes), plain: undefined })
  return { ...snapshot, items }
}

/** Not `Buffer.from`, whose small buffers are slices of a pool that they would keep in memory. */
export function copyOfBytes(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length)
  bytes.copy(copy)
  return copy
}

/**
 * It has turned out that a session has to end: a listed field is gone, or its absolute end has passed. Internal; callers see `SESSION_GONE`
 * once the header is deleted (R4, L5).
 */
export class EndOfSession extends Error {
  readonly snapshot: Snapshot
  /** What callers will see. */
  readonly gone: SessionGoneError

  constructor(snapshot: Snapshot, gone: SessionGoneError) {
    super('a session has to end')
    this.snapshot = snapshot
    this.gone = gone
  }
}
