import type * as z from 'zod'
import type { Duration } from '../api/duration.js'
import { BadConfigError } from '../api/errors.js'
import type { Defaulted } from '../api/fields.js'
import { assertOptions } from '../api/options.js'
import type { Cached, Counter, Ticket, Value } from '../api/shared.js'
import { fromCaller } from '../api/stack.js'
import { length } from '../engine/common-options.js'

/** What {@link counter} makes, for `kinds`. */
export interface CounterKind {
  readonly kind: 'counter'
  /** In milliseconds, as all times here. */
  readonly window: number
}

/** What {@link ticket} makes, for `kinds`. */
export interface TicketKind<T> {
  readonly kind: 'ticket'
  readonly schema: z.ZodType<T>
  readonly expires: number
}

/** What {@link cached} makes, for `kinds`. */
export interface CachedKind<T> {
  readonly kind: 'cached'
  readonly schema: z.ZodType<T>
  readonly expires: number
  readonly stale: number
  readonly lease: number
}

/** What {@link value} makes, for `kinds`. */
export interface ValueKind<T, R> {
  readonly kind: 'value'
  readonly schema: z.ZodType<T>
  /** Undefined: until it is evicted. */
  readonly expires: number | undefined
  /** Only a type: what reading yields. */
  readonly read?: R | undefined
}

/** Any kind of shared item. */
export type Kind = CounterKind | TicketKind<unknown> | CachedKind<unknown> | ValueKind<unknown, unknown>

/** What the items of a kind are used by. */
export type ItemsOf<K> = K extends CounterKind
  ? Counter
  : K extends TicketKind<infer T>
    ? Ticket<T>
    : K extends CachedKind<infer T>
      ? Cached<T>
      : K extends ValueKind<infer T, infer R>
        ? Value<T, R>
        : never

/** The plain values of a schema, without `undefined`. */
export type PlainOf<S extends z.ZodType> = Exclude<z.output<S>, undefined>

/** What reading an unset value of a schema yields besides: nothing where it has a default. */
export type UnsetOf<S extends z.ZodType> = [Defaulted<z.ZodObject<{ value: S }>>] extends [never] ? undefined : never

/**
 * A kind of {@link Counter}: counts in windows of a fixed length, which begin with their first increment.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for a window that is no duration, or nothing.
 */
export function counter(options: { readonly window: Duration }): CounterKind {
  return fromCaller(counter, () => {
    assertOptions('counter', options, ['window'])
    return { kind: 'counter', window: needed('counter', 'window', options.window) }
  })
}

/**
 * A kind of {@link Ticket}: values of a schema that are taken once, within `expires` of being put.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for options that are wrong.
 */
export function ticket<S extends z.ZodType>(schema: S, options: { readonly expires: Duration }): TicketKind<PlainOf<S>> {
  return fromCaller(ticket, () => {
    assertSchema('ticket', schema)
    assertOptions('ticket', options, ['expires'])
    return { kind: 'ticket', schema: plain(schema), expires: needed('ticket', 'expires', options.expires) }
  })
}

/** The options of {@link cached}. */
export interface CachedOptions {
  /** How long a value is fresh after it was loaded. */
  readonly expires: Duration
  /** How long after that the old value is served while another call loads. Default: not at all. */
  readonly stale?: Duration | undefined
  /** How long one process has for a load; then another one may begin. 2 s at least. Default `'10s'`. */
  readonly lease?: Duration | undefined
}

/**
 * A kind of {@link Cached}: values of a schema that are loaded from elsewhere.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for options that are wrong.
 */
export function cached<S extends z.ZodType>(schema: S, options: CachedOptions): CachedKind<PlainOf<S>> {
  return fromCaller(cached, () => {
    assertSchema('cached', schema)
    assertOptions('cached', options, ['expires', 'stale', 'lease'])
    const expires = needed('cached', 'expires', options.expires)
    const stale = options.stale === undefined ? 0 : length('cached: stale', options.stale, BadConfigError)
    const lease = options.lease === undefined ? defaultLease : length('cached: lease', options.lease, BadConfigError)
    if (lease < leastLease) {
      throw new BadConfigError("cached: lease is '2s' at least, since a load begins only while more than a second of it is left")
    }
    return { kind: 'cached', schema: plain(schema), expires, stale, lease }
  })
}

/**
 * A kind of {@link Value}: values of a schema that all processes change. With `expires` they become unset some time after their last write;
 * without, they stay until memcached evicts them.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for options that are wrong.
 */
export function value<S extends z.ZodType>(
  schema: S,
  options: { readonly expires?: Duration | undefined } = {},
): ValueKind<PlainOf<S>, PlainOf<S> | UnsetOf<S>> {
  return fromCaller(value, () => {
    assertSchema('value', schema)
    assertOptions('value', options, ['expires'])
    const expires = options.expires === undefined ? undefined : length('value: expires', options.expires, BadConfigError)
    return { kind: 'value', schema: plain(schema), expires }
  })
}

const defaultLease = 10_000
const leastLease = 2_000

/** `undefined` is no value: encoding refuses it. */
function plain<S extends z.ZodType>(schema: S): z.ZodType<PlainOf<S>> {
  return schema as unknown as z.ZodType<PlainOf<S>>
}

function needed(owner: string, option: string, duration: unknown): number {
  if (duration === undefined) throw new BadConfigError(`${owner} needs ${option}, such as { ${option}: '10m' }`)
  return length(`${owner}: ${option}`, duration, BadConfigError)
}

function assertSchema(owner: string, schema: unknown): void {
  if ((schema as z.ZodType | undefined)?._zod?.def !== undefined) return
  throw new BadConfigError(`${owner} takes a schema of zod 4 first, such as ${owner}(z.string(), { … })`)
}
