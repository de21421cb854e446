import Memcached from 'memcached'
import type { Addresses } from '../lib/addresses.js'
import { profile, visitedJson } from '../lib/profile.js'
import { type Client, keyOf, population } from './client.js'
import { expectFound, simpleClient } from './simple-client.js'

/** The package `memcached`, the client behind connect-memcached. */
export async function openMemcached({ memcached }: Addresses): Promise<Client> {
  const client = new Memcached(memcached, { timeout: 5_000 })
  for (let index = 0; index < population; index++) await stored(client, keyOf(index))
  return simpleClient({
    get: async (index) => expectFound(await got(client, keyOf(index))),
    update: async (index) => {
      while (!(await swapped(client, keyOf(index)))) {}
    },
  })
}

function stored(client: Memcached, key: string): Promise<boolean> {
  return promised((done) => client.set(key, JSON.stringify(profile), 0, done))
}

function got(client: Memcached, key: string): Promise<string | undefined> {
  return promised((done) => client.get(key, done))
}

async function swapped(client: Memcached, key: string): Promise<boolean> {
  const found = await promised<{ [key: string]: string; cas: string }>((done) => client.gets(key, done))
  return promised((done) => client.cas(key, visitedJson(found[key] as string), found.cas, 0, done))
}

function promised<T>(call: (done: (error: unknown, result: T) => void) => void): Promise<T> {
  return new Promise((resolve, reject) => {
    call((error, result) => (error ? reject(error) : resolve(result)))
  })
}
