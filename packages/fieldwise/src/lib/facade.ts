import { inspect } from 'node:util'
import { abortable } from './abort.js'
import { readDeadline, writeDeadline } from './core.js'
import type { Duration } from './duration.js'
import { Edit } from './edit.js'
import type { Engine } from './engine.js'
import { BadArgumentError, ClosedError } from './errors.js'
import type { Reading } from './reader.js'
import type { CompiledField } from './schema.js'
import type { OperationOptions, RegenerateOptions, Session } from './session.js'
import { parseTerms } from './settings.js'
import type { SessionState, Visit } from './visit.js'

/**
 * The implementation of `Session`, which gives the types: names and values are checked here at run time.
 *
 * @internal
 */
export class SessionFacade {
  readonly #engine: Engine
  readonly #visit: Visit
  /** What `open` has read ahead; the first read of each field, if it is a `get`, is served from it. */
  readonly #preloaded = new Map<string, Reading>()

  constructor(engine: Engine, visit: Visit) {
    this.#engine = engine
    this.#visit = visit
  }

  preload(fields: readonly string[], reading: Reading): this {
    for (const field of fields) this.#preloaded.set(field, reading)
    return this
  }

  get state(): SessionState {
    return this.#visit.state
  }

  get id(): string | undefined {
    return this.#visit.sid
  }

  get token(): string | undefined {
    return this.#visit.token
  }

  get createdAt(): Date | undefined {
    return this.#visit.createdAt
  }

  get expiresAt(): Date | undefined {
    return this.#visit.expiresAt
  }

  get(name: string, options?: OperationOptions): Promise<unknown> {
    return this.#run(options, async () => {
      const field = this.#field(name)
      const reading = this.#unload(name) ?? (await this.#visit.read([name], readDeadline(this.#engine.core)))
      return readAs(field, reading && this.#engine.reader.json(reading, name))
    })
  }

  getMany(names: readonly string[], options?: OperationOptions): Promise<Record<string, unknown>> {
    return this.#run(options, async () => {
      if (!Array.isArray(names)) throw new BadArgumentError("getMany takes an array of names: getMany(['username'])")
      const fields = names.map((name) => this.#field(name))
      return collect(fields, await this.#read(names))
    })
  }

  getAll(options?: OperationOptions): Promise<Record<string, unknown>> {
    return this.#run(options, async () => {
      const { schema } = this.#engine.core
      const stored = await this.#readStored()
      const names = new Set([...schema.names, ...stored.keys()])
      return collect(
        Array.from(names, (name) => schema.field(name)),
        stored,
      )
    })
  }

  /** The JSON of every field that is stored. */
  storedJson(options?: OperationOptions): Promise<ReadonlyMap<string, string>> {
    return this.#run(options, () => this.#readStored())
  }

  /** How long this session lives unused from now on; in milliseconds, undefined is the default. */
  keepFor(idle: number | undefined, options?: OperationOptions): Promise<void> {
    const { core } = this.#engine
    return this.#run(options, () => this.#visit.keepFor(idle ?? core.settings.lifetime.idle, writeDeadline(core)))
  }

  has(name: string, options?: OperationOptions): Promise<boolean> {
    return this.#run(options, async () => {
      this.#field(name)
      return (await this.#read([name])).get(name) !== undefined
    })
  }

  set(nameOrValues: unknown, valueOrOptions?: unknown, options?: OperationOptions): Promise<void> {
    if (typeof nameOrValues !== 'object' || nameOrValues === null) {
      return this.#run(options, () => this.#set([[nameOrValues, valueOrOptions]], options))
    }
    const several = valueOrOptions as OperationOptions | undefined
    return this.#run(several, async () => this.#set(entriesOf('set', nameOrValues), several))
  }

  update(name: string, change: (value: unknown) => unknown, options?: OperationOptions): Promise<unknown> {
    return this.#run(options, async () => {
      const field = this.#field(name)
      if (typeof change !== 'function') throw new BadArgumentError(`update('${field.name}') needs a function`)
      return this.#update(field, change, options)
    })
  }

  increment(name: string, by = 1, options?: OperationOptions): Promise<number> {
    return this.#run(options, async () => {
      const field = this.#field(name)
      if (!field.numeric) throw new BadArgumentError(`Field '${field.name}' does not hold a number`)
      if (typeof by !== 'number' || !Number.isFinite(by)) throw new BadArgumentError('increment adds a finite number')
      return (await this.#update(field, (value) => ((value as number | undefined) ?? 0) + by, options)) as number
    })
  }

  take(name: string, options?: OperationOptions): Promise<unknown> {
    return this.#run(options, async () => {
      const field = this.#field(name)
      let taken: unknown
      const remove = (json: string | undefined) => {
        taken = json === undefined ? undefined : field.decode(json)
        return undefined
      }
      await this.#write([this.#edit(field, false, remove)], options)
      return taken
    })
  }

  delete(name: string, options?: OperationOptions): Promise<void> {
    return this.#run(options, async () => {
      await this.#write([this.#edit(this.#field(name), true, () => undefined)], options)
    })
  }

  regenerate(options: RegenerateOptions = {}): Promise<void> {
    return this.#run(options, async () => {
      await this.#visit.regenerate(parseTerms('regenerate', options), writeDeadline(this.#engine.core))
    })
  }

  destroy(options?: OperationOptions): Promise<void> {
    return this.#run(options, () => this.#visit.destroy(writeDeadline(this.#engine.core)))
  }

  /** What logs and inspectors get: no secret, no token, no value. */
  toJSON(): { readonly id: string | undefined; readonly state: SessionState } {
    return { id: this.id, state: this.state }
  }

  [inspect.custom](): string {
    return `Session { id: ${this.id === undefined ? 'undefined' : `'${this.id}'`}, state: '${this.state}' }`
  }

  /** Runs one operation: counted, so that `close` waits for it, and given up when its signal says so. */
  async #run<T>(options: OperationOptions | undefined, work: () => Promise<T>): Promise<T> {
    const { activity } = this.#engine
    if (activity.isClosed) throw new ClosedError('The session store of this session')
    options?.signal?.throwIfAborted()
    const done = activity.begin()
    try {
      return await abortable(work(), options?.signal)
    } finally {
      done()
    }
  }

  #field(name: unknown): CompiledField {
    return this.#engine.core.schema.field(name as string)
  }

  async #read(names: readonly string[]): Promise<Map<string, string | undefined>> {
    for (const name of names) this.#preloaded.delete(name)
    const reading = await this.#visit.read(names, readDeadline(this.#engine.core))
    return new Map(names.map((name) => [name, reading && this.#engine.reader.json(reading, name)]))
  }

  /** Fields of a catchall are known by the manifest alone, so they are read when the header was seen. */
  async #readStored(): Promise<Map<string, string>> {
    const { names, open } = this.#engine.core.schema
    const values = await this.#read(names)
    const others = open ? this.#visit.listed.filter((name) => !names.includes(name)) : []
    if (others.length > 0) for (const [name, json] of await this.#read(others)) values.set(name, json)
    return new Map([...values].filter((entry): entry is [string, string] => entry[1] !== undefined))
  }

  #unload(name: string): Reading | undefined {
    const reading = this.#preloaded.get(name)
    if (reading === undefined) return undefined
    this.#preloaded.delete(name)
    return this.state === 'stored' ? reading : undefined
  }

  async #set(values: readonly (readonly [unknown, unknown])[], options: OperationOptions | undefined): Promise<void> {
    const edits = values.map(([name, value]) => {
      const field = this.#field(name)
      if (value === undefined)
        throw new BadArgumentError(`set('${field.name}') needs a value; delete('${field.name}') removes one`)
      const json = field.encode(value)
      return this.#edit(field, true, () => json)
    })
    if (edits.length > 0) await this.#write(edits, options)
  }

  async #update(
    field: CompiledField,
    change: (value: unknown) => unknown,
    options: OperationOptions | undefined,
  ): Promise<unknown> {
    let after: string | undefined
    const edit = this.#edit(field, false, (json) => {
      after = changed(field, json, change)
      return after
    })
    await this.#write([edit], options)
    return readAs(field, after)
  }

  #edit(field: CompiledField, isBlind: boolean, change: (json: string | undefined) => string | undefined): Edit {
    return new Edit(field.name, writeDeadline(this.#engine.core), isBlind, change)
  }

  #write(edits: readonly Edit[], options: OperationOptions | undefined): Promise<void> {
    for (const edit of edits) this.#preloaded.delete(edit.field)
    const writing = this.#visit.write(edits, edits[0]?.deadline ?? 0)
    return options?.signal ? givenUpWith(options.signal, edits, writing) : writing
  }
}

/**
 * The JSON text of every field of a session that is stored, without the defaults of those that are not. Fields of a catchall are read in a
 * second round trip.
 *
 * @throws as `getAll`, save that nothing is held against the schema.
 */
export function storedJson<F extends object, D extends keyof F>(session: Session<F, D>): Promise<ReadonlyMap<string, string>> {
  return facadeOf(session).storedJson()
}

/**
 * How long a stored session lives without being used, from now on; left out, as long as the sessions of its `createSessions` do. Costs
 * nothing where it is that long already.
 *
 * @throws `BAD_CONFIG` for more than the session's absolute lifetime.
 *
 * @example
 * const session = await sessions.create()
 * await keepFor(session, '2h')
 */
export function keepFor<F extends object, D extends keyof F>(session: Session<F, D>, idle?: Duration): Promise<void> {
  const terms = idle === undefined ? {} : parseTerms('regenerate', { lifetime: { idle } })
  return facadeOf(session).keepFor(terms.lifetime?.idle)
}

function facadeOf(session: object): SessionFacade {
  if (session instanceof SessionFacade) return session
  throw new BadArgumentError('This needs a session of createSessions')
}

/**
 * The names and values that a caller hands in; a `Map`, an array or a class would silently be taken for nothing.
 *
 * @internal
 */
export function entriesOf(caller: string, values: unknown): [string, unknown][] {
  const prototype = typeof values === 'object' && values !== null ? Object.getPrototypeOf(values) : undefined
  if (prototype === Object.prototype || prototype === null) return Object.entries(values as object)
  throw new BadArgumentError(`${caller} takes a plain object: the names of fields and their values`)
}

/** Withdraws edits that have not left when the caller gives up. */
function givenUpWith(signal: AbortSignal, edits: readonly Edit[], writing: Promise<void>): Promise<void> {
  const giveUp = () => {
    for (const edit of edits) edit.fail(signal.reason)
  }
  signal.addEventListener('abort', giveUp, { once: true })
  return writing.finally(() => signal.removeEventListener('abort', giveUp))
}

/** The JSON after a caller's function has run over `json`. */
function changed(field: CompiledField, json: string | undefined, change: (value: unknown) => unknown): string | undefined {
  const value = readAs(field, json)
  const result = change(value)
  if (isThenable(result)) {
    throw new BadArgumentError(`The function of update('${field.name}') returned a promise; it must be synchronous`)
  }
  if (result !== undefined) return field.encode(result)
  if (value === undefined) return json
  const kept = field.encode(value)
  // A default that was left as it is stays a default.
  return json === undefined && kept === field.encode(field.default()) ? undefined : kept
}

function readAs(field: CompiledField, json: string | undefined): unknown {
  return json === undefined ? field.default() : field.decode(json)
}

function collect(fields: readonly CompiledField[], values: ReadonlyMap<string, string | undefined>): Record<string, unknown> {
  return Object.fromEntries(fields.map((field) => [field.name, readAs(field, values.get(field.name))]))
}

function isThenable(value: unknown): boolean {
  if (value instanceof Promise) value.catch(() => {})
  return (
    (typeof value === 'object' || typeof value === 'function') &&
    value !== null &&
    typeof (value as PromiseLike<unknown>).then === 'function'
  )
}
