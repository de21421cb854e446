import type * as z from 'zod'
import { abortable } from './abort.js'
import { type Core, readDeadline, writeDeadline } from './core.js'
import { createEngine, type Engine } from './engine.js'
import { BadArgumentError, BadConfigError, ClosedError, isFieldwiseError } from './errors.js'
import { entriesOf, SessionFacade } from './facade.js'
import type { Defaulted, Fields } from './fields.js'
import type { SessionHost } from './host.js'
import { Keys } from './keys.js'
import { memoryStore } from './memory-store.js'
import { type Runtime, systemRuntime } from './runtime.js'
import { compileSchema } from './schema.js'
import { createSealer, noSealing } from './sealing.js'
import type { CreateOptions, OperationOptions, Session } from './session.js'
import { parseSettings, parseTerms, type SessionsOptions } from './settings.js'
import type { Store } from './store.js'
import { isSid, parseToken, type Token } from './token.js'
import { Visit } from './visit.js'
import { WriteIds } from './write-ids.js'

/** For `open`. */
export interface OpenOptions<F extends object> extends OperationOptions {
  /** Fields to read in the same round trip; the first `get` of each is then served without another. */
  readonly preload?: readonly (keyof F & string)[]
}

/** All sessions of one application. Made by {@link createSessions}. */
export interface Sessions<F extends object, D extends keyof F = never> extends AsyncDisposable {
  /**
   * Stores a new session.
   *
   * @throws `FIELD_INVALID`, `VALUE_TOO_LARGE`, `STORE_UNAVAILABLE`; nothing that anybody could open is stored then.
   */
  create(values?: Partial<F>, options?: CreateOptions): Promise<Session<F, D>>

  /**
   * Opens the session of a token. `null` where there is none: the token is unknown, expired, ended, superseded, forged or malformed; what is
   * not even a token costs no request to the store.
   *
   * @throws `STORE_UNAVAILABLE`: an outage is never taken for "no session".
   */
  open(token: string, options?: OpenOptions<F>): Promise<Session<F, D> | null>

  /**
   * The session of a token, or a new one, without any input or output yet. The first read opens it in its own round trip. A token that
   * opens nothing makes it a new session, under an id of its own; a new session is stored by its first write.
   */
  resume(token?: string): Session<F, D>

  /** Ends a session by its id, without its token: for "log out everywhere". Ending what is not there is fine. */
  revoke(sid: string, options?: OperationOptions): Promise<void>

  /** Resolves when every server answers. @throws `STORE_UNAVAILABLE` naming those that do not. */
  check(): Promise<void>

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
export function createSessions<S extends z.ZodObject>(options: SessionsOptions<S>): Sessions<Fields<S>, Defaulted<S>> {
  return createSessionsOn(systemRuntime, options)
}

/** {@link createSessions} with the sources of time and chance given. */
export function createSessionsOn<S extends z.ZodObject>(
  runtime: Runtime,
  options: SessionsOptions<S>,
): Sessions<Fields<S>, Defaulted<S>> {
  return new SessionsFacade(createEngine(createCore(runtime, options))) as unknown as Sessions<Fields<S>, Defaulted<S>>
}

/** The session of one request, for adapters: of several tokens the one that opens a session counts, if exactly one does. No I/O. */
export function resumeFor<F extends object, D extends keyof F>(
  sessions: Sessions<F, D>,
  tokens: readonly string[],
  host: SessionHost,
): Session<F, D> {
  if (!(sessions instanceof SessionsFacade)) throw new BadArgumentError('This needs what createSessions returned')
  return sessions.resumeAny(tokens, host) as unknown as Session<F, D>
}

class SessionsFacade {
  readonly #engine: Engine
  #closing: Promise<void> | undefined

  constructor(engine: Engine) {
    this.#engine = engine
  }

  async create(values: Record<string, unknown> = {}, options: CreateOptions = {}): Promise<SessionFacade> {
    return this.#run(options, async () => {
      const { core } = this.#engine
      const terms = parseTerms('create', options)
      const visit = new Visit(this.#engine, [])
      await visit.create(encodeAll(core, values), terms, readDeadline(core))
      return new SessionFacade(this.#engine, visit)
    })
  }

  async open(text: string, options: OpenOptions<Record<string, unknown>> = {}): Promise<SessionFacade | null> {
    return this.#run(options, async () => {
      const { core } = this.#engine
      const fields = options.preload ?? []
      if (!Array.isArray(fields)) throw new BadArgumentError("preload takes an array of names: { preload: ['username'] }")
      for (const field of fields) core.schema.field(field)
      const visit = new Visit(this.#engine, tokensOf([text]))
      try {
        const reading = await visit.read(fields, readDeadline(core))
        return reading ? new SessionFacade(this.#engine, visit).preload(fields, reading) : null
      } catch (error) {
        if (isFieldwiseError(error, 'SESSION_GONE')) return null
        throw error
      }
    })
  }

  resume(token?: string): SessionFacade {
    return this.resumeAny(token === undefined ? [] : [token])
  }

  resumeAny(tokens: readonly string[], host?: SessionHost): SessionFacade {
    this.#assertOpen()
    return new SessionFacade(this.#engine, new Visit(this.#engine, tokensOf(tokens), host))
  }

  async revoke(sid: string, options: OperationOptions = {}): Promise<void> {
    return this.#run(options, async () => {
      if (!isSid(sid)) throw new BadArgumentError('revoke needs the id of a session')
      const { core, headers } = this.#engine
      if (!core.store.holds(sid)) return
      await headers.end(sid, [], writeDeadline(core))
    })
  }

  async check(): Promise<void> {
    return this.#run({}, () => this.#engine.core.store.check(readDeadline(this.#engine.core)))
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    const { activity, core } = this.#engine
    activity.close()
    await activity.idle()
    if (release(core.store)) await core.store.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #run<T>(options: OperationOptions, work: () => Promise<T>): Promise<T> {
    this.#assertOpen()
    options?.signal?.throwIfAborted()
    const done = this.#engine.activity.begin()
    try {
      return await abortable(work(), options?.signal)
    } finally {
      done()
    }
  }

  #assertOpen(): void {
    if (this.#engine.activity.isClosed) throw new ClosedError('This session store')
  }
}

function createCore(runtime: Runtime, options: SessionsOptions<z.ZodObject>): Core {
  if (typeof options !== 'object' || options === null) throw new BadConfigError('createSessions needs options with a schema')
  const schema = compileSchema(options.schema)
  const settings = parseSettings(options, schema)
  const prefix = options.prefix ?? ''
  const sealer = options.sealing ? createSealer({ ...options.sealing, prefix }, runtime) : noSealing
  const store = options.store ?? memoryStore()
  store.start?.({ clock: options.clock ?? Date, monotonic: runtime.monotonic })
  retain(store)
  return { store, runtime, schema, sealer, keys: new Keys(prefix), ids: new WriteIds(runtime), settings }
}

function encodeAll(core: Core, values: Record<string, unknown>): Map<string, string> {
  const encoded = new Map<string, string>()
  for (const [name, value] of entriesOf('create', values)) {
    const field = core.schema.field(name)
    if (value === undefined) throw new BadArgumentError(`Field '${name}' needs a value; leave it out to keep it unset`)
    encoded.set(name, field.encode(value))
  }
  return encoded
}

function tokensOf(texts: readonly string[]): Token[] {
  return texts.map(parseToken).filter((token) => token !== undefined)
}

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
