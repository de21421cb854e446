/**
 * What the inspector sends to its page: once for each second and watcher. It holds ids of sessions, names, sizes, counts and times;
 * never a token, a secret or a value, since the events that it is made from hold none.
 */
export interface Frame {
  /** When it was made, in milliseconds since 1970, as all times here. */
  readonly at: number
  readonly source: Source
  /** Counted since the inspector began. */
  readonly totals: Totals
  /** The whole seconds that this watcher has not been sent yet, oldest first. */
  readonly seconds: readonly Second[]
  /** Writes of those seconds, one for each field and second. */
  readonly lanes: readonly LaneSecond[]
  /** The latest writes, newest first. */
  readonly latest: readonly WriteSeen[]
  /** The sessions that were used last, newest session first. */
  readonly sessions: readonly SessionSeen[]
  readonly fleet: FleetFrame
}

/** Whose events these are. */
export interface Source {
  /** `app`: those of the process that the inspector is mounted in. `servers`: nobody's. `demo`: those of its own demonstration. */
  readonly kind: 'app' | 'servers' | 'demo'
  readonly pid: number
  readonly since: number
}

export interface Counts {
  readonly operations: number
  /** Those of them that list, count or end the sessions of a user. */
  readonly userCalls: number
  /** Fields stored or deleted. */
  readonly writes: number
  readonly conflicts: number
  /** Updates that needed no compare-and-swap of their own. */
  readonly combined: number
  /** Sessions that were ended, one by one or with others of their user. */
  readonly ended: number
  readonly lost: number
  readonly forged: number
  readonly unknown: number
  readonly unavailable: number
}

interface Totals extends Counts {
  /** All sessions seen, those forgotten again too. */
  readonly sessions: number
}

export interface Second extends Counts {
  readonly at: number
  /** In milliseconds, to within a tenth; null where no call ended in this second. */
  readonly latency: Latency | null
}

export interface Latency {
  readonly p50: number
  readonly p90: number
  readonly p99: number
}

export interface LaneSecond {
  readonly at: number
  readonly field: string
  readonly writes: number
  readonly deleted: number
  readonly combined: number
}

export interface WriteSeen {
  readonly at: number
  readonly sid: string
  readonly field: string
  readonly bytes: number
  readonly deleted: boolean
  readonly combined: number
}

export interface SessionSeen {
  readonly key: string
  readonly sid: string
  readonly store: string
  readonly prefix: string
  readonly server: string | undefined
  readonly state: SeenState
  readonly firstSeen: number
  readonly lastSeen: number
  readonly operations: number
  readonly conflicts: number
  readonly forged: number
  /** Of what this process has written. */
  readonly bytes: number
  readonly fields: readonly FieldSeen[]
}

export type SeenState = 'live' | 'ended' | 'lost'

export interface FieldSeen {
  readonly field: string
  /** 0 once it is deleted. */
  readonly bytes: number
  readonly writes: number
  readonly conflicts: number
  readonly lastWrite: number
}

export interface FleetFrame {
  /** What a share is a share of. */
  readonly sharesOf: 'sessions' | 'items'
  readonly servers: readonly ServerSeen[]
  /** What the readiness check of the application's sessions says; null without one. */
  readonly readiness: Readiness | null
}

export interface Readiness {
  readonly ready: boolean
  readonly says: string
}

export interface ServerSeen {
  readonly label: string
  /** Where it is, if the inspector was told. */
  readonly address: string | undefined
  readonly health: Health
  /** Why, in a few words. */
  readonly says: string
  /** From 0 to 1. */
  readonly share: number
  readonly sessions: number
  readonly flights: number
  readonly stats: ServerStats | undefined
}

export type Health = 'answers' | 'silent' | 'unknown'

/** What the server says of itself. */
export interface ServerStats {
  readonly version: string
  /** In seconds. */
  readonly uptime: number
  readonly items: number
  /** In bytes. */
  readonly memory: number
  readonly memoryLimit: number
  readonly connections: number
  readonly evictions: number
  /** Commands since it was started, of all its clients: gets, sets and touches. */
  readonly commands: number
  /** How many of those came in a second, between the last two times that it was asked; null after the first. */
  readonly commandsPerSecond: number | null
}
