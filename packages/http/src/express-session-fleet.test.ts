import { memcachedStore } from '@fieldwise/memcached'
import { createSessions, type Defaulted, type Fields } from 'fieldwise'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { z } from 'zod'
import { Memcached } from '../../../test/support/memcached.js'
import { Store } from './express-session.js'
import { AppRequest, middleware } from './testing/express-session.js'

const schema = z.object({ cookie: z.json(), visits: z.int() }).catchall(z.json())
const visitors = 24

let servers: readonly [Memcached, Memcached, Memcached]
const opened: AsyncDisposable[] = []

beforeEach(async () => {
  servers = await Promise.all([Memcached.start(), Memcached.start(), Memcached.start()])
})

afterEach(async () => {
  for (const each of [...opened.splice(0), ...servers]) await each[Symbol.asyncDispose]()
})

type ShopStore = Store<Fields<typeof schema>, Defaulted<typeof schema>>

function storeOn(count: number, before?: ShopStore): ShopStore {
  const fleet = servers.slice(0, count).map(({ address }, index) => [`server${index}`, address])
  const store = memcachedStore(Object.fromEntries(fleet), { timeout: '5s', retryInterval: '1m' })
  const sessions = createSessions({ schema, store })
  opened.push(sessions)
  const made = new Store(sessions, before ? { readThrough: before } : {})
  middleware(made)
  return made
}

async function begin(store: ReturnType<typeof storeOn>): Promise<string> {
  const request = AppRequest.begin(store)
  request.session.visits = 1
  await request.save()
  return request.session.id
}

const all = <T>(work: (index: number) => Promise<T>) => Promise.all(Array.from({ length: visitors }, (_, index) => work(index)))

test('with a server down its sessions are errors, the others are found, and new ones begin', async () => {
  const store = storeOn(3)
  const ids = await all(() => begin(store))
  await servers[1].stop()
  const found = await Promise.allSettled(ids.map((id) => AppRequest.come(store, id)))
  const failed = found.filter((result) => result.status === 'rejected')
  expect(failed.length).toBeGreaterThan(0)
  for (const { reason } of failed) expect(reason).toMatchObject({ code: 'STORE_UNAVAILABLE', status: 503 })
  const served = found.filter((result) => result.status === 'fulfilled')
  expect(served.map(({ value }) => value?.session.visits)).toEqual(served.map(() => 1))
  const later = await all(() => begin(store))
  expect(await Promise.all(later.map(async (id) => (await AppRequest.come(store, id))?.session.visits))).toEqual(
    later.map(() => 1),
  )
})

test('one more server, and nobody is logged out who is read through to the servers before', async () => {
  const before = storeOn(2)
  const ids = await all(() => begin(before))
  const alone = storeOn(3)
  const gone = (await Promise.all(ids.map((id) => AppRequest.come(alone, id)))).filter((request) => request === undefined)
  expect(gone.length).toBeGreaterThan(0)
  const grown = storeOn(3, before)
  const requests = await Promise.all(ids.map((id) => AppRequest.come(grown, id)))
  expect(requests.map((request) => request?.session.visits)).toEqual(ids.map(() => 1))
  await Promise.all(requests.map((request) => request?.destroy()))
  expect(await Promise.all(ids.map((id) => AppRequest.come(grown, id)))).toEqual(ids.map(() => undefined))
})
