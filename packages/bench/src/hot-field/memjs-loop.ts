import { Client as Memjs } from 'memjs'
import { MemjsCas } from '../clients/memjs.js'
import type { Addresses } from '../lib/addresses.js'
import { type Profile, profile, visitedJson } from '../lib/values.js'
import { hotKey, type Updater } from './updater.js'

/** A naive compare-and-swap loop, as one would write it with memjs. */
export async function openMemjsLoop({ memcached }: Addresses, isFirst: boolean): Promise<Updater> {
  const memjs = Memjs.create(memcached, { timeout: 5 })
  if (isFirst) await memjs.set(hotKey, JSON.stringify(profile), {})
  const cas = new MemjsCas(memjs)
  return {
    update: () => cas.update(hotKey, visitedJson),
    visits: async () => (JSON.parse(String((await memjs.get(hotKey)).value)) as Profile).visits,
  }
}
