/**
 * A secondary storage for better-auth, on what servers share.
 *
 * @module @fieldwise/http/better-auth
 */
import type { Duration } from 'fieldwise'
import type { Counter, Value } from 'fieldwise/shared'

/** The kinds of `createShared` that {@link betterAuthStorage} uses. */
export interface BetterAuthKinds {
  /** `value(z.string())`, without `expires`: better-auth says how long each value lives. */
  readonly values: Value<string>
  /** A counter of any window: better-auth says how long each one is. */
  readonly limits: Counter
}

/** What better-auth asks of its `secondaryStorage`. */
export interface BetterAuthStorage {
  /** The value under a key; null where there is none. */
  get(key: string): Promise<string | null>
  /** The same, and removes it: of several concurrent calls exactly one gets it. Rejects where it is unknown whether this one did. */
  getAndDelete(key: string): Promise<string | null>
  /** Counts in a window of `ttl` seconds, which the first call opens. Resolves with the count. */
  increment(key: string, ttl: number): Promise<number>
  /** Stores a value, for `ttl` seconds where that is given. */
  set(key: string, value: string, ttl?: number): Promise<void>
  /** Removes a value. */
  delete(key: string): Promise<void>
}

/**
 * A `secondaryStorage` for better-auth: sessions and verifications are taken once, and limits are exact, however many servers there are.
 *
 * memcached may evict what is stored: then a visitor logs in again, a link is asked for again, and a limit begins again.
 *
 * @example
 * import { betterAuthStorage } from '@fieldwise/http/better-auth'
 * import { memcachedStore } from '@fieldwise/memcached'
 * import { betterAuth } from 'better-auth'
 * import { counter, createShared, value } from 'fieldwise/shared'
 * import { z } from 'zod'
 *
 * const shared = createShared({
 *   store: memcachedStore(),
 *   kinds: { auth: value(z.string()), authLimits: counter({ window: '1m' }) },
 * })
 * export const auth = betterAuth({
 *   secondaryStorage: betterAuthStorage({ values: shared.auth, limits: shared.authLimits }),
 *   rateLimit: { storage: 'secondary-storage' },
 * })
 */
export function betterAuthStorage({ values, limits }: BetterAuthKinds): BetterAuthStorage {
  return {
    async get(key) {
      return (await values.get(key)) ?? null
    },
    async getAndDelete(key) {
      return (await values.take(key)) ?? null
    },
    async increment(key, ttl) {
      return (await limits.increment(key, { window: seconds(ttl) })).count
    },
    set(key, value, ttl) {
      if (ttl === undefined) return values.set(key, value)
      // What is over already is not kept.
      return ttl > 0 ? values.set(key, value, { expires: seconds(ttl) }) : values.delete(key)
    },
    delete: (key) => values.delete(key),
  }
}

function seconds(ttl: number): Duration {
  return `${Math.ceil(ttl)}s`
}
