import { MemcacheClient } from 'memcache-client'
import type { Addresses } from '../lib/addresses.js'
import { bareClient } from './bare-client.js'
import type { Client } from './client.js'

export function openMemcacheClient({ memcached }: Addresses): Promise<Client> {
  const client = new MemcacheClient({ server: memcached, cmdTimeout: 5_000 })
  return bareClient({
    set: (key, value) => client.set(key, value, forEver),
    get: async (key) => (await client.get<string>(key))?.value,
    update: async (key, change) => {
      while (!(await swapped(client, key, change))) {}
    },
  })
}

async function swapped(client: MemcacheClient, key: string, change: (value: string) => string): Promise<boolean> {
  const { value, casUniq } = await client.gets<string>(key)
  try {
    await client.cas(key, change(value as string), { ...forEver, casUniq: casUniq as string })
    return true
  } catch (error) {
    if (String(error).includes('EXISTS')) return false
    throw error
  }
}

/** Else it is a minute. */
const forEver = { lifetime: 0 }
