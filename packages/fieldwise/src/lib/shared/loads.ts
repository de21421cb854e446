import { writeDeadline } from '../engine/context.js'
import { serverTimeNow } from '../engine/snapshot.js'
import { sameWrite, type WriteId, writeIdText } from '../format/write-ids.js'
import type { CompiledField } from '../schema/schema.js'
import type { Address } from './addresses.js'
import type { SharedEngine } from './engine.js'
import { type Entry, encodeEntry } from './entry.js'
import type { SeenItem } from './item-reader.js'
import { assertFits, type Contents, type WriteOutcome } from './item-swap.js'
import type { CachedKind } from './kinds.js'

/** The right to load a value: the write that is named by `id`, as long as its item is there. */
export interface Lease {
  readonly id: WriteId
  /** When it ends, on the server's clock. */
  readonly until: number
  /** What may be served meanwhile. */
  readonly old: Entry | undefined
  /** The item with the lease, and the version that the value is stored over. */
  readonly seen: WriteOutcome
}

/** The loads of one kind that this process has under way, each under its lease: whoever has not read that lease may not share it (S7). */
export class Loads {
  readonly #engine: SharedEngine
  readonly #field: CompiledField
  readonly #kind: CachedKind<unknown>
  readonly #byLease = new Map<string, Promise<string>>()

  constructor(engine: SharedEngine, field: CompiledField, kind: CachedKind<unknown>) {
    this.#engine = engine
    this.#field = field
    this.#kind = kind
  }

  /** What is loaded under a lease, as JSON; undefined where it is not this process's. */
  find(lease: WriteId): Promise<string> | undefined {
    return this.#byLease.get(writeIdText(lease))
  }

  /** Begins a load under a lease that was acknowledged, unless too little of it is left (S6). */
  begin(address: Address, lease: Lease, load: () => unknown): void {
    if (lease.until - serverTimeNow(lease.seen, this.#engine.environment) <= leastLeft) return
    const loading = this.#load(address, load)
    const key = writeIdText(lease.id)
    this.#byLease.set(key, loading)
    this.#engine.telemetry.loading()
    this.#engine.calls.enter()
    void this.#settle(address, lease, loading).then(() => {
      this.#byLease.delete(key)
      this.#engine.calls.leave()
    })
  }

  async #load(address: Address, load: () => unknown): Promise<string> {
    const json = this.#field.encode(await load())
    assertFits(this.#engine, address, this.#contents(json, 0))
    return json
  }

  /** Stores what was loaded, or gives the lease back. Whoever waits for the value does not wait for this, nor hears of its failure. */
  async #settle(address: Address, lease: Lease, loading: Promise<string>): Promise<void> {
    const json = await loading.catch(() => undefined)
    if (json === undefined) this.#engine.telemetry.loadFailed()
    try {
      await this.#store(address, lease, json)
    } catch {
      // The lease ends by itself, and the next one loads.
    }
  }

  /** Stores over the lease alone: over its version, or else, read again, over an item that still has its id (S4). */
  async #store(address: Address, lease: Lease, json: string | undefined): Promise<void> {
    await this.#engine.writer.change(address, {
      change: (before, at) => {
        if (before === undefined || !sameWrite(before.id, lease.id)) return before
        return json === undefined ? this.#givenBack(lease) : this.#contents(json, at)
      },
      deadline: writeDeadline(this.#engine),
      seen: this.#seenBy(lease),
    })
  }

  /** What was seen when the lease was taken, as of now. Without a version it has to be read. */
  #seenBy({ seen }: Lease): SeenItem | undefined {
    const { environment } = this.#engine
    if (seen.version === undefined) return undefined
    return { ...seen, broken: undefined, serverTime: serverTimeNow(seen, environment), readAt: environment.monotonic() }
  }

  #contents(json: string, at: number): Contents {
    const { stale, expires } = this.#kind
    return encodeEntry({ json, freshUntil: Math.ceil(at + expires), leaseUntil: 0 }, stale)
  }

  /** What was there before the lease. */
  #givenBack({ old }: Lease): Contents | undefined {
    return old && encodeEntry({ ...old, leaseUntil: 0 }, this.#kind.stale)
  }
}

/** Milliseconds of a lease below which no load begins: as far as the clocks of two processes part. */
const leastLeft = 1_000
