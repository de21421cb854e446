import { fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { createSessions, type UsersOptions } from '../../packages/fieldwise/src/index.js'
import { plainListName } from '../../packages/fieldwise/src/lib/format/user-list.js'
import { memcachedStore } from '../../packages/memcached/src/index.js'
import { FaultProxy } from '../support/fault-proxy.js'
import { Memcached, textCommand } from '../support/memcached.js'
import { measured } from '../support/promise.js'
import type { Told } from './login.mjs'

const schema = z.object({ device: z.string(), visits: z.int().default(0) })
const protocols = ['binary', 'meta'] as const

let servers: Memcached[]
beforeEach(async () => {
  servers = await Promise.all(Array.from({ length: 3 }, () => Memcached.start()))
})
afterEach(async () => {
  for (const server of servers) await server[Symbol.asyncDispose]()
})

describe.each(protocols)('with three servers (%s)', (protocol) => {
  const web = (users?: UsersOptions) =>
    createSessions({ schema, store: memcachedStore(addresses(), { protocol }), users, retry: { deadline: '10s' } })

  test('the end of a user ends all of its 20 sessions, and those of nobody else', async (context) => {
    await using here = web()
    await using there = web()
    const sessions = await Promise.all(Array.from({ length: 20 }, () => here.create({ device: 'phone' }, { user: 'ada' })))
    const other = await here.create({}, { user: 'bob' })
    const held = sessions.map(({ token }) => there.resume(token))
    await Promise.all(held.map((session) => session.get('device')))
    expect(await there.user('ada').count()).toBe(20)
    const began = performance.now()
    expect(await here.user('ada').end()).toEqual({ ended: 20 })
    measured(context, 'end of a user with 20 sessions on 3 servers', `${(performance.now() - began).toFixed(1)} ms`)
    for (const session of [...sessions, ...held]) {
      await expect(session.get('device')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'ended' })
    }
    expect(await other.increment('visits')).toBe(1)
    const later = await there.create({}, { user: 'ada' })
    expect((await here.user('ada').list()).map(({ id }) => id)).toEqual([later.id])
  })

  test('an end that a server does not confirm says so, and a second call ends the rest', async () => {
    await using here = web()
    const sessions = await Promise.all(Array.from({ length: 20 }, () => here.create({}, { user: 'ada' })))
    await servers[2]?.stop()
    await expect(here.user('ada').end()).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    await servers[2]?.start()
    await expect
      .poll(
        () =>
          here.check().then(
            () => true,
            () => false,
          ),
        { timeout: 20_000 },
      )
      .toBe(true)
    await here.user('ada').end()
    for (const { token } of sessions) expect(await here.open(token)).toBeNull()
  })

  test('a server that restarts ends what it held, and what the others hold goes on', async () => {
    await using here = web()
    const sessions = await Promise.all(Array.from({ length: 20 }, () => here.create({}, { user: 'ada' })))
    await servers[0]?.stop()
    await servers[0]?.start()
    await expect
      .poll(
        () =>
          here.check().then(
            () => true,
            () => false,
          ),
        { timeout: 20_000 },
      )
      .toBe(true)
    const living = await Promise.all(sessions.map(({ token }) => here.open(token)))
    const ids = living.flatMap((session) => session?.id ?? [])
    expect((await here.user('ada').list()).map(({ id }) => id).sort()).toEqual(ids.sort())
    expect(ids.length).toBeLessThan(20)
  })

  test('a user whose lists are all evicted has no session left, and can log in again', async () => {
    await using here = web()
    await using there = web()
    const sessions = await Promise.all(Array.from({ length: 20 }, () => here.create({ device: 'phone' }, { user: 'ada' })))
    const other = await here.create({}, { user: 'bob' })
    for (const server of servers) await textCommand(server, `delete u:${plainListName('ada')}`)
    for (const session of sessions) {
      await expect(session.get('device')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'ended' })
      expect(await there.open(session.token)).toBeNull()
    }
    expect(await here.user('ada').list()).toEqual([])
    expect(await here.user('ada').end()).toEqual({ ended: 0 })
    const later = await there.create({}, { user: 'ada' })
    expect((await here.user('ada').list()).map(({ id }) => id)).toEqual([later.id])
    expect(await other.increment('visits')).toBe(1)
  })

  test('64 logins in 4 processes against a limit of 5: five work', { timeout: 120_000 }, async (context) => {
    const task = { servers: addresses(), protocol, user: 'ada', logins: 16 }
    const told = await Promise.all(Array.from({ length: 4 }, () => runLogins({ ...task, users: { max: 5 } })))
    await using here = web({ max: 5 })
    const tokens = told.flatMap((one) => one.tokens)
    const working = (await Promise.all(tokens.map((token) => here.open(token)))).filter((session) => session !== null)
    measured(context, '64 logins at once against a limit of 5', `${tokens.length} returned, ${working.length} work`)
    expect(working).toHaveLength(5)
    expect(await here.user('ada').count()).toBe(5)
    expect(told.flatMap(({ failures }) => Object.keys(failures)).filter((code) => code !== 'SESSION_GONE')).toEqual([])
  })

  test('where more are refused, 64 logins in 4 processes against a limit of 5 never let in a sixth', {
    timeout: 120_000,
  }, async (context) => {
    const task = { servers: addresses(), protocol, user: 'ada', logins: 16 }
    const told = await Promise.all(Array.from({ length: 4 }, () => runLogins({ ...task, users: { max: 5, whenFull: 'refuse' } })))
    await using here = web()
    const tokens = told.flatMap((one) => one.tokens)
    measured(context, '64 logins at once, refused beyond 5', `${tokens.length} let in`)
    expect(await here.user('ada').count()).toBe(tokens.length)
    expect(tokens.length).toBeLessThanOrEqual(5)
    expect(tokens.length).toBeGreaterThan(0)
  })
})

test('a bound session that a process knows moves a key more, and by its version no list (meta)', async (context) => {
  const [server] = servers
  await using proxy = await FaultProxy.start({ target: (server as Memcached).address })
  await using sessions = createSessions({ schema, store: memcachedStore(proxy.address, { protocol: 'meta' }) })
  const moved = async (user?: string) => {
    const session = await sessions.create({}, user === undefined ? {} : { user })
    for (let time = 0; time < 5 && user !== undefined; time++) await sessions.create({}, { user })
    await session.get('visits')
    await session.get('visits')
    const before = passed(proxy)
    await session.get('visits')
    return passed(proxy) - before
  }
  const [without, within] = [await moved(), await moved('ada')]
  measured(context, 'a get of a session without a user, and of one of six', `${without} and ${within} bytes`)
  expect(within - without).toBeLessThan(80)
})

function addresses(): string[] {
  return servers.map(({ address }) => address)
}

function passed(proxy: FaultProxy): number {
  return proxy.living.reduce((sum, { requests, replies }) => sum + requests.passed + replies.passed, 0)
}

const program = fileURLToPath(new URL('login.mjs', import.meta.url))

function runLogins(task: Record<string, unknown>): Promise<Told> {
  return new Promise((resolve, reject) => {
    const child = fork(program)
    child.once('message', (told) => resolve(told as Told))
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`A process that logs in ended with ${code}`)))
    child.send(task)
  })
}
