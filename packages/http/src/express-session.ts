/**
 * A store for express-session that keeps each property of `req.session` as a field of its own.
 *
 * @module @fieldwise/http/express-session
 */
import { callbackify } from 'node:util'
import { BadArgumentError, BadConfigError, type Sessions } from 'fieldwise'
import { canCreateWithExternalId, parseToken, tokenOfExternalId, valueOfJson } from 'fieldwise/adapter'
import { outagesOf } from './lib/adapter/outages.js'
import { isStoreFailure, withHttpStatus } from './lib/adapter/store-failure.js'
import { BaseStore } from './lib/express-session/base.js'
import { begin, type Merge, SessionCopy, type SessionSource } from './lib/express-session/copy.js'
import { cookieJson, dataOf, fieldName, fieldsOf, type JsonFields, plainCookie } from './lib/express-session/data.js'
import { Migration, type OldStore } from './lib/express-session/migration.js'
import { NewIds } from './lib/express-session/new-ids.js'

export type { OldStore }

/**
 * What to store in a field that this request has changed from `base` to `mine`, when `stored` is there now. `base` and `stored` are
 * undefined where the field was, or is, not set; a default of the schema counts as stored. Synchronous; may run several times.
 */
export type MergeFunction<V> = MergeMethod<V>['merge']

/** As a method, since the function of a declared field has to fit among those of all other fields, which a catchall has. */
interface MergeMethod<V> {
  merge(base: V | undefined, mine: V, stored: V | undefined): V
}

/** The options of {@link Store}. */
export interface StoreOptions<F extends object> {
  /** For fields that several requests change at once, by their names. Without one the last writer of a field wins. */
  readonly merge?: { readonly [K in keyof F]?: MergeFunction<F[K]> | undefined } | undefined
  /**
   * Whose session this is, by what the app has put into it; `undefined` as long as it is nobody's. Then `sessions.user(id)` lists and ends it. A save
   * that would make it another user's is refused with `BAD_ARGUMENT`: log in by `req.session.regenerate`, as passport does.
   *
   * @example
   * import { Store } from '@fieldwise/http/express-session'
   * import { createSessions } from 'fieldwise'
   * import { z } from 'zod'
   *
   * const sessions = createSessions({ schema: z.object({ cookie: z.json() }).catchall(z.json()) })
   * const store = new Store(sessions, { user: (data) => (data.passport as { user?: string } | undefined)?.user })
   */
  readonly user?: ((data: Readonly<Record<string, unknown>>) => string | undefined) | undefined
  /** The store that the app used before: sessions that are there and not here are brought over when they are first used. */
  readonly readThrough?: OldStore | undefined
  /**
   * Under which ids `set` may begin a session. `'own'`, the default: under those that express-session has just had made for a request of
   * this process, each once. `'any'`: under whatever id its caller hands in, for other session libraries, and for tests that seed a login.
   * A `set` that comes after `destroy` then brings the session back.
   *
   * @example
   * import { Store } from '@fieldwise/http/express-session'
   * import { createSessions } from 'fieldwise'
   * import { z } from 'zod'
   *
   * const sessions = createSessions({ schema: z.object({ cookie: z.json() }).catchall(z.json()) })
   * const store = new Store(sessions, { creates: 'any' })
   * await store.set('an id of the test', { user: 'ada' })
   * const session = await store.get<{ user: string }>('an id of the test')
   */
  readonly creates?: 'own' | 'any' | undefined
}

/**
 * A store for express-session: `req.session` stays as it is, and each of its properties is kept as a field of its own. Two requests that change
 * different properties both win. A save writes what its request has changed, and never brings back a session that has ended.
 *
 * The id that express-session puts into its cookie is kept nowhere: two hashes of it are the session's sid and secret. A session lives unused
 * for the cookie's `maxAge`, or, without one, for `lifetime.idle` of `createSessions`; and never longer than `lifetime.absolute`.
 *
 * There is no `all`, `length` or `clear`: memcached cannot list what it holds.
 *
 * An outage of the store is an error with `status` 503, never a visitor without a session. express-session saves when it has begun to
 * answer, and what fails then reaches the app's error handler, not the visitor: call `req.session.save` first where that matters.
 *
 * Every method calls back or, without a callback, gives a promise.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for a schema without a field for express-session's `cookie`, and for unknown options.
 *
 * @example
 * import { Store } from '@fieldwise/http/express-session'
 * import express from 'express'
 * import session from 'express-session'
 * import { createSessions } from 'fieldwise'
 * import { z } from 'zod'
 *
 * const sessions = createSessions({ schema: z.object({ visits: z.int() }).catchall(z.json()) })
 * const store = new Store(sessions, { merge: { visits: (base = 0, mine, stored = 0) => stored + mine - base } })
 *
 * const app = express()
 * app.use(session({ store, secret: 'keyboard cat', resave: false, saveUninitialized: false }))
 */
export class Store<F extends object, D extends keyof F = never> extends BaseStore {
  readonly #origin: SessionSource
  readonly #move: Migration | undefined
  readonly #creates: 'own' | 'any'
  /** The copy behind each session that was handed out. */
  readonly #copies = new WeakMap<object, SessionCopy>()
  #generate: (req: Request) => void = () => {}

  constructor(sessions: Sessions<F, D>, options: StoreOptions<NoInfer<F>> = {}) {
    super()
    assertOptions(options)
    // Which fields there are is not known in here.
    this.#origin = {
      sessions: sessions as unknown as SessionSource['sessions'],
      merges: mergesOf(options.merge ?? {}),
      beginnings: new NewIds(),
      userOf: options.user,
    }
    assertCookieField(this.#origin)
    this.#move = options.readThrough && new Migration(this.#origin, options.readThrough)
    this.#creates = options.creates ?? 'own'
  }

  /** Set by express-session: makes the session of a request that has none. */
  get generate(): (req: Request) => void {
    return this.#beginSession
  }

  /** express-session gives its own when it is made. */
  set generate(generate: (req: Request) => void) {
    this.#generate = generate
  }

  /**
   * The session of an id; `null` where there is none.
   *
   * @throws `STORE_UNAVAILABLE`.
   */
  get<T = Record<string, unknown>>(id: string): Promise<T | null>
  get<T>(id: string, callback: (error: unknown, session?: T | null) => void): void
  get(id: string, callback?: StoreCallback<unknown>): unknown {
    return answer(this.#origin.sessions, this.#get(id), callback)
  }

  /**
   * Writes what has changed in a session since it was loaded or saved. An object that this store has not handed out replaces the session
   * as a whole.
   *
   * @throws `BAD_ARGUMENT` for what is no object, and where there is no session of the id, unless {@link StoreOptions.creates} lets the caller begin one;
   * `FIELD_INVALID`, `VALUE_TOO_LARGE`, `BAD_CONFIG` for a `maxAge` beyond `lifetime.absolute`, `STORE_UNAVAILABLE`, `OUTCOME_UNKNOWN`.
   */
  set(id: string, session: object): Promise<void>
  set(id: string, session: object, callback: ((error?: unknown) => void) | undefined): void
  set(id: string, session: object, callback?: StoreCallback): unknown {
    return answer(this.#origin.sessions, this.#set(id, session), callback)
  }

  /**
   * Notes that a session was used. Costs nothing in a short request, since loading it has renewed it. Where there is no session, nothing
   * happens.
   *
   * @throws as `set` does.
   */
  touch(id: string, session: object): Promise<void>
  touch(id: string, session: object, callback: ((error?: unknown) => void) | undefined): void
  touch(id: string, session: object, callback?: StoreCallback): unknown {
    return answer(this.#origin.sessions, this.#touch(id, session), callback)
  }

  /**
   * Ends a session, for every request and server. Ending what is not there is fine.
   *
   * @throws `STORE_UNAVAILABLE`, `OUTCOME_UNKNOWN`.
   */
  destroy(id: string): Promise<void>
  destroy(id: string, callback: ((error?: unknown) => void) | undefined): void
  destroy(id: string, callback?: StoreCallback): unknown {
    return answer(this.#origin.sessions, this.#destroy(id), callback)
  }

  /** For express-session: the session of a request, made from what `get` gave. */
  override createSession<T>(req: object, data: object): T {
    const session = super.createSession<object>(req, data)
    const copy = this.#copies.get(data)
    if (copy !== undefined) {
      copy.keepOnly(new Set(Object.keys(session).map(fieldName)))
      this.#copies.set(session, copy)
    }
    return session as T
  }

  /** An id whose server is down would make a visitor wait for it. express-session is asked for another one. */
  readonly #beginSession = (req: Request): void => {
    this.#generate(req)
    for (let asked = 1; asked < mostIds && !canCreateWithExternalId(this.#origin.sessions, req.sessionID); asked++)
      this.#generate(req)
    this.#copies.set(req.session, new SessionCopy(this.#origin, req.sessionID))
  }

  async #get(id: string): Promise<object | null> {
    const copy = await this.#load(id)
    if (copy === undefined) return null
    const data = dataOf(copy.fields, Date.now())
    this.#copies.set(data, copy)
    return data
  }

  async #set(id: string, session: object): Promise<void> {
    assertSession(session)
    const fields = fieldsOf(session)
    const copy = this.#copies.get(session)
    if (copy === undefined) return this.#put(id, fields)
    if (copy.isNew && !isSessionOfItsRequest(session)) return
    await copy.save(fields)
  }

  /** What this store has not handed out stands for the session as a whole. Calls for one id go one after the other. */
  #put(id: string, fields: JsonFields): Promise<void> {
    const { beginnings: newIds } = this.#origin
    const putting = newIds.settled(id).then(() => this.#replaceOrBegin(id, fields))
    newIds.add(id, putting)
    return putting
  }

  async #replaceOrBegin(id: string, fields: JsonFields): Promise<void> {
    const copy = await this.#load(id)
    if (copy !== undefined) return copy.save(fields)
    if (this.#creates === 'own') throw unknownId()
    const begun = await begin(this.#origin, id, fields)
    // Another process was faster.
    if (begun === null) await (await this.#load(id))?.save(fields)
  }

  async #touch(id: string, session: { readonly cookie?: unknown }): Promise<void> {
    assertSession(session)
    const cookie = session.cookie === undefined ? undefined : cookieJson(session.cookie)
    const copy = this.#copies.get(session) ?? (await this.#load(id))
    await copy?.touch(cookie)
  }

  async #destroy(id: string): Promise<void> {
    if (id === noId) return
    const { sessions, beginnings: newIds } = this.#origin
    // What is to be ended may be on its way.
    await newIds.settled(id)
    await this.#move?.end(id)
    await sessions.revoke(parseToken(tokenOfExternalId(sessions, id))?.sid as string)
  }

  async #load(id: string): Promise<SessionCopy | undefined> {
    if (id === noId) return undefined
    return (await SessionCopy.load(this.#origin, id)) ?? this.#move?.bring(id)
  }
}

/** What express-session's `generate` fills in. */
interface Request {
  sessionID: string
  session: object
}

/** What some cookies hold. No session has it. */
const noId = ''

/** With one of two servers down, one visitor in a million is told of it. */
const mostIds = 20

function assertSession(session: unknown): void {
  if (typeof session !== 'object' || session === null) throw new BadArgumentError('A session must be an object')
}

/** A session that was destroyed or replaced before it was ever stored is not stored any more. */
function isSessionOfItsRequest(session: { readonly req?: { readonly session?: object } }): boolean {
  return session.req?.session === session
}

type StoreCallback<T = void> = (error: unknown, result?: T) => void

/** Calls back or, without a callback, gives a promise. Whatever else stands in the callback's place (a lifetime, in Koa) is none. */
function answer<T>(sessions: object, work: Promise<T>, callback: StoreCallback<T> | undefined): Promise<T> | undefined {
  const done = work.catch((error) => {
    if (isStoreFailure(error)) outagesOf(sessions).failed(error)
    throw withHttpStatus(error)
  })
  if (typeof callback !== 'function') {
    // `req.session.destroy()` waits for nothing, and a failure that nobody waits for would end the process.
    done.catch(ignore)
    return done
  }
  // Calls back outside of the promise: what the callback throws is not its rejection.
  callbackify(() => done)(callback)
  return undefined
}

function unknownId(): BadArgumentError {
  return new BadArgumentError(
    "There is no session with this id, and only a request of express-session can begin one. For callers with ids of their own, use { creates: 'any' }",
  )
}

function mergesOf(merge: object): Map<string, Merge> {
  const given = Object.entries(merge).filter(([, each]) => each !== undefined)
  return new Map(given.map(([name, each]) => [fieldName(name), checkedMerge(name, each)]))
}

function checkedMerge(name: string, merge: unknown): Merge {
  if (typeof merge !== 'function') throw new BadConfigError(`merge.${name} must be a function: (base, mine, stored) => value`)
  if (fieldName(name) === name) return merge as Merge
  // Such a field keeps its name beside its value.
  const valueIn = (pair: unknown) => (pair as [string, unknown] | undefined)?.[1]
  return (base, mine, stored) => [name, merge(valueIn(base), valueIn(mine), valueIn(stored))]
}

function assertOptions({ creates, ...options }: { readonly creates?: unknown; readonly user?: unknown }): void {
  const unknown = Object.keys(options).find((name) => name !== 'merge' && name !== 'readThrough' && name !== 'user')
  if (unknown !== undefined)
    throw new BadConfigError(`Store has no option '${unknown}'; it has merge, user, readThrough and creates`)
  const { user } = options
  if (user !== undefined && typeof user !== 'function') throw new BadConfigError('user must be a function: (data) => id')
  if (creates !== undefined && creates !== 'own' && creates !== 'any') throw new BadConfigError("creates must be 'own' or 'any'")
}

function assertCookieField({ sessions }: SessionSource): void {
  try {
    valueOfJson(sessions, 'cookie', plainCookie)
  } catch (error) {
    throw new BadConfigError(
      'express-session keeps its cookie in the session: add a field to the schema, such as cookie: z.json(), or .catchall(z.json()) for everything that the app may set',
      { cause: error },
    )
  }
}

function ignore(): void {}
