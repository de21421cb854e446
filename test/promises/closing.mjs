// A program that uses sessions and closes them, for outage.test.ts: it has to end by itself. Arguments: address, protocol, what is left under way.
import { memcachedStore } from '@fieldwise/memcached'
import { createSessions, memoryStore } from 'fieldwise'
import { z } from 'zod'

const [, , address = '', protocol, underWay] = process.argv
const schema = z.object({ username: z.string(), visits: z.int().default(0) })
const store =
  address === 'memory'
    ? memoryStore()
    : memcachedStore(address, { protocol: protocol === 'meta' ? 'meta' : 'binary', timeout: '20s' })
const sessions = createSessions({ schema, store })
const session = await sessions.create({ username: 'ada' })
await session.get('username')
if (underWay === 'writes') for (let write = 0; write < 100; write++) void session.increment('visits')
if (underWay === 'aborted') await session.get('username', { signal: AbortSignal.timeout(0) }).catch(() => {})
await sessions.close()
process.stdout.write('closed')
