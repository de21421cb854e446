import { type Channel, channel } from 'node:diagnostics_channel'
import type { ErrorCode } from './errors.js'

/**
 * What Fieldwise tells on `node:diagnostics_channel`, by the name of the channel. No event holds a token, a secret or a value. A message
 * is made only while its channel has a subscriber.
 *
 * @example
 * import { subscribe } from 'node:diagnostics_channel'
 * import type { FieldwiseEvents } from 'fieldwise'
 *
 * subscribe('fieldwise:lost', (message) => {
 *   const { sid, field } = message as FieldwiseEvents['fieldwise:lost']
 *   console.warn('evicted', sid, field)
 * })
 */
export interface FieldwiseEvents {
  /** A call has ended, well or not. Told in the async context of its caller. */
  'fieldwise:operation': OperationEvent
  /** A flight has returned. */
  'fieldwise:flight': FlightEvent
  /** A field was stored or deleted; `combined` says how many waiting calls this one compare-and-swap served. */
  'fieldwise:write': WriteEvent
  /** A compare-and-swap found that somebody else was first; the call tries again. */
  'fieldwise:conflict': FieldEvent
  /** A session was stored for the first time. */
  'fieldwise:created': SessionEvent
  /** A session has a new secret. */
  'fieldwise:rotated': SessionEvent
  /** A session was ended by `destroy` or `revoke`. */
  'fieldwise:ended': SessionEvent
  /** An item that a session lists is gone, evicted for example, and the session was ended. */
  'fieldwise:lost': FieldEvent
  /** Somebody came with the id of a living session and a secret that is not its own. */
  'fieldwise:forged': SessionEvent
  /**
   * Somebody came with a token whose server is none of this store's: its session is not found here. Where that is not one from an attacker,
   * processes have different lists of servers, or write one in different ways.
   */
  'fieldwise:misrouted': SessionEvent
  /** Somebody came with the secret from before a rotation that happened less than 60 s ago, or was cut off by one that somebody else made. */
  'fieldwise:superseded': SessionEvent
  /** A call ended in `STORE_UNAVAILABLE`. */
  'fieldwise:unavailable': SessionEvent
  /** A call ended in `OUTCOME_UNKNOWN`. */
  'fieldwise:unknown': SessionEvent
}

/** What all events of one `createSessions` carry. */
export interface SessionEvent {
  /** The kind of store: `memory`, `memcached`. */
  readonly store: string
  /** The `prefix` that `createSessions` was given. */
  readonly prefix: string
  /** The public id; undefined while there is none. */
  readonly sid: string | undefined
  /** The label of the memcached server that holds the session. */
  readonly server: string | undefined
}

export interface FieldEvent extends SessionEvent {
  readonly field: string
}

export interface OperationEvent extends SessionEvent {
  readonly operation: OperationName
  /** What was asked for by name; empty for `getAll` and for calls about the whole session. */
  readonly fields: readonly string[]
  /** When the call began, in milliseconds on `performance.now()`. */
  readonly started: number
  /** In milliseconds. */
  readonly duration: number
  /** The code of the error that it ended with; `'OTHER'` for what is not Fieldwise's own, such as an abort or what an update function threw. */
  readonly error: ErrorCode | 'OTHER' | undefined
}

export interface FlightEvent extends SessionEvent {
  /** How many items were asked for, written, deleted or touched. */
  readonly requests: number
  /** In milliseconds. */
  readonly duration: number
  /** Whether every request was answered. */
  readonly answered: boolean
}

export interface WriteEvent extends FieldEvent {
  /** Of the stored item, in bytes, without its key. */
  readonly bytes: number
  readonly deleted: boolean
  readonly combined: number
}

/** The calls of `Sessions` and `Session` that can end in a `fieldwise:operation`. */
export type OperationName =
  | 'create'
  | 'open'
  | 'revoke'
  | 'check'
  | 'get'
  | 'getMany'
  | 'getAll'
  | 'has'
  | 'set'
  | 'update'
  | 'increment'
  | 'take'
  | 'delete'
  | 'regenerate'
  | 'destroy'
  | 'keepFor'
  | 'storedJson'

/**
 * One for each event. Ask `hasSubscribers` before a message is made.
 *
 * @internal
 */
export const channels = {
  operation: channelOf('fieldwise:operation'),
  flight: channelOf('fieldwise:flight'),
  write: channelOf('fieldwise:write'),
  conflict: channelOf('fieldwise:conflict'),
  created: channelOf('fieldwise:created'),
  rotated: channelOf('fieldwise:rotated'),
  ended: channelOf('fieldwise:ended'),
  lost: channelOf('fieldwise:lost'),
  forged: channelOf('fieldwise:forged'),
  misrouted: channelOf('fieldwise:misrouted'),
  superseded: channelOf('fieldwise:superseded'),
  unavailable: channelOf('fieldwise:unavailable'),
  unknown: channelOf('fieldwise:unknown'),
}

function channelOf<K extends keyof FieldwiseEvents>(name: K): Channel<FieldwiseEvents[K], FieldwiseEvents[K]> {
  return channel(name) as Channel<FieldwiseEvents[K], FieldwiseEvents[K]>
}
