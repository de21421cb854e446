/**
 * What the servers of an application share beside its sessions: counters, tickets, cached values, settings. Begin with {@link createShared}.
 *
 * @module fieldwise/shared
 */

export type {
  Cached,
  Count,
  Counter,
  IncrementOptions,
  KeepOptions,
  SharedBase,
  SharedStats,
  Ticket,
  Value,
} from './lib/api/shared.js'
export {
  createShared,
  type Kinds,
  type Shared,
  type SharedOptions,
} from './lib/shared/create-shared.js'
export {
  type CachedKind,
  type CachedOptions,
  type CounterKind,
  cached,
  counter,
  type ItemsOf,
  type Kind,
  type PlainOf,
  type TicketKind,
  ticket,
  type UnsetOf,
  type ValueKind,
  value,
} from './lib/shared/kinds.js'
