import { createClient, WatchError } from 'redis'
import type { Addresses } from '../lib/addresses.js'
import { bareClient } from './bare-client.js'
import type { Client } from './client.js'

/** The package `redis`, the client behind connect-redis. */
export async function openNodeRedis({ redisPort }: Addresses): Promise<Client> {
  const redis = await connected(redisPort)
  const transactions: RedisClient[] = []
  return bareClient({
    set: (key, value) => redis.set(key, value),
    get: (key) => redis.get(key),
    // WATCH belongs to a connection: each update that is in flight needs one of its own.
    update: async (key, change, slot) => {
      transactions[slot] ??= await connected(redisPort)
      while (!(await swapped(transactions[slot], key, change))) {}
    },
  })
}

type RedisClient = Awaited<ReturnType<typeof connected>>

async function connected(port: number) {
  return createClient({ socket: { host: '127.0.0.1', port } })
    .on('error', (error) => {
      throw error
    })
    .connect()
}

async function swapped(redis: RedisClient, key: string, change: (value: string) => string): Promise<boolean> {
  const [, value] = await Promise.all([redis.watch(key), redis.get(key)])
  try {
    await redis
      .multi()
      .set(key, change(String(value)))
      .exec()
    return true
  } catch (error) {
    if (error instanceof WatchError) return false
    throw error
  }
}
