import type * as z from 'zod'
import type { Defaulted, Fields } from '../../packages/fieldwise/src/lib/api/fields.js'
import type { Sessions } from '../../packages/fieldwise/src/lib/api/sessions.js'
import type { Store, StoreTraits } from '../../packages/fieldwise/src/lib/api/store.js'
import { memoryStore } from '../../packages/fieldwise/src/lib/memory/memory-store.js'
import { createSessionsOn } from '../../packages/fieldwise/src/lib/session/sessions.js'
import type { SessionsOptions } from '../../packages/fieldwise/src/lib/session/settings.js'
import {
  createSharedOn,
  type Kinds,
  type Shared,
  type SharedOptions,
} from '../../packages/fieldwise/src/lib/shared/create-shared.js'
import { type HeldFlight, SteppingStore } from './stepping-store.js'
import { turn, VirtualTime } from './virtual-time.js'

/** One memory store that several processes share, each over a connection of its own, and one time for all. */
export class World {
  readonly time = new VirtualTime()
  readonly shared: Store = memoryStore({ clock: this.time.clock })

  /** Another web server. */
  process<S extends z.ZodObject>(schema: S, options: ProcessOptions<S> = {}): Process<S> {
    const { traits, ...rest } = options
    const store = new SteppingStore(this.shared, this.time.runtime, traits)
    return { store, sessions: createSessionsOn(this.time.runtime, { schema, store, ...rest }) }
  }

  /** Another web server, as far as it shares things beside sessions. */
  sharing<const K extends Kinds>(kinds: K, options: Omit<SharedOptions<K>, 'kinds' | 'store' | 'clock'> = {}): Sharing<K> {
    const store = new SteppingStore(this.shared, this.time.runtime)
    // None of the kinds of a test is named as a method is.
    return { store, shared: createSharedOn(this.time.runtime, { ...options, kinds: kinds as never, store }) }
  }

  /** The next flight that a process holds with this in it, such as `replace visits`. Time passes until it leaves. */
  async next(process: { readonly store: SteppingStore }, what: string): Promise<HeldFlight> {
    for (let round = 0; round < 100; round++) {
      await turn()
      const flight = process.store.held.find((held) => String(held).includes(what))
      if (flight !== undefined) return flight
      if (!this.time.wakeNext()) break
    }
    throw new Error(`No flight with '${what}' leaves; held are: ${process.store.held.join('; ')}`)
  }

  /** The store is away from a process while what it holds fails and is tried some times more, and is then back. */
  async outage({ store }: { readonly store: SteppingStore }): Promise<void> {
    store.outage = 'refused'
    for (let pause = 0; pause < 8; pause++) {
      await turn()
      this.time.wakeNext()
    }
    store.outage = undefined
    await store.release()
  }

  /** What is stored under a whole key, without a trace in anybody's log. */
  async stored(key: string): Promise<Buffer | undefined> {
    const { answers } = await this.shared.flight(sidOf(key), [{ op: 'get', key }], Number.POSITIVE_INFINITY)
    return answers[0]?.result === 'found' ? answers[0].value : undefined
  }

  /** How long an item lives from now; undefined where there is none. */
  async life(key: string): Promise<number | undefined> {
    const { answers } = await this.shared.flight(sidOf(key), [{ op: 'get', key }], Number.POSITIVE_INFINITY)
    return answers[0]?.result === 'found' ? answers[0].ttl : undefined
  }

  /** Takes an item away, as memcached does when its memory runs out. */
  async evict(key: string): Promise<void> {
    await this.shared.flight(sidOf(key), [{ op: 'delete', key }], Number.POSITIVE_INFINITY)
  }

  /** Puts bytes of a test's own under a key. */
  async plant(key: string, value: Buffer, ttl = 3_600_000): Promise<void> {
    const requests = [
      { op: 'delete', key },
      { op: 'add', key, value, ttl },
    ] as const
    await this.shared.flight(sidOf(key), requests, Number.POSITIVE_INFINITY)
  }
}

export type ProcessOptions<S extends z.ZodObject> = Omit<SessionsOptions<S>, 'schema' | 'store' | 'clock'> & {
  readonly traits?: Partial<StoreTraits>
}

export interface Process<S extends z.ZodObject> {
  readonly store: SteppingStore
  readonly sessions: Sessions<Fields<S>, Defaulted<S>>
}

export interface Sharing<K extends Kinds> {
  readonly store: SteppingStore
  readonly shared: Shared<K>
}

/** `prefix` + sid + `:` + name; a prefix may hold colons too. What sessions share has none. */
function sidOf(key: string): string {
  return /[0-9a-f]{8}-[0-9a-f-]{27}/.exec(key)?.[0] ?? ''
}
