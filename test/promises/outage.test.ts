import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { inspect } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { createSessions, isFieldwiseError } from '../../packages/fieldwise/src/index.js'
import { memcachedStore } from '../../packages/memcached/src/index.js'
import { slack, timed } from '../support/event-loop-lag.js'
import { Memcached } from '../support/memcached.js'
import { count, measured } from '../support/promise.js'
import { scaled } from '../support/scale.js'
import { until } from '../support/until.js'

const schema = z.object({ username: z.string(), visits: z.int().default(0) })
const protocols = ['binary', 'meta'] as const
const [timeout, deadline] = [500, 2_000]

let server: Memcached
beforeEach(async () => {
  server = await Memcached.start()
})
afterEach(() => server[Symbol.asyncDispose]())

function webServer(protocol: (typeof protocols)[number]) {
  const store = memcachedStore(server.address, { protocol, timeout: `${timeout}ms`, retryInterval: '100ms' })
  return createSessions({ schema, store, retry: { deadline: `${deadline}ms` } })
}
type Sessions = ReturnType<typeof webServer>
type Session = Awaited<ReturnType<Sessions['create']>>

/** Every call that there is, with the longest that it may take while memcached does not answer. */
function callsOf(sessions: Sessions, session: Session): [what: string, most: number, call: () => Promise<unknown>][] {
  const token = session.token as string
  return [
    ['get', timeout, () => session.get('username')],
    ['getAll', timeout, () => session.getAll()],
    ['has', timeout, () => session.has('username')],
    ['open', timeout, () => sessions.open(token)],
    ['get of a resumed token', timeout, () => sessions.resume(token).get('username')],
    ['create', timeout, () => sessions.create({ username: 'bob' })],
    ['check', timeout, () => sessions.check()],
    ['set', deadline, () => session.set('username', 'bob')],
    ['update', deadline, () => session.update('username', (username) => `${username}!`)],
    ['increment', deadline, () => session.increment('visits')],
    ['take', deadline, () => session.take('username')],
    ['delete', deadline, () => session.delete('username')],
    ['set of a resumed token', deadline, () => sessions.resume(token).set('username', 'bob')],
    ['regenerate', deadline, () => session.regenerate()],
    ['destroy', deadline, () => session.destroy()],
    ['revoke', deadline, () => sessions.revoke(session.id as string)],
  ]
}

describe.each(protocols)('a memcached that was stopped (%s)', (protocol) => {
  test('fails every call started after that within the timeout, with STORE_UNAVAILABLE, and works again when it is back', async (context) => {
    await using sessions = webServer(protocol)
    const session = await sessions.create({ username: 'canary-value' })
    const secret = (session.token as string).slice(-43)
    await server.stop()
    let slowest = 0
    let calls = 0
    const told: string[] = []
    for (let round = 0; round < scaled(5); round++) {
      for (const [what, , call] of callsOf(sessions, session)) {
        const { outcome, took } = await timed(call)
        calls++
        slowest = Math.max(slowest, took)
        const error: unknown = outcome.status === 'rejected' ? outcome.reason : undefined
        if (!isFieldwiseError(error, 'STORE_UNAVAILABLE')) told.push(`${what}: ${inspect(outcome)}`)
        if (/canary/.test(inspect(error, { depth: 9 })) || inspect(error, { depth: 9 }).includes(secret))
          told.push(`${what} tells a secret`)
      }
    }
    await server.start()
    const again = await untilWorking(() => sessions.create({ username: 'ada' }))
    measured(context, `${calls} calls on a stopped server`, `slowest ${Math.ceil(slowest)} ms`)
    expect(told).toEqual([])
    expect(slowest).toBeLessThan(timeout + slack)
    expect(await again.get('username')).toBe('ada')
    // memcached forgets everything when it ends.
    await expect(session.get('username')).rejects.toMatchObject({ code: 'SESSION_GONE' })
  })

  test('and started again, over and over under traffic: nothing hangs, no stale value, and no number is counted twice', async (context) => {
    await using sessions = webServer(protocol)
    const restarts = scaled(20)
    const visitors = Array.from({ length: 4 }, () => new Visitor(sessions))
    const traffic = visitors.map((visitor) => visitor.run())
    for (let restart = 0; restart < restarts; restart++) {
      const goal = Math.min(...visitors.map((visitor) => visitor.counted)) + 5
      await until(() => visitors.every((visitor) => visitor.counted >= goal))
      await server.restart()
    }
    for (const visitor of visitors) visitor.isDone = true
    await Promise.all(traffic)
    const found = visitors.flatMap((visitor) => visitor.found)
    const total = visitors.reduce((sum, visitor) => sum + visitor.counted, 0)
    const lives = visitors.reduce((sum, visitor) => sum + visitor.lives, 0)
    measured(context, `${restarts} restarts, ${count(total)} updates in ${lives} sessions`, `${found.length} stale or twice`)
    expect(found).toEqual([])
    expect(lives).toBeGreaterThan(restarts)
  })
})

/** Counts in a session of its own, and begins a new one whenever that is gone. */
class Visitor {
  isDone = false
  counted = 0
  lives = 0
  readonly found: string[] = []
  readonly #sessions: Sessions

  constructor(sessions: Sessions) {
    this.#sessions = sessions
  }

  async run(): Promise<void> {
    while (!this.isDone) {
      const session = await this.#sessions.create({ username: `life ${++this.lives}` }).catch(orNothing)
      if (session) await this.#count(session)
      else await new Promise((resolve) => setTimeout(resolve, 5))
    }
  }

  async #count(session: Session): Promise<void> {
    let last = 0
    let unknown = 0
    while (!this.isDone) {
      const began = performance.now()
      const number = await session.increment('visits').catch(orNothing)
      if (performance.now() - began > 10_000) this.found.push('a call hung')
      if (session.state === 'gone') return
      if (number === undefined) {
        unknown++
        if (unknown > 200) return
        await new Promise((resolve) => setTimeout(resolve, 5))
        continue
      }
      if (number <= last || number > last + 1 + unknown) this.found.push(`${number} after ${last} with ${unknown} unknown`)
      last = number
      unknown = 0
      this.counted++
    }
  }
}

/** What may happen while the server is away. */
function orNothing(error: unknown): undefined {
  const codes = ['STORE_UNAVAILABLE', 'OUTCOME_UNKNOWN', 'SESSION_GONE', 'UPDATE_CONFLICT'] as const
  if (!codes.some((code) => isFieldwiseError(error, code))) throw error
}

describe.concurrent.each(protocols)('a memcached that hangs (%s)', (protocol) => {
  test('ends every call by its deadline, and works again when it answers', async (context) => {
    await using frozen = await Memcached.start()
    const store = memcachedStore(frozen.address, { protocol, timeout: `${timeout}ms`, retryInterval: '100ms' })
    await using sessions = createSessions({ schema, store, retry: { deadline: `${deadline}ms` } })
    const session = await sessions.create({ username: 'ada' })
    await frozen.freeze()
    const timings = await Promise.all(
      callsOf(sessions, session).map(async ([what, most, call]) => ({ what, most, ...(await timed(call)) })),
    )
    frozen.thaw()
    const slow = timings
      .filter(({ took, most }) => took > most + slack)
      .map(({ what, took }) => `${what}: ${Math.round(took)} ms`)
    const odd = timings.filter(({ outcome }) => {
      const error: unknown = outcome.status === 'rejected' ? outcome.reason : undefined
      return !isFieldwiseError(error, 'STORE_UNAVAILABLE') && !isFieldwiseError(error, 'OUTCOME_UNKNOWN')
    })
    const slowest = Math.max(...timings.map(({ took, most }) => took - most))
    measured(context, `${timings.length} calls on a hung server`, `slowest ended ${Math.ceil(slowest)} ms after its deadline`)
    expect(slow).toEqual([])
    expect(odd.map(({ what, outcome }) => `${what}: ${inspect(outcome)}`)).toEqual([])
    const again = await untilWorking(() => sessions.create({ username: 'bob' }))
    expect(await again.get('username')).toBe('bob')
  })
})

describe('close', () => {
  test.each([
    ['memory', 'nothing'],
    ['memory', 'writes'],
    ['binary', 'nothing'],
    ['binary', 'writes'],
    ['binary', 'aborted'],
    ['meta', 'nothing'],
    ['meta', 'writes'],
    ['meta', 'aborted'],
  ])('lets the process exit (%s, with %s under way)', async (protocol, underWay) => {
    const program = fileURLToPath(new URL('closing.mjs', import.meta.url))
    const address = protocol === 'memory' ? 'memory' : server.address
    const child = spawn(process.execPath, [program, address, protocol, underWay], { stdio: ['ignore', 'pipe', 'inherit'] })
    let output = ''
    let closedAt = Number.NaN
    child.stdout.on('data', (chunk) => {
      output += chunk
      closedAt = performance.now()
    })
    const code = await new Promise((resolve) => child.once('exit', resolve))
    expect([code, output]).toEqual([0, 'closed'])
    expect(performance.now() - closedAt).toBeLessThan(2_000)
  })
})

async function untilWorking<T>(call: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (!isFieldwiseError(error, 'STORE_UNAVAILABLE')) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}
