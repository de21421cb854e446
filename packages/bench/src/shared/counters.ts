import { cached, counter, createShared } from 'fieldwise/shared'
import { Redis } from 'ioredis'
import Memcached from 'memcached'
import { RateLimiterMemcache, RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import { z } from 'zod'
import { oneMore } from '../clients/bare-client.js'
import { RawMeta } from '../clients/raw-meta.js'
import type { Addresses } from '../lib/addresses.js'
import { patientRetry, patientStore, type StoreProtocol } from '../lib/store.js'
import { profile } from '../lib/values.js'

/** One candidate. An operation that it does not have is left out. */
export interface Sharer {
  /** Adds one to the counter of an id, and resolves with what it is then. */
  increment(id: string): Promise<number>
  /** Reads the object of six properties under an id, which is there. */
  read?(id: string): Promise<unknown>
}

/** A window that does not end while it is measured. */
const hour = 3_600
const most = 1_000_000_000

export const sharers = {
  'raw socket, compare-and-swap': openRaw,
  'hand-written incr': openIncr,
  'rate-limiter-flexible, memcached': openLimiterMemcached,
  'rate-limiter-flexible, Redis': openLimiterRedis,
  'Fieldwise binary': (addresses: Addresses) => openFieldwise(addresses, 'binary'),
  'Fieldwise meta': (addresses: Addresses) => openFieldwise(addresses, 'meta'),
} satisfies Record<string, (addresses: Addresses) => Promise<Sharer>>

export type SharerName = keyof typeof sharers

/** Reads, changes and stores if the version is the same, and checks nothing else. */
async function openRaw({ memcached }: Addresses): Promise<Sharer> {
  const wire = await RawMeta.connect(memcached)
  const known = new Set<string>()
  const value = JSON.stringify(profile)
  const increment = async (id: string): Promise<number> => {
    let count = 0
    const change = (text: string) => {
      const next = oneMore(text)
      count = Number(next)
      return next
    }
    await new Promise((resolve) => wire.update(id, change, resolve))
    return count
  }
  return {
    increment: async (id) => {
      if (known.has(id)) return increment(id)
      await wire.set(id, '0')
      known.add(id)
      return increment(id)
    },
    read: async (id) => {
      const key = `raw ${id}`.replace(' ', ':')
      if (!known.has(key)) {
        await wire.set(key, value)
        known.add(key)
      }
      return new Promise((resolve) => wire.mg(key, (_head, data) => resolve(JSON.parse(data))))
    },
  }
}

/** `incr`, and `add` where there is nothing: as one writes it by hand. */
async function openIncr({ memcached }: Addresses): Promise<Sharer> {
  const client = new Memcached(memcached, { timeout: 5_000 })
  const increment = async (id: string): Promise<number> => {
    const count = await promised<number | boolean>((done) => client.incr(`incr:${id}`, 1, done))
    if (typeof count === 'number') return count
    const isFirst = await promised<boolean>((done) => client.add(`incr:${id}`, 1, hour, done)).catch(() => false)
    return isFirst ? 1 : increment(id)
  }
  return { increment }
}

async function openLimiterMemcached({ memcached }: Addresses): Promise<Sharer> {
  const storeClient = new Memcached(memcached, { timeout: 5_000 })
  return limiting(new RateLimiterMemcache({ storeClient, points: most, duration: hour, keyPrefix: 'rlf' }))
}

async function openLimiterRedis({ redisPort }: Addresses): Promise<Sharer> {
  const storeClient = new Redis({ host: '127.0.0.1', port: redisPort })
  return limiting(new RateLimiterRedis({ storeClient, points: most, duration: hour, keyPrefix: 'rlf' }))
}

function limiting(limiter: RateLimiterMemcache | RateLimiterRedis): Sharer {
  return {
    increment: async (id) => {
      const consumed = await limiter.consume(id)
      if (!(consumed instanceof RateLimiterRes)) throw new Error('it did not say how much was consumed')
      return consumed.consumedPoints
    },
  }
}

async function openFieldwise({ memcached }: Addresses, protocol: StoreProtocol): Promise<Sharer> {
  const object = z.object({
    name: z.string(),
    email: z.string(),
    role: z.string(),
    theme: z.string(),
    locale: z.string(),
    visits: z.int(),
  })
  const shared = createShared({
    store: patientStore(memcached, protocol),
    retry: patientRetry,
    // The protocols count apart.
    prefix: `${protocol}:`,
    kinds: { visits: counter({ window: '1h' }), profile: cached(object, { expires: '1h' }) },
  })
  return {
    increment: async (id) => (await shared.visits.increment(id)).count,
    read: (id) => shared.profile.get(id, () => profile),
  }
}

function promised<T>(call: (done: (error: unknown, result: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error ? reject(error) : resolve(result)))
  })
}
