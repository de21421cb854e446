import Memcached from 'memcached'
import type { Addresses } from '../lib/addresses.js'
import { bareClient } from './bare-client.js'
import type { Client } from './client.js'

/** The package `memcached`, the client behind connect-memcached. */
export function openMemcached({ memcached }: Addresses): Promise<Client> {
  const client = new Memcached(memcached, { timeout: 5_000 })
  return bareClient({
    set: (key, value) => promised((done) => client.set(key, value, 0, done)),
    get: (key) => promised<string | undefined>((done) => client.get(key, done)),
    update: async (key, change) => {
      while (!(await swapped(client, key, change))) {}
    },
  })
}

async function swapped(client: Memcached, key: string, change: (value: string) => string): Promise<boolean> {
  const found = await promised<{ [key: string]: unknown; cas: string }>((done) => client.gets(key, done))
  // It stores numbers as text and gives text that looks like a number back as one.
  return promised((done) => client.cas(key, change(String(found[key])), found.cas, 0, done))
}

function promised<T>(call: (done: (error: unknown, result: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error ? reject(error) : resolve(result)))
  })
}
