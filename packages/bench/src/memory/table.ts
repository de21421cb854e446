import { randomUUID } from 'node:crypto'
import { createSessions } from 'fieldwise'
import { z } from 'zod'
import { count, ratio } from '../lib/figures.js'
import { Memcached } from '../lib/memcached.js'
import { Redis } from '../lib/redis.js'
import { connectMemcached, connectRedis, disconnect, type SessionStore, save } from '../lib/session-stores.js'
import { patientStore } from '../lib/store.js'
import type { Scale, Section, Table } from '../lib/table.js'

const fieldCounts = [0, 1, 5, 20, 50]
const value = 'a text of some forty characters, no more.'
const jsonBytes = JSON.stringify(value).length

export const memoryTable: Table = {
  name: 'memory',
  title: 'Memory: what a session takes in the store',
  async run(scale: Scale): Promise<Section> {
    const sessions = scale.isQuick ? 500 : 5_000
    const sizes: Sizes[] = []
    for (const fields of fieldCounts) {
      scale.screen.step(`storing: ${sessions} sessions of ${fields} fields`)
      sizes.push(await sizesWith(fields, sessions))
    }
    const bare = sizes[0] as Sizes
    return {
      text,
      grids: [
        {
          caption: `bytes for each of ${sessions.toLocaleString('en')} sessions`,
          columns: [
            'fields',
            'JSON of the fields',
            'Fieldwise',
            'each item besides its JSON',
            'each entry of the manifest',
            'connect-memcached',
            'Fieldwise against it',
            'connect-redis',
          ],
          rows: sizes.map(({ fields, fieldwise, header, memcached, redis }) => [
            String(fields),
            count(fields * jsonBytes),
            count(fieldwise),
            fields === 0 ? '' : count((fieldwise - bare.fieldwise - (header - bare.header)) / fields - jsonBytes),
            fields === 0 ? '' : count((header - bare.header) / fields),
            count(memcached),
            ratio(fieldwise / memcached),
            count(redis),
          ]),
        },
      ],
      charts: [
        {
          name: 'memory',
          title: 'Memory of a session in the store',
          unit: 'bytes, by the number of its fields (texts of 40 characters); less is better',
          kind: 'bars',
          categories: sizes.map(({ fields }) => `${fields} fields`),
          series: [
            { name: 'Fieldwise', values: sizes.map(({ fieldwise }) => fieldwise) },
            { name: 'connect-memcached, one blob', values: sizes.map(({ memcached }) => memcached) },
            { name: 'connect-redis, one blob', values: sizes.map(({ redis }) => redis) },
          ],
        },
      ],
    }
  },
}

const text = `The same fields, texts of 40 characters under names of 12:
Fieldwise keeps them as one item per field and a header, the stores of express-session as one blob.
For memcached, the figure is what it counts as the bytes of its items,
including their headers (56 bytes), keys and framing.
Slabs round each item up to the next of their sizes, by up to a quarter.
For Redis, it is the growth of \`used_memory\`.
A field takes an item, and an entry in the manifest, which is in the header.`

interface Sizes {
  readonly fields: number
  readonly fieldwise: number
  /** The length of the header's value. */
  readonly header: number
  readonly memcached: number
  readonly redis: number
}

/** Bytes a session, each way of keeping it in a server of its own. */
async function sizesWith(fields: number, sessions: number): Promise<Sizes> {
  const values = Object.fromEntries(Array.from({ length: fields }, (_, index) => [nameOf(index), value]))
  await using ours = await Memcached.start()
  await using theirs = await Memcached.start()
  await using redis = await Redis.start()
  const addresses = { memcached: theirs.address, redisPort: redis.port }
  const before = await usedBy(redis)
  const sid = await createAll(ours.address, values, sessions)
  await saveAll(connectMemcached(addresses), values, sessions)
  await saveAll(await connectRedis(addresses), values, sessions)
  return {
    fields,
    fieldwise: (await itemBytes(ours)) / sessions,
    header: await ours.valueLength(`${sid}:@`),
    memcached: (await itemBytes(theirs)) / sessions,
    redis: ((await usedBy(redis)) - before) / sessions,
  }
}

/** Resolves with the id of one of them. */
async function createAll(address: string, values: Record<string, string>, count: number): Promise<string> {
  const shape = Object.fromEntries(Object.keys(values).map((name) => [name, z.string()]))
  const sessions = createSessions({ schema: z.object(shape), store: patientStore(address, 'meta') })
  let sid = ''
  for (let created = 0; created < count; created += batch) {
    const [session] = await Promise.all(Array.from({ length: batch }, () => sessions.create(values)))
    sid = session?.id ?? sid
  }
  await sessions.close()
  return sid
}

async function saveAll(store: SessionStore, values: Record<string, string>, count: number): Promise<void> {
  // What express-session keeps of the cookie.
  const cookie = { originalMaxAge: null, expires: null, httpOnly: true, path: '/' }
  for (let saved = 0; saved < count; saved += batch) {
    await Promise.all(Array.from({ length: batch }, () => save(store, randomUUID(), { cookie, ...values })))
  }
  disconnect(store)
}

const batch = 100

async function itemBytes(memcached: Memcached): Promise<number> {
  return (await memcached.stats()).get('bytes') ?? Number.NaN
}

async function usedBy(redis: Redis): Promise<number> {
  return Number((await redis.info()).get('used_memory'))
}

/** Twelve characters. */
function nameOf(index: number): string {
  return `field_${String(index).padStart(6, '0')}`
}
