import { inspect } from 'node:util'
import { BadArgumentError } from '../api/errors.js'
import type { OperationName } from '../api/events.js'
import type { OperationOptions, RegenerateOptions, Session, SessionState } from '../api/session.js'
import { jsonIn } from '../engine/contents.js'
import { type Deadline, readDeadline, writeDeadline } from '../engine/context.js'
import type { Change } from '../engine/edit.js'
import type { Engine } from '../engine/engine.js'
import { Operation } from '../engine/operation.js'
import { copyOf, type Snapshot } from '../engine/snapshot.js'
import type { BoundUser } from '../format/header.js'
import { changed, collect, entriesOf, readAs } from '../schema/field-values.js'
import type { CompiledField } from '../schema/schema.js'
import { Propertyless } from './propertyless.js'
import { ReadOperation } from './read-operation.js'
import type { RequestSession } from './request-session.js'
import { checkedUser, parseTerms } from './settings.js'
import { WriteOperation } from './write-operation.js'

/** A session whose fields are checked here, at run time. {@link createSessions} gives it the types of its schema. */
type UntypedSession = Session<Record<string, unknown>>

/**
 * The implementation of `Session`.
 *
 * @internal
 */
export class SessionFacade extends Propertyless implements UntypedSession {
  readonly #engine: Engine
  #session: RequestSession
  /** What `open` has preloaded. The first read of each field is served from it if it is a `get` and comes within {@link longestPreload}. */
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
    const operation = this.#reading<unknown>('get', [name])
    return operation.run(options, () => {
      const field = this.#field(name)
      const value = (snapshot: Snapshot | undefined) => readAs(field, this.#json(snapshot, name))
      const preloaded = this.#unload(name)
      if (preloaded) operation.succeed(value(preloaded))
      else operation.read(value)
    })
  }

  getMany<K extends string>(names: readonly K[], options?: OperationOptions): Promise<Record<K, unknown>> {
    // A copy, since the caller may change the array while the call is under way.
    const asked = Array.isArray(names) ? [...names] : []
    const operation = this.#reading<Record<K, unknown>>('getMany', asked)
    return operation.run(options, () => {
      if (!Array.isArray(names)) throw new BadArgumentError("getMany takes an array of names: getMany(['username'])")
      const fields = asked.map((name) => this.#field(name))
      this.#forgetPreloaded(asked)
      operation.read((snapshot) => collect(fields, (name) => this.#json(snapshot, name)))
    })
  }

  getAll(options?: OperationOptions): Promise<Record<string, unknown>> {
    const operation = this.#operation<Record<string, unknown>>('getAll')
    return operation.runAsync(options, async () => {
      const { schema } = this.#engine
      const stored = await this.#readStored(operation.started)
      const names = new Set([...schema.names, ...stored.keys()])
      return collect(
        Array.from(names, (name) => schema.field(name)),
        (name) => stored.get(name),
      )
    })
  }

  /** See {@link storedJson}. */
  storedJson(options?: OperationOptions): Promise<ReadonlyMap<string, string>> {
    const operation = this.#operation<ReadonlyMap<string, string>>('storedJson')
    return operation.runAsync(options, () => this.#readStored(operation.started))
  }

  /** See {@link keepFor}. `idle` is in milliseconds; undefined is the idle time of `createSessions`. */
  keepFor(idle: number | undefined, options?: OperationOptions): Promise<void> {
    const operation = this.#operation<void>('keepFor')
    const wanted = idle ?? this.#engine.settings.lifetime.idle
    return operation.runAsync(options, () => this.#session.keepFor(wanted, writeDeadline(this.#engine, operation.started)))
  }

  has(name: string, options?: OperationOptions): Promise<boolean> {
    const operation = this.#reading<boolean>('has', [name])
    return operation.run(options, () => {
      this.#field(name)
      this.#forgetPreloaded(operation.fields)
      operation.read((snapshot) => this.#json(snapshot, name) !== undefined)
    })
  }

  set(nameOrValues: unknown, valueOrOptions?: unknown, options?: OperationOptions): Promise<void> {
    if (typeof nameOrValues !== 'object' || nameOrValues === null) {
      const name = nameOrValues as string
      return this.#write('set', [name], options, (operation) => operation.write([this.#setting(name, valueOrOptions)], nothing))
    }
    return this.#write('set', Object.keys(nameOrValues), valueOrOptions as OperationOptions | undefined, (operation) => {
      const changes = entriesOf('set', nameOrValues).map(([name, value]) => this.#setting(name, value))
      operation.write(changes, nothing)
    })
  }

  update(name: string, change: (value: unknown) => unknown, options?: OperationOptions): Promise<unknown> {
    return this.#write('update', [name], options, (operation) => {
      const field = this.#field(name)
      if (typeof change !== 'function') throw new BadArgumentError(`update('${field.name}') needs a function`)
      this.#update(operation, field, change)
    })
  }

  increment(name: string, by = 1, options?: OperationOptions): Promise<number> {
    return this.#write<unknown>('increment', [name], options, (operation) => {
      const field = this.#field(name)
      if (!field.numeric) throw new BadArgumentError(`Field '${field.name}' does not hold a number`)
      if (typeof by !== 'number' || !Number.isFinite(by)) throw new BadArgumentError('increment adds a finite number')
      this.#update(operation, field, (value) => ((value as number | undefined) ?? 0) + by)
    }) as Promise<number>
  }

  take(name: string, options?: OperationOptions): Promise<unknown> {
    return this.#write<unknown>('take', [name], options, (operation) => {
      const field = this.#field(name)
      let taken: unknown
      const remove = (json: string | undefined) => {
        taken = json === undefined ? undefined : field.decode(json)
        return undefined
      }
      operation.write([{ field: field.name, isBlind: false, apply: remove }], () => taken)
    })
  }

  delete(name: string, options?: OperationOptions): Promise<void> {
    return this.#write('delete', [name], options, (operation) => {
      const field = this.#field(name).name
      operation.write([{ field, isBlind: true, apply: nothing }], nothing)
    })
  }

  regenerate(options: RegenerateOptions = {}): Promise<void> {
    const session = this.#session.hasDestroyed ? this.#session.successor() : this.#session
    const operation = new Operation<void>(this.#engine, { name: 'regenerate', entry: this.regenerate }, none, session)
    return operation.runAsync(options, () => {
      const terms = parseTerms(options)
      this.#session = session
      return session.regenerate(terms, writeDeadline(this.#engine, operation.started))
    })
  }

  destroy(options?: OperationOptions): Promise<void> {
    const operation = this.#operation<void>('destroy')
    return operation.runAsync(options, () => this.#session.destroy(writeDeadline(this.#engine, operation.started)))
  }

  bindTo(user: string): Promise<void> {
    const operation = new Operation<void>(this.#engine, { name: 'bindUser', entry: this.bindTo }, none, this.#session)
    return operation.runAsync(undefined, () =>
      this.#session.bindTo(checkedUser(user), writeDeadline(this.#engine, operation.started)),
    )
  }

  /** Whether sessions of `engine` are stored where this one is. */
  isBeside({ store, keys }: Engine): boolean {
    return store === this.#engine.store && keys.header('') === this.#engine.keys.header('')
  }

  /** Whose session it is, read now. @throws {SessionGoneError} */
  async boundUser(deadline: Deadline): Promise<BoundUser | undefined> {
    await this.#session.reads.snapshot(none, deadline)
    return this.#session.user
  }

  /** What `JSON.stringify` and loggers show of a session: no token and no value. */
  toJSON(): { readonly id: string | undefined; readonly state: SessionState } {
    return { id: this.id, state: this.state }
  }

  [inspect.custom](): string {
    return `Session { id: ${this.id === undefined ? 'undefined' : `'${this.id}'`}, state: '${this.state}' }`
  }

  #operation<T>(name: Method): Operation<T> {
    return new Operation<T>(this.#engine, { name, entry: this[name] }, none, this.#session)
  }

  #reading<T>(name: Method, fields: readonly string[]): ReadOperation<T> {
    return new ReadOperation<T>(this.#engine, { name, entry: this[name] }, fields, this.#session)
  }

  #write<T>(
    name: Method,
    fields: readonly string[],
    options: OperationOptions | undefined,
    work: (operation: WriteOperation<T>) => void,
  ): Promise<T> {
    const operation = new WriteOperation<T>(this.#engine, { name, entry: this[name] }, fields, this.#session)
    return operation.run(options, () => {
      work(operation)
      this.#forgetPreloaded(fields)
    })
  }

  #field(name: unknown): CompiledField {
    return this.#engine.schema.field(name as string)
  }

  #json(snapshot: Snapshot | undefined, name: string): string | undefined {
    return snapshot && jsonIn(this.#engine, snapshot, name)
  }

  /** The names of catchall fields stand in the manifest alone, so they are read in a second step, after the header was seen. */
  async #readStored(started: number): Promise<Map<string, string>> {
    const { names, hasCatchall } = this.#engine.schema
    const stored = new Map<string, string>()
    await this.#readInto(stored, names, started)
    const others = hasCatchall ? this.#session.listed.filter((name) => !names.includes(name)) : []
    if (others.length > 0) await this.#readInto(stored, others, this.#engine.environment.running())
    return stored
  }

  async #readInto(stored: Map<string, string>, names: readonly string[], started: number): Promise<void> {
    this.#forgetPreloaded(names)
    const snapshot = await this.#session.reads.snapshot(names, readDeadline(this.#engine, started))
    for (const name of names) {
      const json = this.#json(snapshot, name)
      if (json !== undefined) stored.set(name, json)
    }
  }

  #unload(name: string): Snapshot | undefined {
    const snapshot = this.#preloaded?.get(name)
    if (snapshot === undefined) return undefined
    this.#preloaded?.delete(name)
    if (this.state !== 'stored' || this.#session.isOver) return undefined
    if (this.#engine.environment.monotonic() - snapshot.askedAt >= longestPreload) return undefined
    this.#engine.telemetry.hit()
    return snapshot
  }

  /** Called when the fields are read or written again: what was preloaded is out of date. */
  #forgetPreloaded(fields: readonly string[]): void {
    for (const field of fields) this.#preloaded?.delete(field)
  }

  #setting(name: unknown, value: unknown): Change {
    const field = this.#field(name)
    if (value === undefined) throw new BadArgumentError(`set('${field.name}') needs a value; delete('${field.name}') removes one`)
    const json = field.encode(value)
    return { field: field.name, isBlind: true, apply: () => json }
  }

  #update(operation: WriteOperation<unknown>, field: CompiledField, change: (value: unknown) => unknown): void {
    let after: string | undefined
    const apply = (json: string | undefined) => {
      after = changed(field, json, change)
      return after
    }
    operation.write([{ field: field.name, isBlind: false, apply }], () => readAs(field, after))
  }
}

/** The methods that are operations: events name them. */
type Method = OperationName & keyof SessionFacade

const none: readonly string[] = []

const nothing = (): undefined => undefined

/** How many milliseconds preloaded values are served for: no longer is a session shown that has ended meanwhile. */
const longestPreload = 1_000
