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

  /** Ends all connections. Flights that are under way are answered `open` or `unsent`. Afterwards nothing keeps the process alive. */
  close(): Promise<void>
}

/** What a store can and cannot do, as data: a contract case is left out because of a trait, never because of an `if` in a test. */
export interface StoreTraits {
  /** Answers to `get` carry the item's remaining life. */
  readonly reportsLife: boolean
  /** Says of an item whose version is known that it is the `same`, instead of sending it again, wherever its server can. */
  readonly comparesVersions: boolean
  /** Items survive the end of this process and are seen by other processes. */
  readonly shared: boolean
  /** How long one operation may take, in milliseconds, connecting included. */
  readonly timeout: number
  /** The smallest step of an item's life, in milliseconds: memcached counts whole seconds. */
  readonly lifeStep: number
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

/** One request to the server. Keys are whole keys, prefix included. `life` is in milliseconds and never 0. */
export type StoreRequest =
  /** `known` is a version that the caller has the value of: only a store that `comparesVersions` makes use of it. */
  | { readonly op: 'get'; readonly key: string; readonly known?: Version | undefined }
  /** Gets an item and sets its remaining life, in one command. Changes neither its value nor its version. */
  | { readonly op: 'renew'; readonly key: string; readonly life: number }
  /** Stores only if nothing is there. */
  | { readonly op: 'add'; readonly key: string; readonly value: Buffer; readonly life: number }
  /** Stores only if something is there: the very version given, or, without a version, whatever it is. */
  | {
      readonly op: 'replace'
      readonly key: string
      readonly value: Buffer
      readonly life: number
      readonly version?: Version | undefined
    }
  | { readonly op: 'delete'; readonly key: string }
  /** Sets the remaining life of an item. Changes neither its value nor its version. */
  | { readonly op: 'touch'; readonly key: string; readonly life: number }

/** The answer to one request. */
export type StoreAnswer =
  /** `get`, `renew`: the item. `life` is its remaining life in milliseconds, where the store reports it. */
  | { readonly result: 'found'; readonly value: Buffer; readonly version: Version; readonly life?: number | undefined }
  /** `get` with `known`: the item is there, and it is that very version. `life` as above. */
  | { readonly result: 'same'; readonly life?: number | undefined }
  /** `get` with `known`: the item is there in another version. A `get` without `known` tells which. */
  | { readonly result: 'changed' }
  /** `add`, `replace`: done. `version` is that of what was just stored, where the store can tell: it saves the next writer a reading. */
  | { readonly result: 'stored'; readonly version?: Version | undefined }
  /** `delete`, `touch`: done. */
  | { readonly result: 'done' }
  /** `get`, `renew`, `replace`, `delete`, `touch`: nothing is there. */
  | { readonly result: 'missing' }
  /** `add`: something is there. `replace`: the item has changed, or its version's connection is gone and nothing was sent. */
  | { readonly result: 'conflict' }
  /** This request did not reach the server and never will, or the server refused it: nothing has changed. */
  | { readonly result: 'unsent'; readonly error: FieldwiseError }
  /**
   * `add`, `replace`: the server had no room for it, so that nothing of it is stored, and what was there before is gone. A store that can
   * keep it answers `unsent` instead.
   */
  | { readonly result: 'lost'; readonly error: FieldwiseError }
  /** The answer was lost: the request may have been carried out, or may still be. */
  | { readonly result: 'open'; readonly error: FieldwiseError }

/** The answers of one flight. */
export interface Flight {
  /** One answer for each request, in order. */
  readonly answers: readonly StoreAnswer[]
  /**
   * The server's time when the answers had arrived, in milliseconds since 1970. `NaN` if the server was never reached.
   */
  readonly at: number
}
