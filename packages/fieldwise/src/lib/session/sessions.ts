import type * as z from 'zod'
import { BadArgumentError, BadConfigError, ClosedError, isFieldwiseError } from '../api/errors.js'
import type { OperationName } from '../api/events.js'
import type { Defaulted, Fields } from '../api/fields.js'
import { assertOptions } from '../api/options.js'
import type { CreateOptions, OperationOptions, Session, StoredSession } from '../api/session.js'
import { fromCaller } from '../api/stack.js'
import type { SessionsStats } from '../api/stats.js'
import type { Store } from '../api/store.js'
import type { TokenSink } from '../api/token-sink.js'
import { type Call, type Operation, performAsync } from '../engine/call.js'
import { type Context, readDeadline, writeDeadline } from '../engine/context.js'
import { createEngine, type Engine } from '../engine/engine.js'
import { Telemetry } from '../engine/telemetry.js'
import { currentEnvironment, type Environment } from '../environment/environment.js'
import { Keys } from '../format/keys.js'
import { createSealer, noSealing } from '../format/sealing.js'
import { formatToken, isSid, parseToken, type Token } from '../format/token.js'
import { WriteIds } from '../format/write-ids.js'
import { memoryStore } from '../memory/memory-store.js'
import { compileSchema } from '../schema/schema.js'
import { isHomeUp, tokenOfId } from './external-id.js'
import { entriesOf, SessionFacade } from './facade.js'
import { RequestSession } from './request-session.js'
import { parseSettings, parseTerms, type SessionsOptions } from './settings.js'

/** For `open`. */
export interface OpenOptions<F extends object> extends OperationOptions {
  /** Fields to read in the same round trip; the first `get` of each is then served without another. */
  readonly preload?: readonly (keyof F & string)[] | undefined
}

/** For `check`. */
export interface CheckOptions {
  /**
   * Whether all servers have to answer, or one that takes new sessions is enough. Default `'all'`. Take `'one'` for the readiness of a web
   * server: while one of several memcached servers is down, new sessions go to the others, and no web server is better off than another.
   */
  readonly least?: 'all' | 'one' | undefined
}

/** All sessions of one application. Made by {@link createSessions}. */
export interface Sessions<F extends object, D extends keyof F = never> extends AsyncDisposable {
  /**
   * Stores a new session.
   *
   * @throws `FIELD_INVALID`, `VALUE_TOO_LARGE`, `STORE_UNAVAILABLE`; nothing that anybody could open is stored then.
   */
  create(values?: Partial<F>, options?: CreateOptions): Promise<StoredSession<F, D>>

  /**
   * Opens the session of a token. `null` where there is none: the token is unknown, expired, ended, superseded, forged or malformed; what is
   * not even a token costs no request to the store.
   *
   * @throws `STORE_UNAVAILABLE`: an outage is never taken for "no session".
   */
  open(token: string, options?: OpenOptions<F>): Promise<StoredSession<F, D> | null>

  /**
   * The session of a token, or a new one, without any input or output yet. The first read opens it in its own round trip. A token that
   * opens nothing makes it a new session, under an id of its own; a new session is stored by its first write.
   */
  resume(token?: string): Session<F, D>

  /** Ends a session by its id, without its token: for "log out everywhere". Ending what is not there is fine. */
  revoke(sid: string, options?: OperationOptions): Promise<void>

  /**
   * Resolves when every server answers, or with `least: 'one'` when a new session could be stored on one of them.
   *
   * @throws `STORE_UNAVAILABLE` naming those that do not answer.
   *
   * @example
   * await sessions.check({ least: 'one' })
   */
  check(options?: CheckOptions): Promise<void>

  /**
   * What has been done since the beginning, and how long it took. What happens to single sessions is told on channels of
   * `node:diagnostics_channel`: see `FieldwiseEvents`.
   *
   * @example
   * const { operations, conflicts, latency } = sessions.stats()
   */
  stats(): SessionsStats

  /** Refuses new calls (`CLOSED`), waits for those under way, and closes the store when no other `createSessions` uses it. */
  close(): Promise<void>
}

/** The type of the sessions that a `createSessions` makes: `type MySession = SessionOf<typeof sessions>`. */
export type SessionOf<T> = T extends Sessions<infer F, infer D> ? Session<F, D> : never

/**
 * Sessions of one schema in one store.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for options that contradict each other and for a schema that JSON cannot carry.
 *
 * @example
 * const sessions = createSessions({
 *   schema: z.object({ username: z.string(), visits: z.int().default(0) }),
 *   lifetime: { idle: '30m', absolute: '12h' },
 * })
 * const session = await sessions.create({ username: 'ada' })
 * await session.increment('visits') // 1
 */
export function createSessions<S extends z.ZodObject>(
  options: SessionsOptions<S>,
  // Written out here, so that editors and errors show plain value types and nothing of zod's.
): Sessions<{ [K in keyof Fields<S>]: Fields<S>[K] }, { [K in Defaulted<S>]: K }[Defaulted<S>]> {
  return fromCaller(createSessions, () => createSessionsOn(currentEnvironment(), options))
}

/**
 * {@link createSessions} with the sources of time and chance given.
 *
 * @internal
 */
export function createSessionsOn<S extends z.ZodObject>(
  environment: Environment,
  options: SessionsOptions<S>,
): ReturnType<typeof createSessions<S>> {
  return new SessionsFacade(createEngine(createCore(environment, options))) as unknown as ReturnType<typeof createSessions<S>>
}

/** The session of one request, for adapters: of several tokens the one that opens a session counts, if exactly one does. No I/O. */
export function resumeFor<F extends object, D extends keyof F>(
  sessions: Sessions<F, D>,
  tokens: readonly string[],
  host: TokenSink,
): Session<F, D> {
  return fromCaller(resumeFor, () => facadeOf(sessions).resumeAny(tokens, host)) as unknown as Session<F, D>
}

/**
 * The token of the session that is kept under an id of the caller's own, such as the one that another library puts into its cookie. Whoever
 * has the id has the session, so ids must be as hard to guess as a token. What is stored leads back to neither.
 *
 * With several memcached servers a session is found by its id alone, so its server follows from the id and the list of servers: one
 * more server takes over its share of the ids, and the sessions under those are not found any more.
 *
 * @throws `BAD_ARGUMENT` for an id that is not a string, or is empty.
 *
 * @example
 * const session = sessions.resume(tokenOfExternalId(sessions, 'an id of your own'))
 */
export function tokenOfExternalId<F extends object, D extends keyof F>(sessions: Sessions<F, D>, id: string): string {
  return fromCaller(tokenOfExternalId, () => facadeOf(sessions).tokenOfExternalId(id))
}

/**
 * Stores a new session under an id of the caller's own; `null` where a session has it already, which is left as it is. Call it once
 * for each id, whatever the outcome: a packet of a call that failed may still arrive, and what was ended could come to life again.
 *
 * @throws `FIELD_INVALID`, `VALUE_TOO_LARGE`, `STORE_UNAVAILABLE`.
 *
 * @example
 * const session = await createWithExternalId(sessions, 'an id of your own', { username: 'ada' })
 */
export function createWithExternalId<F extends object, D extends keyof F>(
  sessions: Sessions<F, D>,
  id: string,
  values: Partial<F> = {},
  options: CreateOptions = {},
): Promise<StoredSession<F, D> | null> {
  return facadeOf(sessions).createWithExternalId(id, values as Record<string, unknown>, options) as Promise<StoredSession<
    F,
    D
  > | null>
}

/** Whether a session could be created under this id now: nothing is known against the server that would hold it. No I/O. */
export function canCreateWithExternalId<F extends object, D extends keyof F>(sessions: Sessions<F, D>, id: string): boolean {
  return fromCaller(canCreateWithExternalId, () => facadeOf(sessions).canCreateWithExternalId(id))
}

/**
 * The value of a field that a piece of JSON text stands for, as it would be if that were stored.
 *
 * @throws `FIELD_INVALID`; `BAD_ARGUMENT` for a name that is not a field.
 */
export function valueOfJson<F extends object, D extends keyof F, K extends keyof F & string>(
  sessions: Sessions<F, D>,
  name: K,
  json: string,
): F[K] {
  return fromCaller(valueOfJson, () => facadeOf(sessions).valueOfJson(name, json)) as F[K]
}

/** Known to every copy of this package in one program, as bundlers make them: what is called is the object's own. */
const brand = Symbol.for('fieldwise.sessions')

class SessionsFacade {
  readonly #engine: Engine
  #closing: Promise<void> | undefined

  constructor(engine: Engine) {
    this.#engine = engine
  }

  get [brand](): true {
    return true
  }

  create(values: Record<string, unknown> = {}, options: CreateOptions = {}): Promise<SessionFacade> {
    const session = new RequestSession(this.#engine, [])
    return this.#performAsync('create', [], options, session, async ({ started }) => {
      const { context } = this.#engine
      const terms = parseTerms(options)
      await session.create(encodeAll(context, values), terms, readDeadline(context, started))
      return new SessionFacade(this.#engine, session)
    })
  }

  open(text: string, options: OpenOptions<Record<string, unknown>> = {}): Promise<SessionFacade | null> {
    const fields = options?.preload ?? []
    const session = new RequestSession(this.#engine, tokensOf([text]))
    return this.#performAsync('open', fields, options, session, async ({ started }) => {
      const { context } = this.#engine
      if (!Array.isArray(fields)) throw new BadArgumentError("preload takes an array of names: { preload: ['username'] }")
      // The array is the caller's, who may change it before it is read.
      const ahead = fields.map((field) => context.schema.field(field).name)
      try {
        const snapshot = await session.reading(ahead, readDeadline(context, started))
        return snapshot ? new SessionFacade(this.#engine, session).preload(ahead, snapshot) : null
      } catch (error) {
        if (isFieldwiseError(error, 'SESSION_GONE')) return null
        throw error
      }
    })
  }

  resume(token?: string): SessionFacade {
    return fromCaller(this.resume, () => this.resumeAny(token === undefined ? [] : [token]))
  }

  resumeAny(tokens: readonly string[], host?: TokenSink): SessionFacade {
    this.#assertOpen()
    return new SessionFacade(this.#engine, new RequestSession(this.#engine, tokensOf(tokens), host))
  }

  tokenOfExternalId(id: string): string {
    return formatToken(tokenOfId(this.#engine.context.store, id))
  }

  createWithExternalId(id: string, values: Record<string, unknown>, options: CreateOptions): Promise<SessionFacade | null> {
    const session = new RequestSession(this.#engine, [])
    return this.#performAsync('create', [], options, session, async ({ started }) => {
      const { context } = this.#engine
      const token = tokenOfId(context.store, id)
      const terms = parseTerms(options)
      const isCreated = await session.createWithToken(token, encodeAll(context, values), terms, readDeadline(context, started))
      return isCreated ? new SessionFacade(this.#engine, session) : null
    })
  }

  canCreateWithExternalId(id: string): boolean {
    return isHomeUp(this.#engine.context.store, id)
  }

  valueOfJson(name: string, json: string): unknown {
    return this.#engine.context.schema.field(name).decode(json)
  }

  revoke(sid: string, options: OperationOptions = {}): Promise<void> {
    return this.#performAsync('revoke', [], options, { sid }, async ({ started }) => {
      if (!isSid(sid)) throw new BadArgumentError('revoke needs the id of a session')
      const { context, headers } = this.#engine
      if (!context.store.holds(sid)) return
      await headers.end(sid, [], writeDeadline(context, started))
      context.telemetry.sessionEnded(sid)
    })
  }

  check(options: CheckOptions = {}): Promise<void> {
    return this.#performAsync('check', [], undefined, nobody, ({ started }) => {
      const { context } = this.#engine
      return context.store.check(readDeadline(context, started), leastOf(options))
    })
  }

  stats(): SessionsStats {
    return this.#engine.context.telemetry.stats()
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { calls: activity, context } = this.#engine
    activity.close()
    await activity.idle()
    if (release(context.store)) await context.store.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #performAsync<T>(
    name: OperationName & keyof SessionsFacade,
    fields: readonly string[],
    options: OperationOptions | undefined,
    subject: Operation['subject'],
    work: (call: Call<T>) => Promise<T>,
  ): Promise<T> {
    return performAsync(this.#engine, { name, fields, subject, entry: this[name] }, options, work)
  }

  #assertOpen(): void {
    if (this.#engine.calls.isClosed) throw new ClosedError('This session store')
  }
}

function facadeOf(sessions: object): SessionsFacade {
  if ((sessions as Partial<SessionsFacade> | undefined)?.[brand]) return sessions as SessionsFacade
  throw new BadArgumentError('This needs what createSessions returned')
}

function createCore(environment: Environment, options: SessionsOptions<z.ZodObject>): Context {
  if (typeof options !== 'object' || options === null) throw new BadConfigError('createSessions needs options with a schema')
  const schema = compileSchema(options.schema)
  const settings = parseSettings(options, schema)
  const prefix = options.prefix ?? ''
  const sealer = options.sealing !== undefined ? createSealer({ ...options.sealing, prefix }, environment) : noSealing
  const store = options.store ?? memoryStore()
  store.start?.({
    clock: options.clock ?? Date,
    running: environment.running,
    sleep: (milliseconds) => environment.sleep(milliseconds, true),
  })
  retain(store)
  const telemetry = new Telemetry(store.name, prefix)
  return { store, environment, schema, sealer, keys: new Keys(prefix), ids: new WriteIds(environment), settings, telemetry }
}

function encodeAll(context: Context, values: Record<string, unknown>): Map<string, string> {
  const encoded = new Map<string, string>()
  for (const [name, value] of entriesOf('create', values)) {
    const field = context.schema.field(name)
    if (value === undefined) throw new BadArgumentError(`Field '${name}' needs a value; leave it out to keep it unset`)
    encoded.set(name, field.encode(value))
  }
  return encoded
}

function tokensOf(texts: readonly string[]): Token[] {
  return texts.map(parseToken).filter((token) => token !== undefined)
}

function leastOf(options: CheckOptions): 'all' | 'one' {
  assertOptions('check', options, ['least'], BadArgumentError)
  const { least = 'all' } = options
  if (least === 'all' || least === 'one') return least
  throw new BadArgumentError("check takes { least: 'one' } or { least: 'all' }")
}

const nobody = { sid: undefined }

/** How many `createSessions` use a store: the last one to close closes it. */
const users = new WeakMap<Store, number>()

function retain(store: Store): void {
  users.set(store, (users.get(store) ?? 0) + 1)
}

function release(store: Store): boolean {
  const left = (users.get(store) ?? 1) - 1
  users.set(store, left)
  return left === 0
}
