import { createHash, randomBytes } from 'node:crypto'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import * as z from 'zod'
import { createSessions } from '../../packages/fieldwise/src/index.js'
import { memcachedStore } from '../../packages/memcached/src/index.js'
import { Memcached, textCommand } from '../support/memcached.js'
import { count, measured } from '../support/promise.js'
import { scaled } from '../support/scale.js'

const schema = z.object({ username: z.string(), visits: z.int().default(0) })
const key = randomBytes(32).toString('base64url')

test.for([
  ['plain', undefined],
  ['sealed', { keys: [key] }],
] as const)(
  'a dump of every key and value of memcached holds nothing that opens a session (%s)',
  async ([, sealing], context) => {
    await using server = await Memcached.start()
    await using sessions = createSessions({
      schema,
      store: memcachedStore(server.address, { timeout: '20s' }),
      ...(sealing && { sealing }),
    })
    const made = await Promise.all(
      Array.from({ length: scaled(50) }, (_, index) => sessions.create({ username: `visitor ${index}` })),
    )
    const [quarter, half] = [Math.ceil(made.length / 4), Math.ceil(made.length / 2)]
    for (const session of made.slice(0, half)) await session.regenerate({ grace: '10m' })
    const counted = made.slice(quarter, 3 * quarter)
    for (const session of counted) await session.increment('visits')
    const sids = made.map((session) => session.id as string)

    const dump = await dumpOf(server)
    expect(dump.length).toBe(2 * made.length + counted.length)
    const candidates = new Set<string>()
    for (const text of dump.flatMap(({ key, value }) => [...replays(Buffer.from(key)), ...replays(value)])) candidates.add(text)
    // What looks like a secret is tried with the session it was found in.
    for (const { key, value } of dump) {
      const sid = sids.find((one) => key.startsWith(one)) as string
      for (let start = 0; start + 32 <= value.length; start++)
        candidates.add(`${sid}.${value.toString('base64url', start, start + 32)}`)
      for (const hash of [value, createHash('sha256').update(value).digest()])
        candidates.add(`${sid}.${hash.toString('base64url', 0, 32)}`)
    }
    let accepted = 0
    for (const candidate of candidates) {
      if ((await sessions.open(candidate)) !== null) accepted++
      const resumed = sessions.resume(candidate)
      if (resumed.state === 'unopened' && (await resumed.has('username'))) accepted++
    }
    measured(context, `${count(candidates.size)} tokens made of ${count(dump.length)} items`, `${accepted} accepted`)
    expect(accepted).toBe(0)
    expect(candidates.size).toBeGreaterThan(40 * made.length)
    // The dump is of living sessions.
    for (const session of made) expect(await sessions.open(session.token as string)).not.toBeNull()
  },
)

/** What somebody who has these bytes might send as a token. */
function replays(bytes: Buffer): string[] {
  return [
    bytes.toString('latin1'),
    bytes.toString('base64url'),
    bytes.toString('hex'),
    decodeURIComponent(encodeURIComponent(bytes.toString())),
  ]
}

interface DumpedItem {
  readonly key: string
  readonly value: Buffer
}

async function dumpOf(server: Memcached): Promise<DumpedItem[]> {
  const keys = await textCommand(server, 'lru_crawler metadump all', 'END\r\n')
  const names = [...keys.matchAll(/^key=(\S+)/gm)].map(([, name]) => decodeURIComponent(name as string))
  return Promise.all(names.map(async (name) => ({ key: name, value: await rawValue(server, name) })))
}

/** The value of an item, byte for byte. */
function rawValue(server: Memcached, name: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1')
    let answer = Buffer.alloc(0)
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      answer = Buffer.concat([answer, chunk])
      const head = answer.indexOf('\r\n')
      const length = Number(answer.toString('latin1', 0, head).split(' ')[1])
      if (head === -1 || answer.length < head + 2 + length + 2) return
      socket.destroy()
      resolve(answer.subarray(head + 2, head + 2 + length))
    })
    socket.write(`mg ${name} v\r\n`)
  })
}
