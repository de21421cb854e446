import { MemcacheClient } from 'memcache-client'
import type { Addresses } from '../lib/addresses.js'
import { profile, visitedJson } from '../lib/profile.js'
import { type Client, keyOf, population } from './client.js'
import { expectFound, simpleClient } from './simple-client.js'

export async function openMemcacheClient({ memcached }: Addresses): Promise<Client> {
  const client = new MemcacheClient({ server: memcached, cmdTimeout: 5_000 })
  for (let index = 0; index < population; index++) await client.set(keyOf(index), JSON.stringify(profile))
  return simpleClient({
    get: async (index) => expectFound(await client.get<string>(keyOf(index))).value,
    update: async (index) => {
      while (!(await swapped(client, keyOf(index)))) {}
    },
  })
}

async function swapped(client: MemcacheClient, key: string): Promise<boolean> {
  const { value, casUniq } = await client.gets<string>(key)
  try {
    await client.cas(key, visitedJson(value as string), { casUniq: casUniq as string })
    return true
  } catch (error) {
    if (String(error).includes('EXISTS')) return false
    throw error
  }
}
