import { randomUUID } from 'node:crypto'
import { createSessions } from 'fieldwise'
import { Client as Memjs } from 'memjs'
import { z } from 'zod'
import type { Addresses } from '../lib/addresses.js'
import { connectMemcached, connectRedis, type KeptSession, load, type SessionStore, save } from '../lib/session-stores.js'
import { patientRetry, patientStore, type StoreProtocol } from '../lib/store.js'
import { fieldNames, type Holder, next, share, small, values } from './holder.js'

type OpenHolder = (addresses: Addresses, bytes: number) => Promise<Holder>

/** All candidates, in the order in which they are shown. */
export const holders = {
  'Fieldwise meta, the small field': (addresses, bytes) => openFieldwise(addresses, bytes, 'meta', small),
  'Fieldwise binary, the small field': (addresses, bytes) => openFieldwise(addresses, bytes, 'binary', small),
  'Fieldwise meta, another field': (addresses, bytes) => openFieldwise(addresses, bytes, 'meta', share),
  'memjs, one blob': openMemjs,
  'connect-memcached': (addresses, bytes) => openStore(connectMemcached(addresses), bytes),
  'connect-redis': async (addresses, bytes) => openStore(await connectRedis(addresses), bytes),
} satisfies Record<string, OpenHolder>

export type HolderName = keyof typeof holders

async function openFieldwise({ memcached }: Addresses, bytes: number, protocol: StoreProtocol, field: string): Promise<Holder> {
  const schema = z.object(Object.fromEntries(fieldNames.map((name) => [name, z.string()])))
  const sessions = createSessions({ schema, store: patientStore(memcached, protocol), retry: patientRetry })
  const session = await sessions.create(values(bytes))
  return {
    read: () => session.get(field),
    write: () => session.update(field, (value) => next(value ?? '')),
  }
}

/** The whole session under one key, read and written as JSON. */
async function openMemjs({ memcached }: Addresses, bytes: number): Promise<Holder> {
  const memjs = Memjs.create(memcached, { timeout: 5 })
  const key = `bench:${randomUUID()}`
  const read = async () => JSON.parse(String((await memjs.get(key)).value)) as Record<string, string>
  const write = (session: Record<string, string>) => memjs.set(key, JSON.stringify(session), {})
  await write(values(bytes))
  return { read: async () => (await read())[small], write: async () => write(changed(await read())) }
}

async function openStore(store: SessionStore, bytes: number): Promise<Holder> {
  const sid = randomUUID()
  await save(store, sid, { cookie: { originalMaxAge: null }, ...values(bytes) })
  return {
    read: async () => (await load(store, sid))[small],
    write: async () => save(store, sid, changed(await load(store, sid))),
  }
}

function changed<T extends Record<string, unknown> | KeptSession>(session: T): T {
  return { ...session, [small]: next(String(session[small])) }
}
