import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { memcachedStore } from '@fieldwise/memcached'
import { createSessions } from 'fieldwise'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { Memcached } from './support/memcached.js'
import { root } from './support/packages.js'

/** The formula of the guide: its numbers in the order in which it gives them. */
const guide = readFileSync(join(root, 'packages/memcached/guides/running-a-fleet.md'), 'utf8')
const [session, field, sealed] = (/session = (\d+) .*\((\d+) \+ 2 x .*\n +\+ (\d+) for each item with sealing/.exec(guide) ?? [])
  .slice(1)
  .map(Number) as [number, number, number]

const key = randomBytes(32).toString('base64url')

test.each([
  { names: [], value: '', prefix: '', sealing: false },
  { names: ['a'], value: 'short', prefix: '', sealing: false },
  { names: ['username', 'a_longer_name', 'x'], value: 'a text of some forty characters, no more.', prefix: '', sealing: false },
  { names: ['cart', 'theme'], value: 'x'.repeat(1_000), prefix: 'shop:', sealing: true },
])('a session of the fields $names takes in memcached what the guide says', async ({ names, value, prefix, sealing }) => {
  await using server = await Memcached.start()
  await using sessions = createSessions({
    schema: z.object(Object.fromEntries(names.map((name) => [name, z.string()]))),
    store: memcachedStore(server.address),
    prefix,
    ...(sealing && { sealing: { keys: [key] } }),
  })
  const count = 20
  for (let created = 0; created < count; created++) await sessions.create(Object.fromEntries(names.map((name) => [name, value])))

  const items = names.length + 1
  const fields = names.map((name) => field + 2 * name.length + JSON.stringify(value).length)
  const told = session + fields.reduce((sum, bytes) => sum + bytes, 0) + items * (prefix.length + (sealing ? sealed : 0))
  expect((await bytesIn(server.port)) / count).toBe(told)
})

/** What memcached counts as the bytes of its items. */
async function bytesIn(port: number): Promise<number> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write('stats\r\n')
  let answer = ''
  for await (const chunk of socket) {
    answer += chunk
    if (answer.includes('END\r\n')) break
  }
  return Number(/^STAT bytes (\d+)/m.exec(answer)?.[1])
}
