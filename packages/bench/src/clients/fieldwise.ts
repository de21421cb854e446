import { createSessions, type SessionOf } from 'fieldwise'
import type { Addresses } from '../lib/addresses.js'
import { measure } from '../lib/meter.js'
import { patientRetry, patientStore, type StoreProtocol } from '../lib/store.js'
import { note, profile, schema, visited } from '../lib/values.js'
import { expectFound } from './bare-client.js'
import { type Client, indexOf, type Kind, population } from './client.js'

/** `opened`: sessions whose token was verified before. `resumed`: each operation is the first of a request and verifies its token. */
type Opening = 'opened' | 'resumed'

export async function openFieldwise({ memcached }: Addresses, protocol: StoreProtocol, opening: Opening): Promise<Client> {
  const sessions = createSessions({ schema, store: patientStore(memcached, protocol), retry: patientRetry })
  const opened = await Promise.all(Array.from({ length: population }, () => sessions.create({ profile, note, visits: 0 })))
  const tokens = opened.map((session) => session.token)
  type MySession = SessionOf<typeof sessions>
  const operations: Record<Kind, (session: MySession) => Promise<unknown>> = {
    'get text': async (session) => expectFound(await session.get('note')),
    'get object': async (session) => expectFound(await session.get('profile')),
    'update number': (session) => session.update('visits', (visits) => visits + 1),
    'update object': (session) => session.update('profile', (value) => visited(expectFound(value))),
  }
  const sessionOf = (index: number) => (opening === 'opened' ? (opened[index] as MySession) : sessions.resume(tokens[index]))
  return {
    measure: (kind, inFlight, milliseconds) =>
      measure(inFlight, milliseconds, (slot, turn) => operations[kind](sessionOf(indexOf(slot, turn, inFlight)))),
  }
}
