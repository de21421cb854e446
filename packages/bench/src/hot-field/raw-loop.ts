import { RawMeta } from '../clients/raw-meta.js'
import type { Addresses } from '../lib/addresses.js'
import { type Profile, profile, visitedJson } from '../lib/values.js'
import { hotKey, type Updater } from './updater.js'

/** A naive compare-and-swap loop, on the fastest connection there is. */
export async function openRawLoop({ memcached }: Addresses, isFirst: boolean): Promise<Updater> {
  const wire = await RawMeta.connect(memcached)
  if (isFirst) await wire.set(hotKey, JSON.stringify(profile))
  return {
    update: () => new Promise((resolve) => wire.update(hotKey, visitedJson, resolve)),
    visits: () => new Promise((resolve) => wire.mg(hotKey, (_head, data) => resolve((JSON.parse(data) as Profile).visits))),
  }
}
