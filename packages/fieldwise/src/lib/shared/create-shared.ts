import type { Duration } from '../api/duration.js'
import { BadConfigError, isFieldwiseError } from '../api/errors.js'
import { assertOptions } from '../api/options.js'
import type { SharedBase } from '../api/shared.js'
import { fromCaller } from '../api/stack.js'
import type { Store } from '../api/store.js'
import { CallsInFlight } from '../engine/calls-in-flight.js'
import { parseCommonOptions } from '../engine/common-options.js'
import { createItemContext } from '../engine/item-context.js'
import { currentEnvironment, type Environment } from '../environment/environment.js'
import type { SealingOptions } from '../format/sealing.js'
import { memoryStore } from '../memory/memory-store.js'
import { assertFieldName } from '../schema/schema.js'
import { Addresses } from './addresses.js'
import { CachedValues } from './cached-values.js'
import { Counters } from './counters.js'
import type { SharedEngine } from './engine.js'
import { ItemReader } from './item-reader.js'
import { ItemWriter } from './item-writer.js'
import type { CachedKind, CounterKind, ItemsOf, Kind, TicketKind, ValueKind } from './kinds.js'
import { SharedFacade } from './shared-facade.js'
import { SharedTelemetry } from './telemetry.js'
import { Tickets } from './tickets.js'
import { Values } from './values.js'

/** The options of {@link createShared}. */
export interface SharedOptions<K extends Kinds> {
  /** What is shared, by the names under which it is used: made by `counter`, `ticket`, `cached` and `value`. */
  readonly kinds: K & { readonly [N in keyof K & keyof SharedBase]: never }
  /** Where it lives. Default: `memoryStore()`, which is shared by nobody else. */
  readonly store?: Store | undefined
  /** Put before every key, so that several applications can share a memcached: `'shop:'`. Default: none. */
  readonly prefix?: string | undefined
  /** Encrypts and authenticates everything that is stored. Default: it is stored as plain JSON. */
  readonly sealing?: SealingOptions | undefined
  /** How often one writing call tries, and for how long in all. Default: 32 attempts, `'2s'`. */
  readonly retry?: { readonly attempts?: number | undefined; readonly deadline?: Duration | undefined } | undefined
  /** For tests: the time in milliseconds since 1970, for a store without a clock of its own, such as the memory store. Default: `Date`. */
  readonly clock?: { now(): number } | undefined
}

/** Kinds by their names: a letter or `_` first, then letters, digits, `_` and `-`, 64 characters at most. */
export interface Kinds {
  readonly [name: string]: Kind
}

/** What servers share, as `createShared` returns it: each kind under its name. */
export type Shared<K extends Kinds> = SharedBase & { readonly [N in keyof K]: ItemsOf<K[N]> }

/**
 * Creates what the servers of an application share beside its sessions: counters, tickets that are taken once, cached values that one process
 * loads, and values that all change safely. Does not connect to the store: the first call does.
 *
 * memcached may evict any item. The guide *What servers share* says what each kind is after that, and what must not be built on it.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for options that are wrong. The message says what to write instead.
 *
 * @example
 * const shared = createShared({
 *   prefix: 'shop:',
 *   kinds: {
 *     attempts: counter({ window: '1m' }),
 *     invitation: ticket(z.string(), { expires: '1d' }),
 *     price: cached(z.number(), { expires: '10m', stale: '1m' }),
 *     settings: value(z.object({ open: z.boolean() }).default({ open: true })),
 *   },
 * })
 * const { count } = await shared.attempts.increment('203.0.113.7')
 * count // 1
 */
export function createShared<const K extends Kinds>(options: SharedOptions<K>): Shared<K> {
  return fromCaller(createShared, () => createSharedOn(currentEnvironment(), options))
}

/**
 * {@link createShared} with the sources of time and randomness given, for tests and the simulation.
 *
 * @internal
 */
export function createSharedOn<const K extends Kinds>(environment: Environment, options: SharedOptions<K>): Shared<K> {
  assertOptions('createShared', options, known)
  const settings = parseCommonOptions(options)
  assertKinds(options.kinds)
  const { store = memoryStore(), prefix = '' } = options
  const telemetry = new SharedTelemetry(store.name, prefix)
  const context = { ...createItemContext(environment, store, options, settings, telemetry), telemetry }
  const reader = new ItemReader(context)
  const engine: SharedEngine = {
    ...context,
    addresses: new Addresses(store, prefix),
    reader,
    writer: new ItemWriter(context, reader),
    calls: new CallsInFlight('What is shared'),
  }
  const items = Object.entries<Kind>(options.kinds).map(([name, kind]) => [name, itemsOf(engine, name, kind)])
  return Object.assign(new SharedFacade(engine), Object.fromEntries(items)) as unknown as Shared<K>
}

const known = ['kinds', 'store', 'prefix', 'sealing', 'retry', 'clock']

function itemsOf(engine: SharedEngine, name: string, kind: Kind): Counters | Tickets | CachedValues | Values {
  switch (kind.kind) {
    case 'counter':
      return new Counters(engine, name, kind satisfies CounterKind)
    case 'ticket':
      return new Tickets(engine, name, kind satisfies TicketKind<unknown>)
    case 'cached':
      return new CachedValues(engine, name, kind satisfies CachedKind<unknown>)
    case 'value':
      return new Values(engine, name, kind satisfies ValueKind<unknown, unknown>)
  }
}

function assertKinds(kinds: unknown): asserts kinds is Kinds {
  if (typeof kinds !== 'object' || kinds === null || Array.isArray(kinds)) {
    throw new BadConfigError("createShared takes kinds by their names: { kinds: { attempts: counter({ window: '1m' }) } }")
  }
  for (const [name, kind] of Object.entries(kinds)) {
    assertKindName(name)
    if (kindNames.includes((kind as Kind | undefined)?.kind as string)) continue
    throw new BadConfigError(`kinds.${name} is made by counter, ticket, cached or value, such as counter({ window: '1m' })`)
  }
}

function assertKindName(name: string): void {
  try {
    assertFieldName(name)
  } catch (error) {
    if (!isFieldwiseError(error, 'BAD_ARGUMENT')) throw error
    throw new BadConfigError(`kinds: ${error.message.replaceAll('a field', 'a kind')}`, { cause: error })
  }
  if (name in SharedFacade.prototype)
    throw new BadConfigError(`A kind cannot be named ${name}, which is a method of what createShared returns`)
}

const kindNames: readonly string[] = ['counter', 'ticket', 'cached', 'value'] satisfies Kind['kind'][]
