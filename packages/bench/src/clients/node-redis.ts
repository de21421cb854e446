import { createClient, WatchError } from 'redis'
import type { Addresses } from '../lib/addresses.js'
import { profile, visitedJson } from '../lib/profile.js'
import { type Client, keyOf, population } from './client.js'
import { expectFound, simpleClient } from './simple-client.js'

/** The package `redis`, the client behind connect-redis. */
export async function openNodeRedis({ redisPort }: Addresses): Promise<Client> {
  const redis = await connected(redisPort)
  const transactions: RedisClient[] = []
  for (let index = 0; index < population; index++) await redis.set(keyOf(index), JSON.stringify(profile))
  return simpleClient({
    get: async (index) => expectFound(await redis.get(keyOf(index))),
    // WATCH belongs to a connection: each update that is in flight needs one of its own.
    update: async (index, slot) => {
      transactions[slot] ??= await connected(redisPort)
      while (!(await swapped(transactions[slot], keyOf(index)))) {}
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

async function swapped(redis: RedisClient, key: string): Promise<boolean> {
  const [, json] = await Promise.all([redis.watch(key), redis.get(key)])
  try {
    await redis
      .multi()
      .set(key, visitedJson(json as string))
      .exec()
    return true
  } catch (error) {
    if (error instanceof WatchError) return false
    throw error
  }
}
