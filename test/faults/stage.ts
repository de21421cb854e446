import { memcachedStore } from '@fieldwise/memcached'
import { createSessions, type SealingOptions, type UsersOptions } from 'fieldwise'
import { z } from 'zod'
import { FaultProxy, type FaultProxyOptions } from '../support/fault-proxy.js'
import { Memcached, type MemcachedOptions } from '../support/memcached.js'
import { scaled } from '../support/scale.js'
import type { Protocol } from '../support/scripted-server.js'

/** For tests whose size depends on FIELDWISE_SIZE; a busy machine takes ten times as long as a quiet one. */
export const patient = { timeout: Math.max(180_000, scaled(120_000)) }

export const protocols: readonly Protocol[] = ['binary', 'meta']

const schema = z.object({
  tag: z.string(),
  list: z.array(z.string()).default([]),
  flash: z.string(),
  visits: z.int().default(0),
})

export interface ClientOptions {
  readonly timeout?: `${number}ms`
  readonly connectTimeout?: `${number}ms`
  /** How long one writing call may go on. */
  readonly patience?: `${number}ms`
  readonly retryInterval?: `${number}ms`
  readonly users?: UsersOptions | undefined
  readonly sealing?: SealingOptions | undefined
}

/** The servers, proxies and clients of one test; all of them end with it. */
export class Stage implements AsyncDisposable {
  readonly protocol: Protocol
  readonly #ends: AsyncDisposable[] = []

  constructor(protocol: Protocol) {
    this.protocol = protocol
  }

  async memcached(options?: MemcachedOptions): Promise<Memcached> {
    return this.#keep(await Memcached.start(options))
  }

  /** A proxy that follows the protocol if there is a `judge`. */
  async proxy(options: FaultProxyOptions): Promise<FaultProxy> {
    return this.#keep(await FaultProxy.start({ ...(options.judge && { protocol: this.protocol }), ...options }))
  }

  /** Another web server: sessions over a connection of their own. One server has the same name by whatever way it is reached. */
  sessions(
    servers: string | Record<string, string>,
    {
      timeout = '500ms',
      connectTimeout = '500ms',
      patience = '2000ms',
      retryInterval = '50ms',
      users,
      sealing,
    }: ClientOptions = {},
  ) {
    const store = memcachedStore(typeof servers === 'string' ? { main: servers } : servers, {
      protocol: this.protocol,
      timeout,
      connectTimeout,
      retryInterval,
    })
    return this.#keep(createSessions({ schema, store, retry: { deadline: patience }, users, sealing }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const end of this.#ends.splice(0).reverse()) await end[Symbol.asyncDispose]()
  }

  #keep<T extends AsyncDisposable>(end: T): T {
    this.#ends.push(end)
    return end
  }
}

/** For what is prepared, where nothing is to fail: a busy machine may take its time. */
export const unhurried: ClientOptions = { timeout: '10000ms', connectTimeout: '10000ms', patience: '10000ms' }

export type TestSessions = ReturnType<Stage['sessions']>
export type TestSession = ReturnType<TestSessions['resume']>
