import type { FieldwiseError } from './errors.js'

/**
 * Where the items of sessions live. A store reads, writes under a condition, deletes and touches single items; it knows nothing of
 * sessions beyond their ids. All items of one session live in one place and go over one ordered connection.
 *
 * "Not there" is a result. An outage is an error, carried in the answer of each request that it hit. A flight never rejects.
 *
 * A store proves itself with the cases of `fieldwise/store-contract`.
 */
export interface Store {
  /** Names the kind of store in messages and tools: `memory`, `memcached`. */
  readonly name: string
  /** What this store can and cannot do. */
  readonly traits: StoreTraits

  /** Called once by each `createSessions` that uses this store, before anything else. */
  start?(host: StoreHost): void

  /**
   * The id of a session that is about to be created: `uuid` as it is, or with the label of the server that will hold it
   * (`uuid~label`).
   *
   * @throws {StoreUnavailableError} when no server can take a new session.
   */
  place(uuid: string): string

  /**
   * The id of a session that is found by `uuid` alone, because its label is kept nowhere: the same in every process with the same servers,
   * whichever of them answer. A store without it gives the same id by `place` always.
   */
  placeById?(uuid: string): string

  /** Whether a session of this id could live here: its label names a server of this store. Costs no I/O. */
  holds(sid: string): boolean

  /**
   * The largest value in bytes that can be stored under a key of `keyLength` bytes on the server of `sid`, as far as that is known by now.
   */
  largestValue(sid: string, keyLength: number): number

  /**
   * The present time of the server that holds `sid`, in milliseconds since 1970, after connecting to it where that is needed.
   *
   * @throws {StoreUnavailableError} when that server cannot be reached by `deadline` (on {@link StoreHost.running}).
   */
  now(sid: string, deadline: number): Promise<number>

  /**
   * Sends requests for items of one session, in order, in one network write, and resolves with their answers in the same order.
   * The server carries the requests out in the order given. Never rejects: what went wrong is in the answers.
   *
   * Nothing is ever sent twice. A request that waits for a connection is `unsent` when its deadline passes.
   */
  flight(sid: string, requests: readonly StoreRequest[], deadline: number): Promise<Flight>

  /**
   * Resolves when every server answers, or with `'one'` when one does that takes new sessions.
   *
   * @throws {StoreUnavailableError} naming those that do not.
   */
  check(deadline: number, least?: 'all' | 'one'): Promise<void>

  /** Ends all connections. Flights that are under way are answered `unanswered` or `unsent`. Afterwards nothing keeps the process alive. */
  close(): Promise<void>
}

/** What a store can and cannot do, as data: a contract case is left out because of a trait, never because of an `if` in a test. */
export interface StoreTraits {
  /** Answers to reads say how long the item lives on. */
  readonly reportsTtl: boolean
  /** Answers `compare`, wherever its server can without sending the item. */
  readonly comparesVersions: boolean
  /** Items survive the end of this process and are seen by other processes. */
  readonly shared: boolean
  /** How long one operation may take, in milliseconds, connecting included. */
  readonly timeout: number
  /** The smallest step of an item's time to live, in milliseconds: memcached counts whole seconds. */
  readonly ttlStep: number
}

/** What `createSessions` offers to its store. */
export interface StoreHost {
  /**
   * Milliseconds that only grow while this process runs. All deadlines are points on it: what a server had no chance to answer in, because
   * this process was stopped or too busy to listen, is not counted.
   */
  running(): number
  /**
   * Waits until so many milliseconds have passed on that clock, and what had arrived by then was read: a store that gives something up
   * then gives up nothing that is there. Keeps no process alive.
   */
  sleep(milliseconds: number): Promise<void>
  /** The clock that a store without one of its own goes by. */
  readonly clock: { now(): number }
}

/**
 * A store's opaque compare-and-swap token for one item, as read over one connection. It says nothing about any other connection:
 * memcached numbers its items anew after a restart.
 */
export type Version = object

/** One request to the server. Keys are whole keys, prefix included. */
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

/** Asks whether an item is still the version that the caller has the value of; where it is not, the answer may be the item. For stores that {@link StoreTraits.comparesVersions} alone. */
export interface CompareRequest {
  readonly op: 'compare'
  readonly key: string
  readonly knownVersion: Version
}

/** Gets an item and sets its time to live, in one command. Changes neither its value nor its version. */
export interface GetAndTouchRequest {
  readonly op: 'getAndTouch'
  readonly key: string
  /** In milliseconds, and never 0. */
  readonly ttl: number
}

/** Stores only if nothing is there. */
export interface AddRequest {
  readonly op: 'add'
  readonly key: string
  readonly value: Buffer
  /** In milliseconds, and never 0. */
  readonly ttl: number
}

/** Stores only if something is there: the very version given, or, without a version, whatever it is. */
export interface ReplaceRequest {
  readonly op: 'replace'
  readonly key: string
  readonly value: Buffer
  /** In milliseconds, and never 0. */
  readonly ttl: number
  readonly version?: Version | undefined
}

export interface DeleteRequest {
  readonly op: 'delete'
  readonly key: string
}

/** Sets the time to live of an item. Changes neither its value nor its version. */
export interface TouchRequest {
  readonly op: 'touch'
  readonly key: string
  /** In milliseconds, and never 0. */
  readonly ttl: number
}

/** What each request can be answered with, besides {@link Unsent} and {@link Unanswered}. */
export interface StoreResults {
  get: Found | Missing
  compare: Found | Same | Changed | Missing
  getAndTouch: Found | Missing
  add: Stored | Conflict | Lost
  replace: Stored | Conflict | Stale | Missing | Lost
  delete: Done | Missing
  touch: Done | Missing
}

/** The answer to one request. */
export type AnswerTo<R extends StoreRequest> = StoreResults[R['op']] | Unsent | Unanswered

/** Any answer. */
export type StoreAnswer = AnswerTo<StoreRequest>

/** The item. */
export interface Found {
  readonly result: 'found'
  readonly value: Buffer
  readonly version: Version
  /** How long it lives on, in milliseconds, where the store reports it. */
  readonly ttl?: number | undefined
}

/** The item is there, and it is the version that was asked about. */
export interface Same {
  readonly result: 'same'
  /** As {@link Found.ttl}. */
  readonly ttl?: number | undefined
}

/** The item is there in another version than the one asked about. A `get` tells which. */
export interface Changed {
  readonly result: 'changed'
}

/** It is stored. */
export interface Stored {
  readonly result: 'stored'
  /** That of what was just stored, where the store can tell: it saves the next writer a reading. */
  readonly version?: Version | undefined
}

/** It is deleted, or touched. */
export interface Done {
  readonly result: 'done'
}

/** Nothing is there. */
export interface Missing {
  readonly result: 'missing'
}

/** To `add`: something is there. To `replace`: the item is another version by now. Nothing has changed. */
export interface Conflict {
  readonly result: 'conflict'
}

/** To `replace`: the version is one of a connection that is gone, which says nothing about the item any more. Nothing was sent. */
export interface Stale {
  readonly result: 'stale'
}

/** This request did not reach the server and never will, or the server refused it: nothing has changed. */
export interface Unsent {
  readonly result: 'unsent'
  readonly error: FieldwiseError
}

/**
 * To `add` and `replace`: the server had no room for it, so that nothing of it is stored, and what was there before is gone. A store that can
 * keep it answers `unsent` instead (W11).
 */
export interface Lost {
  readonly result: 'lost'
  readonly error: FieldwiseError
}

/** The answer was lost: the request may have been carried out, or may still be. */
export interface Unanswered {
  readonly result: 'unanswered'
  readonly error: FieldwiseError
}

/** The answers of one flight; with the types of its requests, each as {@link StoreResults} says. */
export interface Flight<R extends readonly StoreRequest[] = readonly StoreRequest[]> {
  /** One answer for each request, in order. */
  readonly answers: { readonly [I in keyof R]: AnswerTo<R[I]> }
  /** The server's time when the answers had arrived, in milliseconds since 1970; undefined if the server was never reached. */
  readonly serverTime: number | undefined
}
