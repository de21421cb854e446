import { memcachedStore } from '@fieldwise/memcached'
import { isFieldwiseError } from 'fieldwise'
import { afterEach, expect, test } from 'vitest'
import type { FaultProxy } from '../support/fault-proxy.js'
import { Flyer, told } from '../support/flights.js'
import { type Memcached, textCommand } from '../support/memcached.js'
import { count, measured } from '../support/promise.js'
import { scaled } from '../support/scale.js'
import type { Protocol } from '../support/scripted-server.js'
import { patient, protocols, Stage } from './stage.js'

const stages: Stage[] = []
afterEach(async () => {
  for (const stage of stages.splice(0)) await stage[Symbol.asyncDispose]()
})

test.for(protocols)(
  'a version that was read before the server was killed never overwrites what was stored after it came back (%s)',
  patient,
  async (protocol, context) => {
    const stage = new Stage(protocol)
    stages.push(stage)
    const server = await stage.memcached()
    const rounds = scaled(10)
    const seen = { stale: 0, conflict: 0, lost: 0 }
    for (let round = 0; round < rounds; round++) {
      const store = memcachedStore({ main: server.address }, { protocol, timeout: '2000ms', retryInterval: '10ms' })
      const session = new Flyer(store)
      await session.told(session.add('a', 'before'))
      const [read] = (await session.fly([session.get('a')])).answers
      if (read?.result !== 'found') throw new Error(`could not read: ${told(read)}`)
      const version = await versionOf(server, session.key('a'))
      await server.restart()
      const other = memcachedStore({ main: server.address }, { protocol, timeout: '5000ms' })
      await plantAt(server, new Flyer(other, session.sid), 'a', 'after', version)
      await other.close()
      // Every other time the client has noticed that its connection is gone.
      if (round % 2 === 0) await session.told(session.get('b'))
      const [answer = ''] = await session.told(session.replace('a', 'stale', read.version))
      if (answer === 'conflict' || answer === 'stale') seen.conflict++
      else if (/^unanswered|^unsent/.test(answer)) seen.lost++
      if ((await textCommand(server, `get ${session.key('a')}`, 'END\r\n')).includes('stale')) seen.stale++
      await store.close()
    }
    measured(
      context,
      `${count(rounds)} kill-restarts between read and CAS`,
      `${seen.stale} stale commits, ${seen.conflict} conflicts, ${seen.lost} lost on the way`,
    )
    expect(seen.stale).toBe(0)
    expect(seen.conflict + seen.lost).toBe(rounds)
  },
)

test.for(protocols)(
  'an update whose server is killed between its read and its write loses nothing that was stored afterwards (%s)',
  patient,
  async (protocol, context) => {
    const stage = new Stage(protocol)
    stages.push(stage)
    const server = await stage.memcached()
    const rounds = scaled(10)
    const proxy = await stage.proxy({ target: server.address })
    const outcomes = { ok: 0, unknown: 0, failed: 0 }
    const stale: string[] = []
    for (let round = 0; round < rounds; round++) {
      const sessions = stage.sessions(proxy.address, { timeout: '1000ms', patience: '8000ms', retryInterval: '10ms' })
      const created = await sessions.create({ list: ['before'] })
      const items = await itemsOf(server, protocol, created.id as string)
      const version = await versionOf(server, `${created.id}:list`)
      let back: Promise<void> | undefined
      // The function runs between the read and the write: the server dies in it, and comes back as another client would leave it.
      const update = created.update('list', (list) => {
        back ??= comeBack(server, proxy, protocol, items, version)
        return [...list, 'mine']
      })
      const outcome = await update.then(
        () => 'ok' as const,
        (error) => {
          if (isFieldwiseError(error, 'OUTCOME_UNKNOWN')) return 'unknown' as const
          if (isFieldwiseError(error, 'STORE_UNAVAILABLE') || isFieldwiseError(error, 'UPDATE_CONFLICT')) return 'failed' as const
          throw error
        },
      )
      await back
      outcomes[outcome]++
      const list = (await (await sessions.open(created.token as string))?.get('list')) ?? []
      const mine = list.filter((one) => one === 'mine').length
      const allowed = { ok: [1], failed: [0], unknown: [0, 1] }[outcome]
      if (!list.includes('other') || !allowed.includes(mine)) stale.push(`${outcome}: ${list}`)
      await sessions.close()
    }
    measured(
      context,
      `${count(rounds)} kills between read and write of an update`,
      `${stale.length} stale commits; ${JSON.stringify(outcomes)}`,
    )
    expect(stale).toEqual([])
  },
)

/** Kills the server at once; when it is back, what it held is there again, but the field has another value under the same CAS number. */
async function comeBack(server: Memcached, proxy: FaultProxy, protocol: Protocol, items: Items, version: number): Promise<void> {
  // Until all is planted the server is not there for the client: it would take its session for lost.
  process.kill(server.pid, 'SIGKILL')
  proxy.cutOff('reset')
  await server.restart()
  const other = Buffer.from(items.list.toString('latin1').replace('"before"', '"before","other"'), 'latin1')
  // Another write has another id; the rest of the item stays.
  other[1] = (other[1] as number) ^ 0xff
  const store = memcachedStore({ main: server.address }, { protocol, timeout: '5000ms' })
  const planter = new Flyer(store, items.sid)
  await plantAt(server, planter, 'list', other, version)
  await planter.told(planter.add('@', items.header))
  await store.close()
  proxy.heal()
}

interface Items {
  readonly sid: string
  readonly list: Buffer
  readonly header: Buffer
}

/** The stored bytes of a session. */
async function itemsOf(server: Memcached, protocol: Protocol, sid: string): Promise<Items> {
  const store = memcachedStore({ main: server.address }, { protocol, timeout: '5000ms' })
  const reader = new Flyer(store, sid)
  const { answers } = await reader.fly([reader.get('list'), reader.get('@')])
  const [list, header] = answers.map((answer) => (answer.result === 'found' ? Buffer.from(answer.value) : Buffer.alloc(0)))
  await store.close()
  return { sid, list: list as Buffer, header: header as Buffer }
}

/** The CAS number of an item. */
async function versionOf(server: Memcached, key: string): Promise<number> {
  return Number(/^VALUE \S+ \d+ \d+ (\d+)/.exec(await textCommand(server, `gets ${key}`, 'END\r\n'))?.[1])
}

/** Stores a value under the very CAS number that another one had: the server counts from 1 with each start. */
async function plantAt(server: Memcached, planter: Flyer, name: string, value: Buffer | string, version: number): Promise<void> {
  let reached = 0
  await planter.told(planter.add(name, value))
  while (reached < version) {
    reached = await versionOf(server, planter.key(name))
    if (reached === version) return
    await planter.told(planter.replace(name, value))
  }
  throw new Error(`the CAS number ${version} was passed over for ${reached}`)
}
