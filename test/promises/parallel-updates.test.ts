import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, expect, test } from 'vitest'
import * as z from 'zod'
import { createSessions } from '../../packages/fieldwise/src/index.js'
import { memcachedStore } from '../../packages/memcached/src/index.js'
import { Memcached } from '../support/memcached.js'
import { count, measured } from '../support/promise.js'
import { scaled } from '../support/scale.js'
import type { Told } from './counter.mjs'

const schema = z.object({ visits: z.int().default(0) })
const protocols = ['binary', 'meta'] as const

let server: Memcached
beforeEach(async () => {
  server = await Memcached.start()
})
afterEach(() => server[Symbol.asyncDispose]())

test.for(protocols)(
  '64 parallel updates of one field from 2 processes: every result once, none lost (%s)',
  async (protocol, context) => {
    const updates = 10_000
    const { final, told } = await countIn(2, {
      protocol,
      updates: updates / 2,
      abreast: 32,
      retry: { attempts: 1_000_000, deadline: '1m' },
    })
    const results = told.flatMap((one) => one.results).sort((one, other) => one - other)
    measured(
      context,
      `${count(updates)} updates by 2 processes, 64 at once`,
      `final value ${count(final)}, ${results.length - new Set(results).size} results twice`,
    )
    expect(told.map((one) => one.failures)).toEqual([{}, {}])
    expect(results).toEqual(Array.from({ length: updates }, (_, index) => index + 1))
    expect(final).toBe(updates)
  },
)

test.for(protocols)(
  '64 writers in 4 processes on one field with few attempts: all end, and what was acknowledged is applied (%s)',
  async (protocol, context) => {
    const updates = scaled(2_000)
    const { final, told } = await countIn(4, {
      protocol,
      updates: updates / 4,
      abreast: 16,
      retry: { attempts: 2, deadline: '1m' },
    })
    const results = told.flatMap((one) => one.results)
    const failed = told.reduce((sum, one) => sum + (one.failures.UPDATE_CONFLICT ?? 0), 0)
    measured(
      context,
      `${count(updates)} updates by 4 processes, 64 at once`,
      `${results.length} applied, ${failed} UPDATE_CONFLICT, final value ${final}`,
    )
    expect(told.flatMap((one) => Object.keys(one.failures)).filter((code) => code !== 'UPDATE_CONFLICT')).toEqual([])
    expect(results.length + failed).toBe(updates)
    expect(new Set(results).size).toBe(results.length)
    expect(final).toBe(results.length)
  },
)

test.for(protocols)('two writers of two fields of one session at once: both are kept, always (%s)', async (protocol, context) => {
  const store = () => memcachedStore(server.address, { protocol, timeout: '20s' })
  const fields = z.object({ left: z.int().default(0), right: z.int().default(0) })
  await using here = createSessions({ schema: fields, store: store() })
  await using there = createSessions({ schema: fields, store: store() })
  const session = await here.create()
  const other = await there.open(session.token as string)
  let kept = 0
  for (let round = 1; round <= 1_000; round++) {
    const right = round % 2 === 0 ? other?.set('right', round) : other?.update('right', () => round)
    await Promise.all([session.set('left', round), right])
    const found = await session.getAll()
    if (found.left === round && found.right === round) kept++
  }
  measured(context, '1,000 rounds', `${count(kept)} times both kept`)
  expect(kept).toBe(1_000)
})

async function countIn(processes: number, task: { protocol: (typeof protocols)[number] } & Record<string, unknown>) {
  await using sessions = createSessions({
    schema,
    store: memcachedStore(server.address, { protocol: task.protocol, timeout: '20s' }),
  })
  const session = await sessions.create()
  const told = await Promise.all(
    Array.from({ length: processes }, () => runCounter({ ...task, address: server.address, token: session.token })),
  )
  return { final: await session.get('visits'), told }
}

const program = fileURLToPath(new URL('counter.mjs', import.meta.url))

function runCounter(task: Record<string, unknown>): Promise<Told> {
  return new Promise((resolve, reject) => {
    const child = fork(program)
    child.once('message', (told) => resolve(told as Told))
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`A counting process ended with ${code}`)))
    child.send(task)
  })
}
