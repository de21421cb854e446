import { StoreUnavailableError } from 'fieldwise'
import { expect, test } from 'vitest'
import { flightEvent, sessionEvent } from '../../testing/events.js'
import { FleetWatch } from './fleet.js'
import type { Probe, Probed } from './probe.js'
import { ServersSeen } from './servers-seen.js'

const nobody = { probe: undefined, sessions: undefined, sharesOf: 'sessions' } as const

test('a server is as its last round trip was', () => {
  const seen = new ServersSeen()
  seen.flight(flightEvent({ server: 'one', answered: true }))
  seen.flight(flightEvent({ server: 'two', answered: true }))
  seen.flight(flightEvent({ server: 'two', answered: false }))
  seen.unavailable(sessionEvent({ server: 'three' }))
  const { servers } = new FleetWatch(nobody, () => 0).fleet(seen.all(), new Map())
  expect(servers.map(({ label, health, flights }) => [label, health, flights])).toEqual([
    ['one', 'answers', 1],
    ['two', 'silent', 2],
    ['three', 'silent', 0],
  ])
})

test('a call that no server could take makes no server of its own', () => {
  const seen = new ServersSeen()
  seen.unavailable(sessionEvent({ server: undefined, sid: undefined }))
  expect(seen.all().size).toBe(0)
})

test('the memory store is one server', () => {
  const seen = new ServersSeen()
  seen.flight(flightEvent({ store: 'memory', server: undefined }))
  const { servers } = new FleetWatch(nobody, () => 0).fleet(seen.all(), new Map([['memory', 3]]))
  expect(servers).toMatchObject([{ label: 'memory', health: 'answers', sessions: 3, share: 1 }])
})

test('labels that somebody makes up fill no memory', () => {
  const seen = new ServersSeen()
  for (let label = 0; label < 10_000; label++) seen.flight(flightEvent({ server: `x${label}` }))
  expect(seen.all().size).toBe(256)
})

test('a share is that of the living sessions seen', () => {
  const seen = new ServersSeen()
  for (const server of ['one', 'two']) seen.flight(flightEvent({ server }))
  const { servers } = new FleetWatch(nobody, () => 0).fleet(
    seen.all(),
    new Map([
      ['one', 3],
      ['two', 1],
    ]),
  )
  expect(servers.map(({ share }) => share)).toEqual([0.75, 0.25])
})

test('where no sessions are seen, a share is that of the items stored', async () => {
  const probe = answering([probed('one', 30), probed('two', 10)])
  const watch = new FleetWatch({ probe, sessions: undefined, sharesOf: 'items' }, () => 0)
  await watch.ask()
  expect(watch.fleet(new Map(), new Map()).servers.map(({ share }) => share)).toEqual([0.75, 0.25])
})

test('servers are asked while somebody watches, and not for every frame', async () => {
  let [now, asked] = [0, 0]
  const probe = answering([], () => asked++)
  const watch = new FleetWatch({ probe, sessions: undefined, sharesOf: 'items' }, () => now)
  expect(asked).toBe(0)
  for (const time of [0, 1_000, 2_000, 3_000, 4_000]) {
    now = time
    watch.fleet(new Map(), new Map())
    await Promise.resolve()
    await new Promise(setImmediate)
  }
  expect(asked).toBe(2)
})

test('the readiness check says which servers do not answer, and nothing that only somebody else’s error knows', async () => {
  const failing = async (error: Error) => {
    const watch = new FleetWatch({ ...nobody, sessions: { check: () => Promise.reject(error) } }, () => 0)
    await watch.ask()
    return watch.fleet(new Map(), new Map()).readiness
  }
  expect(await failing(new StoreUnavailableError('10.0.0.1:11211 does not answer'))).toEqual({
    ready: false,
    says: '10.0.0.1:11211 does not answer',
  })
  expect(await failing(new Error('password hunter2'))).toEqual({ ready: false, says: 'The readiness check failed.' })
})

function probed(label: string, items: number): Probed {
  const rest = {
    version: '1.6',
    uptime: 1,
    memory: 1,
    memoryLimit: 2,
    connections: 1,
    evictions: 0,
    commands: 0,
    commandsPerSecond: null,
  }
  return { label, address: `${label}:11211`, health: 'answers', says: '', stats: { items, ...rest } }
}

function answering(servers: readonly Probed[], onAsk: () => void = () => {}): Probe {
  const probe = {
    unasked: () => [],
    async ask() {
      onAsk()
      return servers
    },
  }
  return probe as unknown as Probe
}
