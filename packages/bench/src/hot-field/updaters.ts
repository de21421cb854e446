import type { Addresses } from '../lib/addresses.js'
import { openFieldwise } from './fieldwise.js'
import { openMemjsLoop } from './memjs-loop.js'
import { openRawLoop } from './raw-loop.js'
import { openRedisLock } from './redis-lock.js'
import { openRedisWatch } from './redis-watch.js'
import type { Updater } from './updater.js'

const bare = {
  'naive loop, raw socket': openRawLoop,
  'naive loop, memjs': openMemjsLoop,
  'Redis WATCH/MULTI': openRedisWatch,
  'Redis lock (SET NX)': openRedisLock,
}

const protocols = { 'Fieldwise binary': 'binary', 'Fieldwise meta': 'meta' } as const

export type UpdaterName = keyof typeof bare | keyof typeof protocols

/** All candidates, in the order in which they are shown. */
export const updaterNames = [...Object.keys(bare), ...Object.keys(protocols)] as UpdaterName[]

/** `found`: what the first process of this candidate gave; without it this is the first one. */
export async function openUpdater(
  name: UpdaterName,
  addresses: Addresses,
  found: string | undefined,
): Promise<{ updater: Updater; found: string }> {
  if (name === 'Fieldwise binary' || name === 'Fieldwise meta') {
    const { updater, token } = await openFieldwise(addresses, found, protocols[name])
    return { updater, found: token ?? '' }
  }
  return { updater: await bare[name](addresses, found === undefined), found: '' }
}
