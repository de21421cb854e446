import { randomUUID } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import { Redis } from 'ioredis'
import type { Addresses } from '../lib/addresses.js'
import { type Profile, profile, visitedJson } from '../lib/values.js'
import { hotKey, type Updater } from './updater.js'

/** A lock around reading and writing, as phpredis holds one for a whole request: `SET NX`, asked for again after its default 20 ms. */
export async function openRedisLock({ redisPort }: Addresses, isFirst: boolean): Promise<Updater> {
  const redis = new Redis({ host: '127.0.0.1', port: redisPort })
  if (isFirst) await redis.set(lockedKey, JSON.stringify(profile))
  return {
    update: async () => {
      const mine = randomUUID()
      const waits = await lock(redis, mine)
      await redis.set(lockedKey, visitedJson(String(await redis.get(lockedKey))))
      await redis.eval(unlock, 1, lockKey, mine)
      return waits
    },
    visits: async () => (JSON.parse(String(await redis.get(lockedKey))) as Profile).visits,
  }
}

const lockedKey = `${hotKey}:locked`
const lockKey = `${lockedKey}:lock`
const unlock = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"

async function lock(redis: Redis, mine: string): Promise<number> {
  for (let waits = 0; ; waits++) {
    if ((await redis.set(lockKey, mine, 'PX', 30_000, 'NX')) === 'OK') return waits
    await sleep(20)
  }
}
