import { Redis } from 'ioredis'
import type { Addresses } from '../lib/addresses.js'
import { profile, visitedJson } from '../lib/profile.js'
import { type Client, keyOf, population } from './client.js'
import { expectFound, simpleClient } from './simple-client.js'

/** ioredis on redis-server, as it is and with the commands of a tick sent together. */
export async function openIoredis({ redisPort }: Addresses, enableAutoPipelining: boolean): Promise<Client> {
  const open = () => new Redis({ host: '127.0.0.1', port: redisPort, enableAutoPipelining })
  const redis = open()
  const transactions: Redis[] = []
  for (let index = 0; index < population; index++) await redis.set(keyOf(index), JSON.stringify(profile))
  return simpleClient({
    get: async (index) => expectFound(await redis.get(keyOf(index))),
    // WATCH belongs to a connection: each update that is in flight needs one of its own.
    update: async (index, slot) => {
      transactions[slot] ??= open()
      await update(transactions[slot], keyOf(index))
    },
  })
}

/** The loop that Redis has for compare-and-swap. Resolves with the number of conflicts that came before. */
export async function update(redis: Redis, key: string): Promise<number> {
  for (let conflicts = 0; ; conflicts++) {
    const [, json] = await Promise.all([redis.watch(key), redis.get(key)])
    const results = await redis
      .multi()
      .set(key, visitedJson(json as string))
      .exec()
    if (results !== null) return conflicts
  }
}
