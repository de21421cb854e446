import { parseDuration } from '../api/duration.js'
import { BadArgumentError, BadConfigError } from '../api/errors.js'
import { assertOptions, type Refusal } from '../api/options.js'
import type { CheckOptions } from '../api/sessions.js'
import type { Store } from '../api/store.js'
import { assertPrefix } from '../format/keys.js'
import type { SealingOptions } from '../format/sealing.js'
import type { RetrySettings } from './context.js'

/** What `createSessions` and `createShared` are both asked for. */
export interface CommonOptions {
  readonly store?: Store | undefined
  readonly sealing?: SealingOptions | undefined
  readonly prefix?: string | undefined
  readonly retry?: { readonly attempts?: number | undefined; readonly deadline?: string | undefined } | undefined
  readonly clock?: { now(): number } | undefined
}

/** Checks them, and gives those that are settings. @throws {BadConfigError} with what to write instead. */
export function parseCommonOptions(options: CommonOptions): RetrySettings {
  assertPrefix(options.prefix ?? '')
  if (options.sealing !== undefined) assertSealing(options.sealing)
  assertMethod('clock', options.clock, 'now', 'an object with now(), such as Date')
  assertStore(options.store)
  const { attempts, deadline } = parts('retry', options.retry, retryParts, BadConfigError)
  return {
    attempts: parseAttempts(attempts),
    retryDeadline: deadline === undefined ? defaultPatience : length('retry.deadline', deadline, BadConfigError),
  }
}

/** An option that is itself an object. Checked, since a misspelt part would silently mean its default. */
export function parts<T extends object>(option: string, value: T | undefined, names: readonly string[], Refusal: Refusal): T {
  if (value === undefined) return {} as T
  assertOptions(option, value, names, Refusal)
  return value
}

/** A duration that is longer than nothing. */
export function length(option: string, duration: unknown, Refusal: Refusal): number {
  let milliseconds = 0
  try {
    milliseconds = parseDuration(duration as string)
  } catch (error) {
    throw new Refusal(`${option}: ${(error as Error).message}`, { cause: error })
  }
  if (milliseconds === 0) throw new Refusal(`${option} is longer than nothing: write '1ms' or more`)
  return milliseconds
}

/** The servers that `check` asks for. @throws {BadArgumentError} */
export function leastOf(options: CheckOptions): 'all' | 'one' {
  assertOptions('check', options, ['least'], BadArgumentError)
  const { least = 'all' } = options
  if (least === 'all' || least === 'one') return least
  throw new BadArgumentError("check takes { least: 'one' } or { least: 'all' }")
}

const retryParts = ['attempts', 'deadline'] as const
const sealingParts = ['keys', 'acceptUnsealed'] as const
const defaultAttempts = 32
const defaultPatience = 2_000

function assertStore(store: unknown): void {
  if (typeof store === 'string') {
    // A text that is not an address may be or contain a secret, so it is not repeated.
    const address = /^[\w.:[\]-]{1,100}$/.test(store) ? store : '…'
    throw new BadConfigError(`store is a store, not its address: write memcachedStore('${address}'), from @fieldwise/memcached`)
  }
  assertMethod(
    'store',
    store as Store | undefined,
    'flight',
    "a store, such as memcachedStore('127.0.0.1:11211') or memoryStore()",
  )
}

function assertSealing(sealing: SealingOptions): void {
  assertOptions('sealing', sealing, sealingParts)
  if (sealing.acceptUnsealed === undefined || typeof sealing.acceptUnsealed === 'boolean') return
  throw new BadConfigError('sealing.acceptUnsealed is true or false')
}

function assertMethod(option: string, value: object | undefined, method: string, what: string): void {
  if (value === undefined || typeof (value as Record<string, unknown> | null)?.[method] === 'function') return
  throw new BadConfigError(`${option} is ${what}`)
}

function parseAttempts(attempts: number | undefined): number {
  if (attempts === undefined) return defaultAttempts
  if (Number.isInteger(attempts) && attempts >= 1) return attempts
  throw new BadConfigError('retry.attempts is a whole number from 1 on')
}
