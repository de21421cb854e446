import { setTimeout as sleep } from 'node:timers/promises'
import { BadArgumentError, BadConfigError, isFieldwiseError, type Session, type Sessions, StoreUnavailableError } from 'fieldwise'
import { bindUser, createWithExternalId, keepFor, storedJson, tokenOfExternalId, valueOfJson } from 'fieldwise/adapter'
import { isStoreFailure } from '../adapter/store-failure.js'
import { dataOf, idleOf, type JsonFields, plainCookie } from './data.js'
import type { NewIds } from './new-ids.js'

/** What all copies of one store share. Which fields there are is known at run time only. */
export interface SessionSource {
  readonly sessions: Sessions<Record<string, unknown>>
  /** By the names of fields. */
  readonly merges: ReadonlyMap<string, Merge>
  readonly beginnings: NewIds
  /** Whose session it is, by what the app has put into it. */
  readonly userOf: ((data: Readonly<Record<string, unknown>>) => string | undefined) | undefined
}

/** What to store when a field was changed here (`mine`, from `base`) and in the store meanwhile. */
export type Merge = (base: unknown, mine: unknown, stored: unknown) => unknown

type SourceSession = Session<Record<string, unknown>>

/**
 * One request's copy of a session, which express-session loads and saves as a whole. It remembers what it last agreed on with the store, so that
 * a save writes what this request has changed, and nothing else.
 */
export class SessionCopy {
  readonly #origin: SessionSource
  readonly #id: string
  /** Undefined while nothing is stored. */
  #session: SourceSession | undefined
  #agreed: Map<string, string>
  #usedAt = performance.now()
  #isOver = false
  /** Why this session could not be created: it is not tried again under the same id (E2). */
  #failure: unknown
  #queue: Promise<unknown> = Promise.resolve()

  constructor(origin: SessionSource, id: string, fields: JsonFields = new Map(), session?: SourceSession) {
    this.#origin = origin
    this.#id = id
    this.#session = session
    this.#agreed = new Map(fields)
  }

  /**
   * A copy of the session of `id`; undefined where there is none. One that another request is making at this moment is waited for: it is
   * there as a whole or not at all.
   */
  static async load(origin: SessionSource, id: string): Promise<SessionCopy | undefined> {
    for (const pause of pauses) {
      const copy = await SessionCopy.#read(origin, id)
      if (copy === undefined || copy.fields.has('cookie')) return copy
      await sleep(pause)
    }
    return undefined
  }

  static async #read(origin: SessionSource, id: string): Promise<SessionCopy | undefined> {
    const { sessions } = origin
    const session = sessions.resume(tokenOfExternalId(sessions, id))
    try {
      const fields = await storedJson(session)
      return session.state === 'stored' ? new SessionCopy(origin, id, fields, session) : undefined
    } catch (error) {
      if (isFieldwiseError(error, 'SESSION_GONE')) return undefined
      throw error
    }
  }

  get isNew(): boolean {
    return this.#session === undefined
  }

  get fields(): JsonFields {
    return this.#agreed
  }

  /** Forgets the fields that did not reach the app, so that nobody takes their absence for a deletion. */
  keepOnly(fields: ReadonlySet<string>): void {
    this.#agreed = new Map([...this.#agreed].filter(([field]) => fields.has(field)))
  }

  /** Writes what has changed. Saves of one copy go one after the other, each against what the one before it left. */
  save(fields: JsonFields): Promise<void> {
    const saving = this.#next(() => this.#save(fields))
    if (this.isNew) this.#origin.beginnings.add(this.#id, saving)
    return saving
  }

  /** The session was used; of the fields the cookie alone may have changed. */
  touch(cookie: string | undefined): Promise<void> {
    return this.#next(async () => {
      if (!this.isNew) await this.#save(new Map(this.#agreed).set('cookie', cookie ?? this.#cookie))
    })
  }

  get #cookie(): string {
    return this.#agreed.get('cookie') ?? plainCookie
  }

  /** What somebody else than express-session hands in may have none. */
  #withCookie(fields: JsonFields): JsonFields {
    return fields.has('cookie') ? fields : new Map(fields).set('cookie', this.#cookie)
  }

  #next(work: () => Promise<void>): Promise<void> {
    const done = this.#queue.then(work)
    this.#queue = done.catch(() => {})
    return done
  }

  async #save(fields: JsonFields): Promise<void> {
    if (this.#isOver) return
    try {
      if (this.#session === undefined) await this.#begin(fields)
      else await this.#update(this.#session, this.#withCookie(fields))
    } catch (error) {
      // The session ended while this request was at work: what it writes ends with it, as if it had come just before (E1).
      if (!isFieldwiseError(error, 'SESSION_GONE')) throw error
      this.#isOver = true
    }
  }

  /** Only here is a session ever created, under an id that this process has just made, and once (E2). */
  async #begin(fields: JsonFields): Promise<void> {
    if (this.#failure !== undefined) throw notTriedAgain(this.#failure)
    try {
      this.#session = (await begin(this.#origin, this.#id, fields)) ?? idTwice()
      this.#agreed = new Map(fields)
    } catch (error) {
      if (!isFieldwiseError(error, 'FIELD_INVALID')) this.#failure = error
      throw error
    }
  }

  async #update(session: SourceSession, fields: JsonFields): Promise<void> {
    await keepFor(session, idleOf(fields)).catch(refuseLifetime)
    await this.#bind(session, fields)
    await this.#write(session, fields)
    await this.#use(session)
  }

  /** Before anything is written that is meant for the user alone. */
  async #bind(session: SourceSession, fields: JsonFields): Promise<void> {
    const user = userOf(this.#origin, fields)
    if (user !== undefined) await bindUser(session, user)
  }

  async #write(session: SourceSession, fields: JsonFields): Promise<void> {
    const changed = [...fields].filter(([field, json]) => this.#agreed.get(field) !== json).map(([field]) => field)
    const deleted = [...this.#agreed.keys()].filter((field) => !fields.has(field))
    // All begin in the same tick, so that they leave together.
    const writes = [...changed, ...deleted].map((field) => this.#writeField(session, field, fields.get(field)))
    const failures = (await Promise.all(writes)).filter((error) => error !== undefined)
    if (failures.length > 0) throw failures.find((error) => isFieldwiseError(error, 'SESSION_GONE')) ?? failures[0]
  }

  /** Resolves with what went wrong. */
  async #writeField(session: SourceSession, field: string, json: string | undefined): Promise<unknown> {
    try {
      if (json === undefined) await session.delete(field)
      else await this.#store(session, field, json)
      this.#agree(field, json)
      return undefined
    } catch (error) {
      // It may be stored. To merge it once more could count it twice.
      if (isFieldwiseError(error, 'OUTCOME_UNKNOWN')) this.#agree(field, json)
      return error
    }
  }

  async #store(session: SourceSession, field: string, json: string): Promise<void> {
    const { sessions, merges } = this.#origin
    const merge = merges.get(field)
    if (merge === undefined) return session.set(field, valueOfJson(sessions, field, json))
    const base = this.#agreed.get(field)
    const decoded = (text: string) => valueOfJson(sessions, field, text)
    await session.update(field, (stored) => {
      const merged = merge(base === undefined ? undefined : decoded(base), decoded(json), stored)
      if (merged === undefined)
        throw new BadArgumentError(`The merge function of '${field}' returned nothing; it must return the value to store`)
      return merged
    })
  }

  #agree(field: string, json: string | undefined): void {
    if (json === undefined) this.#agreed.delete(field)
    else this.#agreed.set(field, json)
    this.#usedAt = performance.now()
  }

  /** Loading a session renews it, and so does writing. Only what goes on for long, such as a socket, has to use it again. */
  async #use(session: SourceSession): Promise<void> {
    if (performance.now() - this.#usedAt < fresh) return
    await session.getMany([])
    this.#usedAt = performance.now()
  }
}

/** In milliseconds. Every session lives two seconds longer than it has to. */
const fresh = 1_000

/** In milliseconds. */
const pauses = [5, 20, 80, 320, 0]

/**
 * Stores a new session; null where there is one of this id. Nothing is sent before all of its fields have been checked. The cookie, which
 * every session has, is stored last and tells that it is complete.
 */
export async function begin(origin: SessionSource, id: string, fields: JsonFields): Promise<SourceSession | null> {
  const { sessions } = origin
  const { cookie, ...values } = valuesOf(origin, new Map([['cookie', plainCookie], ...fields]))
  const options = { ...lifetimeOf(fields), user: userOf(origin, fields) }
  const session = await createWithExternalId(sessions, id, values, options).catch(refuseLifetime)
  if (session === null) return null
  try {
    await session.set({ cookie })
  } catch (error) {
    await session.destroy().catch(() => {})
    throw error
  }
  return session
}

/** The values that fields stand for. @throws `FIELD_INVALID` */
export function valuesOf({ sessions }: SessionSource, fields: JsonFields): Record<string, unknown> {
  return Object.fromEntries(Array.from(fields, ([field, json]) => [field, valueOfJson(sessions, field, json)]))
}

function userOf({ userOf }: SessionSource, fields: JsonFields): string | undefined {
  return userOf?.(dataOf(fields, Date.now()))
}

function lifetimeOf(fields: JsonFields) {
  const idle = idleOf(fields)
  return idle === undefined ? {} : { lifetime: { idle } }
}

function idTwice(): never {
  throw new BadConfigError(
    'genid returned the id of an existing session: it must return a new id each time, one that nobody can guess',
  )
}

/** An error of its own for each save, since adapters and apps write onto the errors that they get. */
function notTriedAgain(failure: unknown): Error {
  const message =
    'This session could not be stored, and is not tried again under its id; req.session.regenerate begins one under a new id'
  return isStoreFailure(failure) ? new StoreUnavailableError(message, failure) : new BadArgumentError(message, { cause: failure })
}

function refuseLifetime(error: unknown): never {
  if (!isFieldwiseError(error, 'BAD_CONFIG')) throw error
  throw new BadConfigError(
    "The cookie's maxAge is longer than lifetime.absolute: raise that option of createSessions, or shorten maxAge",
    { cause: error },
  )
}
