import { Redis } from 'ioredis'
import { update } from '../clients/ioredis.js'
import type { Addresses } from '../lib/addresses.js'
import { type Profile, profile, visitedJson } from '../lib/values.js'
import { hotKey, type Updater } from './updater.js'

/** `WATCH`/`MULTI` by ioredis, with a connection for each updater. */
export async function openRedisWatch({ redisPort }: Addresses, isFirst: boolean): Promise<Updater> {
  const open = () => new Redis({ host: '127.0.0.1', port: redisPort })
  const redis = open()
  const transactions: Redis[] = []
  if (isFirst) await redis.set(hotKey, JSON.stringify(profile))
  return {
    update: (slot) => {
      transactions[slot] ??= open()
      return update(transactions[slot], hotKey, visitedJson)
    },
    visits: async () => (JSON.parse(String(await redis.get(hotKey))) as Profile).visits,
  }
}
