import type { MemcachedOptions, Servers } from '@fieldwise/memcached/servers'

export type Side = 'naive' | 'fieldwise'

/** Where a race is run. Passed to workers, so it is plain data. */
export interface Course {
  readonly servers: Servers | undefined
  readonly options: MemcachedOptions
  /** Before every key of this race. */
  readonly prefix: string
  /** Of the session that Fieldwise changes. */
  readonly token: string
  /** The item that holds a whole session. */
  readonly naive: { readonly sid: string; readonly key: string }
}

/** What one worker does. */
export interface RaceOrder {
  readonly course: Course
  readonly side: Side
  readonly increments: number
  /** How many requests are under way at once. */
  readonly inFlight: number
}

/** How far a worker is. */
export interface Progress {
  /** Increments that the visitor was told are done. */
  readonly acknowledged: number
  /** Increments that ended in an error, so that the visitor knows. */
  readonly failed: number
}
