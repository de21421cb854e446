import { expect, test } from 'vitest'
import * as z from 'zod'
import { createSessions } from '../../packages/fieldwise/src/index.js'
import { memcachedStore } from '../../packages/memcached/src/index.js'
import { FaultProxy } from '../support/fault-proxy.js'
import { Memcached } from '../support/memcached.js'
import { measured } from '../support/promise.js'

const sizes = [5, 50, 200]

test('what a get and an update move depends on the field, and not on how many fields the session holds (meta)', async (context) => {
  await using server = await Memcached.start()
  const moved = []
  for (const size of sizes) moved.push(await bytesMoved(server, size))
  measured(context, `a get and an update in sessions of ${sizes.join(', ')} fields`, `${moved.join(', ')} bytes over the network`)
  // Numbers of items and requests, and lives, may have a digit more.
  expect(Math.max(...moved) - Math.min(...moved)).toBeLessThan(20)
})

test('a header that another process has changed is read anew, at once', async () => {
  await using server = await Memcached.start()
  const open = () => createSessions({ schema: schemaOf(5), store: memcachedStore(server.address, { protocol: 'meta' }) })
  await using here = open()
  await using there = open()
  const session = await here.create({ field0: 'a' })
  expect(await session.get('field1')).toBeUndefined()
  await there.resume(session.token).set('field1', 'b')
  expect(await session.get('field1')).toBe('b')
  await there.resume(session.token).destroy()
  await expect(session.get('field1')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'destroyed' })
})

async function bytesMoved(server: Memcached, size: number): Promise<number> {
  await using proxy = await FaultProxy.start({ target: server.address })
  await using sessions = createSessions({ schema: schemaOf(size), store: memcachedStore(proxy.address, { protocol: 'meta' }) })
  const session = await sessions.create(Object.fromEntries(names(size).map((name) => [name, 'x'.repeat(40)])))
  const use = async () => {
    const request = sessions.resume(session.token)
    await request.get('field0')
    await request.update('field0', () => 'y'.repeat(40))
  }
  await use()
  const before = passed(proxy)
  await use()
  return passed(proxy) - before
}

function passed(proxy: FaultProxy): number {
  return proxy.living.reduce((sum, { requests, replies }) => sum + requests.passed + replies.passed, 0)
}

function schemaOf(size: number) {
  return z.object(Object.fromEntries(names(size).map((name) => [name, z.string().optional()])))
}

function names(size: number): string[] {
  return Array.from({ length: size }, (_, index) => `field${index}`)
}
