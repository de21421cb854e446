import { createSessions } from 'fieldwise'
import type { Addresses } from '../lib/addresses.js'
import { patientRetry, patientStore, type StoreProtocol } from '../lib/store.js'
import { profile, schema, visited } from '../lib/values.js'
import type { Updater } from './updater.js'

/** `session.update`: combined within the process, compare-and-swap between processes. All else is as by default. */
export async function openFieldwise(addresses: Addresses, token: string | undefined, protocol: StoreProtocol) {
  const sessions = createSessions({ schema, store: patientStore(addresses.memcached, protocol), retry: patientRetry })
  const session = token === undefined ? await sessions.create({ profile }) : sessions.resume(token)
  const updater: Updater = {
    update: async () => {
      await session.update('profile', (value) => visited(value ?? profile))
      return 0
    },
    visits: async () => (await session.get('profile'))?.visits ?? 0,
  }
  await updater.visits()
  return { updater, token: session.token }
}
