import { BadArgumentError, isFieldwiseError } from '../api/errors.js'
import type { OperationOptions } from '../api/session.js'
import type { Cached } from '../api/shared.js'
import { readDeadline, writeDeadline } from '../engine/context.js'
import { serverTimeNow } from '../engine/snapshot.js'
import { sameWrite, type WriteId } from '../format/write-ids.js'
import type { CompiledField } from '../schema/schema.js'
import type { Address } from './addresses.js'
import { compileValue } from './compile-value.js'
import type { SharedEngine } from './engine.js'
import { decodeEntry, type Entry, encodeEntry } from './entry.js'
import { type Contents, contentsOf, type ItemChange, type WriteOutcome } from './item-swap.js'
import type { CachedKind } from './kinds.js'
import { Loads } from './loads.js'
import { SharedKind } from './shared-kind.js'

type Load = () => unknown

/** A value, which may be anything, and where it came from. */
interface Readable {
  readonly value: unknown
  readonly is: 'fresh' | 'stale' | 'loaded'
}

/** What came of asking for the lease: a value that is there, a lease that somebody has, or the lease itself. */
type Claim =
  | { readonly is: 'served'; readonly found: Readable }
  | { readonly is: 'held'; readonly lease: WriteId }
  | { readonly is: 'taken'; readonly lease: WriteId; readonly until: number; readonly old: Entry | undefined }

/** The implementation of `Cached`. */
export class CachedValues extends SharedKind implements Cached<unknown> {
  readonly #field: CompiledField
  readonly #kind: CachedKind<unknown>
  readonly #loads: Loads

  constructor(engine: SharedEngine, name: string, kind: CachedKind<unknown>) {
    super(engine, name)
    this.#field = compileValue(name, kind.schema)
    this.#kind = kind
    this.#loads = new Loads(engine, this.#field, kind)
  }

  get(id: string, load: Load, options?: OperationOptions): Promise<unknown> {
    return this.call<unknown>('get', id, options, async (address, operation) => {
      if (typeof load !== 'function') throw new BadArgumentError(`get of '${this.name}' needs a function that loads it`)
      const { environment } = this.engine
      for (let began = operation.started; !operation.isOver; began = environment.running()) {
        const found = await this.#look(address, load, began)
        if (found !== undefined) return this.#told(found)
        // Another process loads it (S8).
        await environment.sleep(shortestWait + environment.random() * (longestWait - shortestWait))
      }
      return undefined
    })
  }

  invalidate(id: string, options?: OperationOptions): Promise<void> {
    return this.call<void>('invalidate', id, options, (address, { started }) =>
      this.engine.writer.delete(address, writeDeadline(this.engine, started)),
    )
  }

  #told({ is, value }: Readable): unknown {
    this.engine.telemetry.served(is)
    return value
  }

  /** One look at what is there: the value, or undefined where another process is loading it. */
  async #look(address: Address, load: Load, began: number): Promise<Readable | undefined> {
    const seen = await this.engine.reader.read(address, readDeadline(this.engine, began))
    const now = serverTimeNow(seen, this.engine.environment)
    const entry = decodeEntry(contentsOf(seen.item, now))
    const served = entry && this.#served(entry, now)
    if (served) return served
    if (entry && now < entry.leaseUntil) return this.#joined(entry.id)
    return this.#claim(address, load, began)
  }

  /** Asks for the lease, and acts on what came of it. */
  async #claim(address: Address, load: Load, began: number): Promise<Readable | undefined> {
    let claim: Claim | undefined
    const change: ItemChange = (before, at, id) => {
      const entry = decodeEntry(before)
      claim = this.#claimOver(entry, at, id)
      return claim.is === 'taken' ? this.#leased(claim.old, claim.until) : before
    }
    const outcome = await this.#ask(address, change, began)
    if (outcome === undefined || claim === undefined) return undefined
    return this.#act(claim, outcome, address, load)
  }

  #claimOver(entry: Entry | undefined, at: number, id: WriteId): Claim {
    const found = entry && this.#served(entry, at)
    if (found) return { is: 'served', found }
    if (entry && at < entry.leaseUntil) return { is: 'held', lease: entry.id }
    const old = entry && this.#isOldUsable(entry, at) ? entry : undefined
    return { is: 'taken', lease: id, until: Math.ceil(at + this.#kind.lease), old }
  }

  /** The item with a lease: the old value stays in it as long as it may be served. */
  #leased(old: Entry | undefined, leaseUntil: number): Contents {
    return encodeEntry({ json: old?.json, freshUntil: old?.freshUntil ?? 0, leaseUntil }, this.#kind.stale)
  }

  /** Undefined where it is unknown whether the lease was stored: then it ends by itself. */
  async #ask(address: Address, change: ItemChange, began: number): Promise<WriteOutcome | undefined> {
    try {
      // Blind: a value that cannot be trusted is loaded anew.
      return await this.engine.writer.change(address, { change, deadline: writeDeadline(this.engine, began), isBlind: true })
    } catch (error) {
      if (isFieldwiseError(error, 'OUTCOME_UNKNOWN') || isFieldwiseError(error, 'UPDATE_CONFLICT')) return undefined
      throw error
    }
  }

  #act(claim: Claim, outcome: WriteOutcome, address: Address, load: Load): Promise<Readable | undefined> | Readable | undefined {
    if (claim.is === 'served') return claim.found
    if (claim.is === 'held') return this.#joined(claim.lease)
    const { item } = outcome
    // It was acknowledged, but somebody has taken it over since.
    if (item === undefined || !sameWrite(item.id, claim.lease)) return undefined
    const { lease, until, old } = claim
    this.#loads.begin(address, { id: lease, until, old, seen: outcome }, load)
    return this.#joined(lease)
  }

  /** What this process loads under a lease; undefined where another one does. Found by the lease, never by the key (S7). */
  async #joined(lease: WriteId): Promise<Readable | undefined> {
    const json = await this.#loads.find(lease)
    return json === undefined ? undefined : { value: this.#field.decode(json), is: 'loaded' }
  }

  /** What is served at once: a fresh value, and while somebody loads also an old one (S8). */
  #served(entry: Entry, now: number): Readable | undefined {
    if (now < entry.freshUntil) return this.#readable(entry, 'fresh')
    return now < entry.leaseUntil && this.#isOldUsable(entry, now) ? this.#readable(entry, 'stale') : undefined
  }

  #isOldUsable(entry: Entry, now: number): boolean {
    return now < entry.freshUntil + this.#kind.stale
  }

  /** Undefined for what does not fit the schema any more. */
  #readable({ json }: Entry, is: Readable['is']): Readable | undefined {
    try {
      return json === undefined ? undefined : { value: this.#field.decode(json), is }
    } catch (error) {
      if (isFieldwiseError(error, 'FIELD_INVALID')) return undefined
      throw error
    }
  }
}

/** How long those wait who look again, in milliseconds. */
const shortestWait = 20
const longestWait = 80
