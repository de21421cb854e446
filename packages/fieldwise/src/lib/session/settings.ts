import type * as z from 'zod'
import type { Duration } from '../api/duration.js'
import { BadArgumentError, BadConfigError, isFieldwiseError } from '../api/errors.js'
import type { Fields } from '../api/fields.js'
import { assertOptions, type Refusal } from '../api/options.js'
import type { LifetimeOptions, RegenerateOptions } from '../api/session.js'
import type { Store } from '../api/store.js'
import { length, parseCommonOptions, parts } from '../engine/common-options.js'
import type { Settings, UserLimit } from '../engine/context.js'
import type { Lifetime } from '../engine/lifetime.js'
import { mostEntries } from '../engine/user-lists.js'
import type { SealingOptions } from '../format/sealing.js'
import type { CompiledSchema } from '../schema/schema.js'
import { assertLifetime, type Terms } from './terms.js'

/** What it means when memcached has evicted a field: `'end'` ends the session, `'absent'` makes the field unset. */
export type Lost = 'end' | 'absent'

/** The options of `createSessions`. */
export interface SessionsOptions<S extends z.ZodObject> {
  /** A `z.object` with one property for each field. Values that must change together belong in one field. */
  readonly schema: S
  /** Where sessions live. Default: `memoryStore()`. */
  readonly store?: Store | undefined
  /** How long sessions live. Default: `'30m'` without being used, `'12h'` in all. */
  readonly lifetime?: LifetimeOptions | undefined
  /** Fields that become unset some time after their last write: `{ otp: '5m' }`. Default: they last as long as the session. */
  readonly expires?: { readonly [K in keyof Fields<S> & string]?: Duration | undefined } | undefined
  /** Encrypts and authenticates everything that is stored. Default: it is stored as plain JSON. */
  readonly sealing?: SealingOptions | undefined
  /** Put before every key, so that several applications can share a memcached: `'shop:'`. Default: none. */
  readonly prefix?: string | undefined
  /** How often one writing call tries, and for how long in all. Default: 32 attempts, `'2s'`. */
  readonly retry?: { readonly attempts?: number | undefined; readonly deadline?: Duration | undefined } | undefined
  /** What an evicted field means, for all fields or by field: `{ cart: 'absent' }`. Default: `'end'`. */
  readonly lost?: Lost | { readonly [K in keyof Fields<S> & string]?: Lost | undefined } | undefined
  /**
   * How many living sessions a user has at most, and what becomes of one more: the oldest ends (`'end-oldest'`, the default), or the login is
   * refused with `TOO_MANY_SESSIONS` (`'refuse'`). Without it, a user has any number up to 100 on each memcached server.
   */
  readonly users?: UsersOptions | undefined
  /** For tests: the time in milliseconds since 1970, for a store without a clock of its own, such as the memory store. Default: `Date`. */
  readonly clock?: { now(): number } | undefined
}

/** For `users` of `createSessions`. */
export interface UsersOptions {
  /** How many sessions a user may have, once a login has returned: from 1 to 100. */
  readonly max: number
  /**
   * What one login too many does: `'end-oldest'` ends the user's oldest session, `'refuse'` rejects the login with `TOO_MANY_SESSIONS`. Default
   * `'end-oldest'`.
   */
  readonly whenFull?: 'end-oldest' | 'refuse' | undefined
}

const defaultLifetime: Lifetime = { idle: 30 * 60_000, absolute: 12 * 3_600_000 }
const known = ['schema', 'store', 'lifetime', 'expires', 'sealing', 'prefix', 'retry', 'lost', 'users', 'clock']

/**
 * Checks the options of `createSessions`. @throws {BadConfigError} with what to write instead.
 *
 * @internal
 */
export function parseSettings(options: SessionsOptions<z.ZodObject>, schema: CompiledSchema): Settings {
  assertOptions('createSessions', options, known)
  const retry = parseCommonOptions(options)
  const expires = parseExpires(options.expires, schema)
  const lifetime = { ...defaultLifetime, ...parseLifetime(options.lifetime, BadConfigError) }
  assertLifetime(lifetime)
  return {
    ...retry,
    lifetime,
    userLimit: parseUsers(options.users),
    expires: (field) => expires.get(field),
    mayBeAbsent: parseLost(options.lost, schema),
  }
}

/**
 * The terms that `create` or `regenerate` was asked for. @throws {BadArgumentError}
 *
 * @internal
 */
export function parseTerms(options: RegenerateOptions): Terms {
  const { lifetime, persist, grace, user } = options
  if (persist !== undefined && typeof persist !== 'boolean') throw new BadArgumentError('persist is true or false')
  return {
    lifetime: parseLifetime(lifetime, BadArgumentError),
    persist,
    grace: grace === undefined ? undefined : length('grace', grace, BadArgumentError),
    user: user === undefined ? undefined : checkedUser(user),
  }
}

/** @throws {BadArgumentError} for what is no user's id, never with the id. */
export function checkedUser(user: unknown): string {
  if (typeof user !== 'string') {
    throw new BadArgumentError("A user's id is a string: write String(id), since 7 and '7' would be two users")
  }
  const size = Buffer.byteLength(user)
  if (size < 1 || size > longestUser) throw new BadArgumentError(`A user's id has 1 to ${longestUser} bytes, not ${size}`)
  if (Buffer.from(user).toString() !== user)
    throw new BadArgumentError("A user's id is well-formed Unicode: two with half a character are one")
  return user
}

const longestUser = 256

const lifetimeParts = ['idle', 'absolute'] as const

function parseLifetime(options: LifetimeOptions | undefined, Refusal: Refusal): Partial<Lifetime> {
  const { idle, absolute } = parts('lifetime', options, lifetimeParts, Refusal)
  return {
    ...(idle === undefined ? {} : { idle: length('lifetime.idle', idle, Refusal) }),
    ...(absolute === undefined ? {} : { absolute: length('lifetime.absolute', absolute, Refusal) }),
  }
}

function parseExpires(options: SessionsOptions<z.ZodObject>['expires'], schema: CompiledSchema): ReadonlyMap<string, number> {
  if (options !== undefined) assertRecord('expires', options)
  return new Map(
    given(options ?? {}).map(([field, duration]) => {
      assertField('expires', field, schema)
      return [field, length(`expires.${field}`, duration, BadConfigError)]
    }),
  )
}

function parseLost(options: SessionsOptions<z.ZodObject>['lost'], schema: CompiledSchema): (field: string) => boolean {
  if (options === undefined || typeof options === 'string') {
    assertLost('lost', options ?? 'end')
    return () => options === 'absent'
  }
  assertRecord('lost', options)
  const absent = new Set<string>()
  for (const [field, lost] of given(options)) {
    assertField('lost', field, schema)
    assertLost(`lost.${field}`, lost)
    if (lost === 'absent') absent.add(field)
  }
  return (field) => absent.has(field)
}

/** The entries whose value is not `undefined`. */
function given(options: object): [field: string, value: unknown][] {
  return Object.entries(options).filter(([, value]) => value !== undefined)
}

function assertRecord(option: string, value: unknown): void {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return
  throw new BadConfigError(`${option} takes an object with the names of fields`)
}

function assertLost(option: string, value: unknown): void {
  if (value !== 'end' && value !== 'absent') throw new BadConfigError(`${option} is 'end' or 'absent'`)
}

function assertField(option: string, field: string, schema: CompiledSchema): void {
  try {
    schema.field(field)
  } catch (error) {
    if (!isFieldwiseError(error, 'BAD_ARGUMENT')) throw error
    throw new BadConfigError(`${option}: ${error.message}`, { cause: error })
  }
}

function parseUsers(options: UsersOptions | undefined): UserLimit | undefined {
  if (options === undefined) return undefined
  assertOptions('users', options, ['max', 'whenFull'])
  const { max, whenFull = 'end-oldest' } = options
  if (!Number.isInteger(max) || max < 1 || max > mostEntries) {
    throw new BadConfigError(`users.max is a whole number from 1 to ${mostEntries}`)
  }
  if (whenFull !== 'end-oldest' && whenFull !== 'refuse') throw new BadConfigError("users.whenFull is 'end-oldest' or 'refuse'")
  return { max, whenFull }
}
