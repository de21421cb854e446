import { BadArgumentError, BadConfigError } from 'fieldwise'
import { assertOptions } from 'fieldwise/adapter'
import type { Count, Counter } from 'fieldwise/shared'
import { isStoreFailure, retryAfter } from '../adapter/store-failure.js'

/** How requests are limited. `R` is the framework's request, or Hono's context. */
export interface RateLimitOptions<R> {
  /** How many requests of one client are let through in a window of the counter: a whole number from 1 on. */
  readonly limit: number
  /**
   * What happens while the store is away, and when it is unknown whether a request was counted: `'open'` lets requests through, `'closed'`
   * answers 503. There is no default: guard a login with `'closed'`, and what only has to be spared with `'open'`.
   */
  readonly fails: 'open' | 'closed'
  /**
   * Who a request is counted for: an address, a user's id, both. A request for which it gives `undefined` is not limited. By default the
   * address of the client; of an IPv6 address its first 64 bits, since whoever has one has all of those.
   */
  readonly by?: ((request: R) => string | undefined | Promise<string | undefined>) | undefined
  /** What the policy is called in `RateLimit` and `RateLimit-Policy`. Default `'default'`. */
  readonly name?: string | undefined
}

/** What is to become of a request, and the header fields that say so. */
export interface Verdict {
  /** 429 and 503 are to be answered with that; undefined lets the request through. */
  readonly status: 429 | 503 | undefined
  readonly headers: Readonly<Record<string, string>>
}

/** Counts requests, and says what becomes of them, whatever framework they came by. */
export class Limiter<R> {
  readonly #counter: Counter
  readonly #options: RateLimitOptions<R>
  readonly #by: (request: R) => string | undefined | Promise<string | undefined>
  readonly #policy: string
  readonly #name: string

  /** @throws {BadConfigError} */
  constructor(
    owner: string,
    counter: Counter,
    options: RateLimitOptions<R>,
    addressOf: ((request: R) => string | undefined) | undefined,
  ) {
    assertOptions(owner, options, ['limit', 'fails', 'by', 'name'])
    assertCounter(owner, counter)
    const { limit, fails, by = addressOf, name = 'default' } = options
    if (!Number.isSafeInteger(limit) || limit < 1) throw new BadConfigError(`${owner}: limit is a whole number from 1 on`)
    if (fails !== 'open' && fails !== 'closed') {
      throw new BadConfigError(`${owner}: fails is 'open' or 'closed': whether requests are let through while the store is away`)
    }
    if (typeof by !== 'function') throw new BadConfigError(`${owner} needs by: who a request is counted for`)
    if (typeof name !== 'string' || !/^[ !#-[\]-~]{1,64}$/.test(name)) {
      throw new BadConfigError(`${owner}: name has 1 to 64 visible ASCII characters, without quotes and backslashes`)
    }
    this.#counter = counter
    this.#options = options
    this.#by = by
    this.#name = name
    this.#policy = `"${name}";q=${limit};w=${Math.ceil(counter.window / 1000)}`
  }

  /** Counts a request. Never rejects for a failure of the store. */
  async judge(request: R): Promise<Verdict> {
    const client = await this.#by(request)
    if (client === undefined) return unlimited
    if (typeof client !== 'string' || client === '') throw new BadArgumentError('by gives a text that is not empty, or undefined')
    try {
      return this.#verdictOn(await this.#counter.increment(client))
    } catch (error) {
      if (!isStoreFailure(error)) throw error
      return this.#options.fails === 'open' ? unlimited : { status: 503, headers: { 'Retry-After': retryAfter } }
    }
  }

  /** As draft-ietf-httpapi-ratelimit-headers-10 has it, sections 3 and 4. */
  #verdictOn({ count, resetsIn }: Count): Verdict {
    const { limit } = this.#options
    const seconds = Math.max(1, Math.ceil(resetsIn / 1000))
    const headers = {
      'RateLimit-Policy': this.#policy,
      RateLimit: `"${this.#name}";r=${Math.max(0, limit - count)};t=${seconds}`,
    }
    if (count <= limit) return { status: undefined, headers }
    return { status: 429, headers: { ...headers, 'Retry-After': `${seconds}` } }
  }
}

const unlimited: Verdict = { status: undefined, headers: {} }

/** What visitors read. */
export function textOf(status: 429 | 503): string {
  return status === 429 ? 'Too Many Requests' : 'Service Unavailable'
}

function assertCounter(owner: string, counter: unknown): void {
  if (typeof (counter as Partial<Counter> | undefined)?.increment === 'function') return
  throw new BadConfigError(`${owner} takes a counter of createShared first: ${owner}(shared.requests, { … })`)
}
