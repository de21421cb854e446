import { inspect } from 'node:util'
import type { Duration } from '../api/duration.js'
import { BadArgumentError } from '../api/errors.js'
import type { OperationName } from '../api/events.js'
import type { OperationOptions, RegenerateOptions, Session, SessionState } from '../api/session.js'
import { type Call, perform, performAsync } from '../engine/call.js'
import { readDeadline, writeDeadline } from '../engine/context.js'
import { Edit } from '../engine/edit.js'
import type { Engine } from '../engine/engine.js'
import { copyOf, type Reader, type Snapshot } from '../engine/reader.js'
import type { Receiver } from '../engine/receiver.js'
import type { CompiledField } from '../schema/schema.js'
import { Propertyless } from './propertyless.js'
import type { RequestSession } from './request-session.js'
import { parseTerms } from './settings.js'

/**
 * The implementation of `Session`, which gives the types: names and values are checked here at run time.
 *
 * @internal
 */
export class SessionFacade extends Propertyless {
  readonly #engine: Engine
  #session: RequestSession
  /** What `open` has read ahead; the first read of each field, if it is a `get` and soon, is served from it. */
  #preloaded: Map<string, Snapshot> | undefined

  constructor(engine: Engine, session: RequestSession) {
    super()
    this.#engine = engine
    this.#session = session
  }

  preload(fields: readonly string[], snapshot: Snapshot): this {
    const kept = copyOf(snapshot)
    this.#preloaded = new Map(fields.map((field) => [field, kept]))
    return this
  }

  get state(): SessionState {
    return this.#session.state
  }

  get id(): string | undefined {
    return this.#session.sid
  }

  get token(): string | undefined {
    return this.#session.token
  }

  get createdAt(): Date | undefined {
    return this.#session.createdAt
  }

  get expiresAt(): Date | undefined {
    return this.#session.expiresAt
  }

  get(name: string, options?: OperationOptions): Promise<unknown> {
    return this.#perform('get', name, options, (call, fields) => {
      const { context, reader } = this.#engine
      const getting = new Getting(call, reader, this.#field(name))
      const preloaded = this.#unload(name)
      if (preloaded) getting.succeed(preloaded)
      else this.#session.read(fields, readDeadline(context, call.started), getting)
    })
  }

  getMany(names: readonly string[], options?: OperationOptions): Promise<Record<string, unknown>> {
    return this.#performAsync('getMany', names, options, async ({ started }) => {
      if (!Array.isArray(names)) throw new BadArgumentError("getMany takes an array of names: getMany(['username'])")
      // The array is the caller's, who may change it before it is read.
      const fields = names.map((name) => this.#field(name))
      return collect(
        fields,
        await this.#read(
          fields.map(({ name }) => name),
          started,
        ),
      )
    })
  }

  getAll(options?: OperationOptions): Promise<Record<string, unknown>> {
    return this.#performAsync('getAll', [], options, async ({ started }) => {
      const { schema } = this.#engine.context
      const stored = await this.#readStored(started)
      const names = new Set([...schema.names, ...stored.keys()])
      return collect(
        Array.from(names, (name) => schema.field(name)),
        stored,
      )
    })
  }

  /** The JSON of every field that is stored. */
  storedJson(options?: OperationOptions): Promise<ReadonlyMap<string, string>> {
    return this.#performAsync('getAll', [], options, ({ started }) => this.#readStored(started))
  }

  /** How long this session lives unused from now on; in milliseconds, undefined is the default. */
  keepFor(idle: number | undefined, options?: OperationOptions): Promise<void> {
    const { context } = this.#engine
    return this.#performAsync('regenerate', [], options, ({ started }) =>
      this.#session.keepFor(idle ?? context.settings.lifetime.idle, writeDeadline(context, started)),
    )
  }

  has(name: string, options?: OperationOptions): Promise<boolean> {
    return this.#performAsync('has', [name], options, async ({ started }) => {
      this.#field(name)
      return (await this.#read([name], started)).get(name) !== undefined
    })
  }

  set(nameOrValues: unknown, valueOrOptions?: unknown, options?: OperationOptions): Promise<void> {
    if (typeof nameOrValues !== 'object' || nameOrValues === null) {
      const name = nameOrValues as string
      return this.#perform('set', name, options, (call) => this.#change(this.#setting(name, valueOrOptions, call), call, nothing))
    }
    const several = valueOrOptions as OperationOptions | undefined
    return this.#performAsync('set', Object.keys(nameOrValues), several, (call) =>
      this.#write(entriesOf('set', nameOrValues).map(([name, value]) => this.#setting(name, value, call))),
    )
  }

  update(name: string, change: (value: unknown) => unknown, options?: OperationOptions): Promise<unknown> {
    return this.#perform('update', name, options, (call) => {
      const field = this.#field(name)
      if (typeof change !== 'function') throw new BadArgumentError(`update('${field.name}') needs a function`)
      this.#update(field, change, call)
    })
  }

  increment(name: string, by = 1, options?: OperationOptions): Promise<number> {
    return this.#perform('increment', name, options, (call) => {
      const field = this.#field(name)
      if (!field.numeric) throw new BadArgumentError(`Field '${field.name}' does not hold a number`)
      if (typeof by !== 'number' || !Number.isFinite(by)) throw new BadArgumentError('increment adds a finite number')
      const add = (value: unknown) => ((value as number | undefined) ?? 0) + by
      this.#update(field, add, call as Call<unknown>)
    })
  }

  take(name: string, options?: OperationOptions): Promise<unknown> {
    return this.#perform('take', name, options, (call) => {
      const field = this.#field(name)
      let taken: unknown
      const remove = (json: string | undefined) => {
        taken = json === undefined ? undefined : field.decode(json)
        return undefined
      }
      this.#change(this.#edit(field, false, remove, call), call, () => taken)
    })
  }

  delete(name: string, options?: OperationOptions): Promise<void> {
    return this.#perform('delete', name, options, (call) => {
      this.#change(this.#edit(this.#field(name), true, nothing, call), call, nothing)
    })
  }

  regenerate(options: RegenerateOptions = {}): Promise<void> {
    const session = this.#session.hasDestroyed ? this.#session.successor() : this.#session
    return performAsync(
      this.#engine,
      { name: 'regenerate', fields: [], entry: this.regenerate, subject: session },
      options,
      ({ started }) => {
        const terms = parseTerms(options)
        this.#session = session
        return session.regenerate(terms, writeDeadline(this.#engine.context, started))
      },
    )
  }

  destroy(options?: OperationOptions): Promise<void> {
    return this.#performAsync('destroy', [], options, ({ started }) =>
      this.#session.destroy(writeDeadline(this.#engine.context, started)),
    )
  }

  /** What logs and inspectors get: no secret, no token, no value. */
  toJSON(): { readonly id: string | undefined; readonly state: SessionState } {
    return { id: this.id, state: this.state }
  }

  [inspect.custom](): string {
    return `Session { id: ${this.id === undefined ? 'undefined' : `'${this.id}'`}, state: '${this.state}' }`
  }

  #performAsync<T>(
    name: OperationName & keyof SessionFacade,
    fields: readonly string[],
    options: OperationOptions | undefined,
    work: (call: Call<T>) => T | Promise<T>,
  ): Promise<T> {
    return performAsync(this.#engine, { name, fields, subject: this.#session, entry: this[name] }, options, work)
  }

  /** For calls about one field. */
  #perform<T>(
    name: OperationName & keyof SessionFacade,
    field: string,
    options: OperationOptions | undefined,
    work: (call: Call<T>, fields: readonly string[]) => void,
  ): Promise<T> {
    const fields = [field]
    const operation = { name, fields, subject: this.#session, entry: this[name] }
    return perform(this.#engine, operation, options, (call: Call<T>) => work(call, fields))
  }

  #field(name: unknown): CompiledField {
    return this.#engine.context.schema.field(name as string)
  }

  async #read(names: readonly string[], started: number): Promise<Map<string, string | undefined>> {
    const { context, reader } = this.#engine
    for (const name of names) this.#preloaded?.delete(name)
    const snapshot = await this.#session.reading(names, readDeadline(context, started))
    return new Map(names.map((name) => [name, snapshot && reader.json(snapshot, name)]))
  }

  /** Fields of a catchall are known by the manifest alone, so they are read when the header was seen. */
  async #readStored(started: number): Promise<Map<string, string>> {
    const { context } = this.#engine
    const { names, hasCatchall: open } = context.schema
    const values = await this.#read(names, started)
    const others = open ? this.#session.listed.filter((name) => !names.includes(name)) : []
    if (others.length > 0) {
      for (const [name, json] of await this.#read(others, context.environment.running())) values.set(name, json)
    }
    return new Map([...values].filter((entry): entry is [string, string] => entry[1] !== undefined))
  }

  #unload(name: string): Snapshot | undefined {
    const snapshot = this.#preloaded?.get(name)
    if (snapshot === undefined) return undefined
    this.#preloaded?.delete(name)
    if (this.state !== 'stored' || this.#session.isOver) return undefined
    if (this.#engine.context.environment.monotonic() - snapshot.askedAt >= longestPreload) return undefined
    this.#engine.context.telemetry.hit()
    return snapshot
  }

  #setting(name: unknown, value: unknown, call: Call<void>): Edit {
    const field = this.#field(name)
    if (value === undefined) throw new BadArgumentError(`set('${field.name}') needs a value; delete('${field.name}') removes one`)
    const json = field.encode(value)
    return this.#edit(field, true, () => json, call)
  }

  #update(field: CompiledField, change: (value: unknown) => unknown, call: Call<unknown>): void {
    let after: string | undefined
    const apply = (json: string | undefined) => {
      after = changed(field, json, change)
      return after
    }
    this.#change(this.#edit(field, false, apply, call), call, () => readAs(field, after))
  }

  #edit<T>(field: CompiledField, isBlind: boolean, apply: (json: string | undefined) => string | undefined, call: Call<T>): Edit {
    return new Edit(field.name, writeDeadline(this.#engine.context, call.started), isBlind, apply, call)
  }

  /** Makes an edit; then its call has succeeded with `result`. */
  #change<T>(edit: Edit, call: Call<T>, result: () => T): void {
    this.#preloaded?.delete(edit.field)
    this.#session.change(edit, { succeed: () => call.succeed(result()), fail: (error) => call.fail(error) })
  }

  #write(edits: readonly Edit[]): Promise<void> | undefined {
    for (const edit of edits) this.#preloaded?.delete(edit.field)
    return edits[0] && this.#session.write(edits, edits[0].deadline)
  }
}

const nothing = (): undefined => undefined

/** What was read ahead is good for as many milliseconds: a session that has ended meanwhile is not shown for longer. */
const longestPreload = 1_000

/** Takes a snapshot for the caller of `get`. */
class Getting implements Receiver<Snapshot | undefined> {
  readonly #call: Call<unknown>
  readonly #reader: Reader
  readonly #field: CompiledField

  constructor(call: Call<unknown>, reader: Reader, field: CompiledField) {
    this.#call = call
    this.#reader = reader
    this.#field = field
  }

  succeed(snapshot: Snapshot | undefined): void {
    this.#call.succeed(readAs(this.#field, snapshot && this.#reader.json(snapshot, this.#field.name)))
  }

  fail(error: unknown): void {
    this.#call.fail(error)
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
  const terms = idle === undefined ? {} : parseTerms({ lifetime: { idle } })
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
