import type * as z from 'zod'
import type { Settings } from './core.js'
import { type Duration, parseDuration } from './duration.js'
import { BadArgumentError, BadConfigError, isFieldwiseError } from './errors.js'
import type { Fields } from './fields.js'
import { assertPrefix } from './keys.js'
import type { Lifetime } from './lifetime.js'
import type { CompiledSchema } from './schema.js'
import type { SealingOptions } from './sealing.js'
import type { LifetimeOptions, RegenerateOptions } from './session.js'
import type { Store } from './store.js'
import type { Terms } from './visit.js'

/** What an evicted field means: the end of its session, or a field that is unset. */
export type Lost = 'end' | 'absent'

/** The options of `createSessions`. */
export interface SessionsOptions<S extends z.ZodObject> {
  /** One property a field. What must change together belongs in one field. */
  readonly schema: S
  /** Where sessions live. Default: `memoryStore()`. */
  readonly store?: Store
  /** Default: 30 minutes idle, 12 hours in all. */
  readonly lifetime?: LifetimeOptions
  /** A field's own life, from its last write; afterwards it is unset. */
  readonly expires?: { readonly [K in keyof Fields<S> & string]?: Duration }
  /** Encrypts what is stored. */
  readonly sealing?: SealingOptions
  /** Stands before every key, so that several applications can share a memcached: `'shop:'`. */
  readonly prefix?: string
  /** The bounds of one writing call: how many attempts, and how long in all. Default: 32 attempts, `'2s'`. */
  readonly retry?: { readonly attempts?: number; readonly deadline?: Duration }
  /** What an evicted field means, for all fields or for each. Default: `'end'`. */
  readonly lost?: Lost | { readonly [K in keyof Fields<S> & string]?: Lost }
  /** For tests: the clock of a store that has none of its own, such as the memory store. Milliseconds since 1970. */
  readonly clock?: { now(): number }
}

const defaultLifetime: Lifetime = { idle: 30 * 60_000, absolute: 12 * 3_600_000 }
const defaultAttempts = 32
const defaultPatience = 2_000
const known = new Set(['schema', 'store', 'lifetime', 'expires', 'sealing', 'prefix', 'retry', 'lost', 'clock'])

/** Checks the options of `createSessions`. @throws {BadConfigError} with what to write instead. */
export function parseSettings(options: SessionsOptions<z.ZodObject>, schema: CompiledSchema): Settings {
  for (const name of Object.keys(options)) {
    if (!known.has(name)) throw new BadConfigError(`createSessions has no option '${name}'; it has ${[...known].join(', ')}`)
  }
  assertPrefix(options.prefix ?? '')
  const expires = parseExpires(options.expires, schema)
  const mayBeAbsent = parseLost(options.lost, schema)
  return {
    lifetime: parseLifetime(options.lifetime, defaultLifetime, BadConfigError),
    attempts: parseAttempts(options.retry?.attempts),
    patience:
      options.retry?.deadline === undefined ? defaultPatience : length('retry.deadline', options.retry.deadline, BadConfigError),
    expires: (field) => expires.get(field),
    mayBeAbsent,
  }
}

/** The terms that `create` or `regenerate` was asked for. @throws {BadArgumentError} */
export function parseTerms(options: RegenerateOptions, defaults: Lifetime): Terms {
  const { lifetime, persist, grace } = options
  if (persist !== undefined && typeof persist !== 'boolean') throw new BadArgumentError('persist is true or false')
  const whole = parseLifetime(lifetime, defaults, BadArgumentError)
  const graceLength = grace === undefined ? undefined : length('grace', grace, BadArgumentError)
  if (graceLength !== undefined && graceLength > whole.idle) {
    throw new BadArgumentError(
      'grace is longer than the idle time: a secret must not outlive the session it opens; write a shorter one',
    )
  }
  return {
    lifetime: {
      ...(lifetime?.idle === undefined ? {} : { idle: whole.idle }),
      ...(lifetime?.absolute === undefined ? {} : { absolute: whole.absolute }),
    },
    persist,
    grace: graceLength,
  }
}

type ErrorClass = typeof BadConfigError | typeof BadArgumentError

function parseLifetime(options: LifetimeOptions | undefined, defaults: Lifetime, Refusal: ErrorClass): Lifetime {
  const idle = options?.idle === undefined ? defaults.idle : length('lifetime.idle', options.idle, Refusal)
  const absolute = options?.absolute === undefined ? defaults.absolute : length('lifetime.absolute', options.absolute, Refusal)
  if (absolute < idle) {
    throw new Refusal(
      'lifetime.absolute is shorter than lifetime.idle, so the idle time could never pass; write an absolute lifetime that is longer, or a shorter idle time',
    )
  }
  return { idle, absolute }
}

function parseExpires(options: SessionsOptions<z.ZodObject>['expires'], schema: CompiledSchema): ReadonlyMap<string, number> {
  return new Map(
    Object.entries(options ?? {}).map(([field, duration]) => {
      assertField('expires', field, schema)
      return [field, length(`expires.${field}`, duration, BadConfigError)]
    }),
  )
}

function parseLost(options: SessionsOptions<z.ZodObject>['lost'], schema: CompiledSchema): (field: string) => boolean {
  if (typeof options !== 'object') {
    assertLost('lost', options ?? 'end')
    return () => options === 'absent'
  }
  const absent = new Set<string>()
  for (const [field, lost] of Object.entries(options)) {
    assertField('lost', field, schema)
    assertLost(`lost.${field}`, lost)
    if (lost === 'absent') absent.add(field)
  }
  return (field) => absent.has(field)
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

function parseAttempts(attempts: number | undefined): number {
  if (attempts === undefined) return defaultAttempts
  if (Number.isInteger(attempts) && attempts >= 1) return attempts
  throw new BadConfigError('retry.attempts is a whole number from 1 on')
}

/** A duration that is longer than nothing. */
function length(option: string, duration: unknown, Refusal: ErrorClass): number {
  let milliseconds = 0
  try {
    milliseconds = parseDuration(duration as string)
  } catch (error) {
    throw new Refusal(`${option}: ${(error as Error).message}`, { cause: error })
  }
  if (milliseconds === 0) throw new Refusal(`${option} is longer than nothing: write '1ms' or more`)
  return milliseconds
}
