import { Redis } from 'ioredis'
import type { Addresses } from '../lib/addresses.js'
import { bareClient } from './bare-client.js'
import type { Client } from './client.js'

/** ioredis on redis-server, as it is and with the commands of a tick sent together. */
export function openIoredis({ redisPort }: Addresses, enableAutoPipelining: boolean): Promise<Client> {
  const open = () => new Redis({ host: '127.0.0.1', port: redisPort, enableAutoPipelining })
  const redis = open()
  const transactions: Redis[] = []
  return bareClient({
    set: (key, value) => redis.set(key, value),
    get: (key) => redis.get(key),
    // WATCH belongs to a connection: each update that is in flight needs one of its own.
    update: async (key, change, slot) => {
      transactions[slot] ??= open()
      await update(transactions[slot], key, change)
    },
  })
}

/** The loop that Redis has for compare-and-swap. Resolves with the number of conflicts that came before. */
export async function update(redis: Redis, key: string, change: (value: string) => string): Promise<number> {
  for (let conflicts = 0; ; conflicts++) {
    const [, value] = await Promise.all([redis.watch(key), redis.get(key)])
    const results = await redis
      .multi()
      .set(key, change(String(value)))
      .exec()
    if (results !== null) return conflicts
  }
}
