import { type Channel, channel } from 'node:diagnostics_channel'
import type { ErrorCode } from './errors.js'

/**
 * The messages that Fieldwise publishes on `node:diagnostics_channel`, by the name of their channel. No message holds a token, a secret
 * or a value. A message is built only while its channel has a subscriber.
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
  /** A call has ended, successfully or not. Published in the async context of its caller. */
  'fieldwise:operation': OperationEvent
  /** A round trip to the store has returned. */
  'fieldwise:flight': FlightEvent
  /** A field was stored or deleted. */
  'fieldwise:write': WriteEvent
  /** A compare-and-swap failed because another write came first. The call tries again. */
  'fieldwise:conflict': FieldEvent
  /** A session was stored for the first time. */
  'fieldwise:created': SessionEvent
  /** A session was given a new secret. */
  'fieldwise:rotated': SessionEvent
  /** A session was ended by `destroy` or `revoke`, or with others of its user. */
  'fieldwise:ended': SessionEvent
  /** An item that a session lists is gone, for example evicted, and the session was ended. */
  'fieldwise:lost': FieldEvent
  /** A token had the id of a living session and a wrong secret. */
  'fieldwise:forged': SessionEvent
  /**
   * A token names a server that is not in the list of this store, so its session is not found. Unless an attacker made it up, the
   * processes have different lists of servers, or write the address of one in different ways.
   */
  'fieldwise:misrouted': SessionEvent
  /** A token was from before a rotation less than 60 s ago, or a rotation cut off a request or socket that was verified before it. */
  'fieldwise:superseded': SessionEvent
  /** A call ended in `STORE_UNAVAILABLE`. */
  'fieldwise:unavailable': SessionEvent
  /** A call ended in `OUTCOME_UNKNOWN`. */
  'fieldwise:unknown': SessionEvent
}

/** What every event says. */
export interface SessionEvent {
  /** The kind of store: `memory`, `memcached`. */
  readonly store: string
  /** The `prefix` that `createSessions` or `createShared` was given. */
  readonly prefix: string
  /** The public id of the session; undefined for a call that ended before it had one, and for what is shared, whose ids may be secrets. */
  readonly sid: string | undefined
  /** The label of the memcached server that holds the session, or what is shared; undefined in stores without labels. */
  readonly server: string | undefined
}

/** An event of one field. */
export interface FieldEvent extends SessionEvent {
  /** The field's name; `header` for the session's header; `~` and the name of its kind for a shared item. */
  readonly field: string
}

/** The end of one call. */
export interface OperationEvent extends SessionEvent {
  readonly operation: OperationName
  /** The fields that the call named; `~` and the name of its kind for a shared item; empty for `getAll` and for calls about the whole session. */
  readonly fields: readonly string[]
  /** When the call began, in milliseconds on the clock of `performance.now()`. */
  readonly started: number
  /** How long it took, in milliseconds. */
  readonly duration: number
  /**
   * The code of the error that it rejected with; undefined if it succeeded. `'OTHER'` for an error that is not Fieldwise's own, such as the
   * reason of an abort, or what an update function threw.
   */
  readonly error: ErrorCode | 'OTHER' | undefined
}

/** One round trip to the store. */
export interface FlightEvent extends SessionEvent {
  /** How many items were read, written, deleted or touched. */
  readonly requests: number
  /** How long it took, in milliseconds. */
  readonly duration: number
  /** Whether every request was answered in time. */
  readonly answered: boolean
}

/** One write of a field. */
export interface WriteEvent extends FieldEvent {
  /** The size of the stored item in bytes, without its key. */
  readonly bytes: number
  /** Whether the field was removed, so that a tombstone was stored. */
  readonly deleted: boolean
  /** How many calls this one compare-and-swap served. */
  readonly combined: number
}

/**
 * The operations that `fieldwise:operation` names: methods of `Sessions` and `Session`, two functions of `fieldwise/adapter`, and methods of
 * the kinds of `fieldwise/shared`.
 */
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
  | 'bindUser'
  | 'user.list'
  | 'user.end'
  | 'user.count'
  | 'peek'
  | 'reset'
  | 'put'
  | 'invalidate'

/**
 * The channel of each event. Check `hasSubscribers` before building a message.
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
