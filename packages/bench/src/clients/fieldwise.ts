import { memcachedStore } from '@fieldwise/memcached'
import { createSessions } from 'fieldwise'
import type { Addresses } from '../lib/addresses.js'
import { profile, schema, visited } from '../lib/profile.js'
import { type Client, population } from './client.js'
import { expectFound, simpleClient } from './simple-client.js'

/** `opened`: sessions whose token was verified before. `resumed`: each operation is the first of a request and verifies its token. */
export type Opening = 'opened' | 'resumed'

export async function openFieldwise({ memcached }: Addresses, protocol: 'binary' | 'meta', opening: Opening): Promise<Client> {
  const store = memcachedStore(memcached, { protocol, timeout: '5s' })
  const sessions = createSessions({ schema, store, retry: { deadline: '10s' } })
  const opened = await Promise.all(Array.from({ length: population }, () => sessions.create({ profile })))
  const tokens = opened.map((session) => session.token)
  const sessionOf = (index: number) => (opening === 'opened' ? opened[index] : sessions.resume(tokens[index]))
  return simpleClient({
    get: async (index) => expectFound(await sessionOf(index)?.get('profile')),
    update: async (index) => sessionOf(index)?.update('profile', (value) => visited(expectFound(value))),
  })
}
