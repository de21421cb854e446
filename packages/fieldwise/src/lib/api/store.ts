import type { FieldwiseError } from './errors.js'

/**
 * Where the items of sessions live. A store reads single items, writes them conditionally, deletes and touches them. It knows nothing of
 * sessions but their ids. All items of one session live on one server and are reached over one ordered connection. So are items that the
 * sessions of one server share: their keys do not hold the id of a session.
 *
 * That an item is not there is a result. An outage is an error, and each request that it hit carries it in its answer: a flight never
 * rejects.
 *
 * Run the cases of `fieldwise/store-contract` to show that a store keeps this contract.
 */
export interface Store {
  /** The kind of store, for messages and events: `memory`, `memcached`. */
  readonly name: string
  /** What this store can and cannot do. */
  readonly traits: StoreTraits

  /** Called by each `createSessions` that uses this store, before it calls anything else. */
  start?(host: StoreHost): void

  /**
   * The id for a session that is about to be created: `uuid` as it is, or with the label of the server that will hold it (`uuid~label`).
   *
   * @throws {StoreUnavailableError} when no server can take a new session.
   */
  place(uuid: string): string

  /**
   * The id for a session that has to be found by `uuid` alone, because nobody keeps its label. It is the same in every process with the
   * same list of servers, whichever of them answer. A store whose `place` always does that may leave this method out.
   */
  placeById?(uuid: string): string

  /**
   * What the ids of the sessions of each server end with: `~label`, or nothing for a store that gives none a label. Stands for the server
   * where no session is meant, in {@link flight}, {@link now} and {@link largestValue}.
   */
  servers(): readonly string[]

  /** Whether a session with this id could live here: its label names a server of this store. No I/O. */
  holds(sid: string): boolean

  /**
   * The size in bytes of the largest value that the server of `sid` takes under a key of `keyLength` bytes, as far as it is known yet.
   */
  largestValue(sid: string, keyLength: number): number

  /**
   * The current time of the server that holds `sid`, in milliseconds since 1970. Connects to the server first if necessary.
   *
   * @throws {StoreUnavailableError} when that server cannot be reached by `deadline` (on {@link StoreHost.running}).
   */
  now(sid: string, deadline: number): Promise<number>

  /**
   * Sends requests for items of one session, and for items that the sessions of its server share, in one network write. Resolves with their
   * answers in the same order, in which the server carries them out too. Never rejects: what went wrong is in the answers.
   *
   * Nothing is ever sent twice. A request that is still waiting for a connection at the deadline (on {@link StoreHost.running}) is
   * answered `unsent`.
   */
  flight(sid: string, requests: readonly StoreRequest[], deadline: number): Promise<Flight>

  /**
   * Resolves when every server answers; with `'one'`, when one answers that takes new sessions.
   *
   * @throws {StoreUnavailableError} naming the servers that did not answer by the deadline.
   */
  check(deadline: number, least?: 'all' | 'one'): Promise<void>

  /** Closes all connections. Requests under way are answered `unanswered` or `unsent`. Afterwards nothing keeps the process alive. */
  close(): Promise<void>
}

/** What a store can and cannot do. A contract case is left out because of a trait, never because of an `if` in a test. */
export interface StoreTraits {
  /** Whether answers to reads give the remaining time to live of the item. */
  readonly reportsTtl: boolean
  /** Whether `compare` is supported. */
  readonly comparesVersions: boolean
  /** Whether items are seen by other processes, and survive the end of this one. */
  readonly shared: boolean
  /** How long one operation may take, in milliseconds, connecting included. */
  readonly timeout: number
  /** The granularity of an item's time to live, in milliseconds: 1,000 with memcached, which counts whole seconds. */
  readonly ttlStep: number
}

/** What `createSessions` passes to its store. */
export interface StoreHost {
  /**
   * The running clock, in milliseconds: it stands still while this process is stopped or too busy to read its sockets, since no server is
   * slow then (D1). All deadlines are points on this clock.
   */
  running(): number
  /**
   * Resolves when `milliseconds` have passed on the running clock and the sockets were read once more (D2), so that a store which
   * then gives a request up does not miss an answer that has arrived. Keeps no process alive.
   */
  sleep(milliseconds: number): Promise<void>
  /** The time in milliseconds since 1970, for a store whose server has no clock of its own. */
  readonly clock: { now(): number }
}

/**
 * An opaque compare-and-swap token for one item. It is valid on the connection that read it and on no other, since memcached's version
 * numbers start again when the server does (W3).
 */
export type Version = object

/** One request to the server. Keys are complete, prefix included. */
export type StoreRequest =
  | GetRequest
  | CompareRequest
  | GetAndTouchRequest
  | AddRequest
  | ReplaceRequest
  | DeleteRequest
  | TouchRequest

/** Gets an item. */
export interface GetRequest {
  readonly op: 'get'
  readonly key: string
}

/**
 * A get for a caller that has the value of a known version: if the item is still that version, the answer is `same`, without the value.
 * Otherwise it is `found` with the item, or `changed` without it. Only for stores with {@link StoreTraits.comparesVersions}.
 */
export interface CompareRequest {
  readonly op: 'compare'
  readonly key: string
  readonly knownVersion: Version
}

/** Gets an item and sets its time to live in one command. Its value and version stay as they are. */
export interface GetAndTouchRequest {
  readonly op: 'getAndTouch'
  readonly key: string
  /** In milliseconds, and never 0. */
  readonly ttl: number
}

/** Stores an item only if there is none under the key. */
export interface AddRequest {
  readonly op: 'add'
  readonly key: string
  readonly value: Buffer
  /** In milliseconds, and never 0. */
  readonly ttl: number
}

/** Stores an item only over another one: with `version`, only over that version; without, over any. */
export interface ReplaceRequest {
  readonly op: 'replace'
  readonly key: string
  readonly value: Buffer
  /** In milliseconds, and never 0. */
  readonly ttl: number
  readonly version?: Version | undefined
}

/** Deletes an item. */
export interface DeleteRequest {
  readonly op: 'delete'
  readonly key: string
}

/** Sets the time to live of an item. Its value and version stay as they are. */
export interface TouchRequest {
  readonly op: 'touch'
  readonly key: string
  /** In milliseconds, and never 0. */
  readonly ttl: number
}

/** The answers that each request can have, besides {@link Unsent} and {@link Unanswered}. */
export interface StoreResults {
  get: Found | Missing
  compare: Found | Same | Changed | Missing
  getAndTouch: Found | Missing
  add: Stored | Conflict | Lost
  replace: Stored | Conflict | Stale | Missing | Lost
  delete: Done | Missing
  touch: Done | Missing
}

/** The answer to a request of type `R`. */
export type AnswerTo<R extends StoreRequest> = StoreResults[R['op']] | Unsent | Unanswered

/** The answer to any request. */
export type StoreAnswer = AnswerTo<StoreRequest>

/** The item. */
export interface Found {
  readonly result: 'found'
  readonly value: Buffer
  readonly version: Version
  /** Its remaining time to live in milliseconds, if the store reports it ({@link StoreTraits.reportsTtl}). */
  readonly ttl?: number | undefined
}

/** The item is still the version that was asked about. */
export interface Same {
  readonly result: 'same'
  /** As {@link Found.ttl}. */
  readonly ttl?: number | undefined
}

/** The item is another version by now. A `get` brings it. */
export interface Changed {
  readonly result: 'changed'
}

/** The item was stored. */
export interface Stored {
  readonly result: 'stored'
  /** The version that was just stored, if the store can tell. It saves the next write a read. */
  readonly version?: Version | undefined
}

/** The item was deleted, or touched. */
export interface Done {
  readonly result: 'done'
}

/** There is no item under the key. */
export interface Missing {
  readonly result: 'missing'
}

/** To `add`: there is an item already. To `replace`: the item is another version by now. Nothing was changed. */
export interface Conflict {
  readonly result: 'conflict'
}

/** To `replace`: the version was read over a connection that is gone, so it cannot be compared (W3). Nothing was sent; read again. */
export interface Stale {
  readonly result: 'stale'
}

/** The request did not reach the server and never will, or the server refused it. Nothing was changed. */
export interface Unsent {
  readonly result: 'unsent'
  readonly error: FieldwiseError
}

/**
 * To `add` and `replace`: the server had no memory for the item and has deleted the one that was there. A store that can keep the old item
 * answers `unsent` instead (W11).
 */
export interface Lost {
  readonly result: 'lost'
  readonly error: FieldwiseError
}

/** The answer was lost. The request may have been carried out, or may still be. */
export interface Unanswered {
  readonly result: 'unanswered'
  readonly error: FieldwiseError
}

/** The outcome of one flight. `R` is the type of its requests, which gives each answer its type. */
export interface Flight<R extends readonly StoreRequest[] = readonly StoreRequest[]> {
  /** One answer for each request, in order. */
  readonly answers: { readonly [I in keyof R]: AnswerTo<R[I]> }
  /** The server's time when the answers arrived, in milliseconds since 1970; undefined if the server was never reached. */
  readonly serverTime: number | undefined
}
