import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, test } from 'vitest'
import { report } from '../../../../../test/support/scale.js'
import { encodeHeader, type Header } from '../format/header.js'
import { Keys } from '../format/keys.js'
import { noSealing } from '../format/sealing.js'
import type { Context } from './context.js'
import { KnownSessions } from './known-sessions.js'

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const context = { keys: new Keys(''), sealer: noSealing, store: { traits: { comparesVersions: true } } } as unknown as Context

function headerOf(fields: number): Buffer {
  const header: Header = {
    hash: Buffer.alloc(32, 1),
    persist: false,
    created: 1,
    deadline: 2,
    idle: 1,
    fieldsUntil: 1,
    rotated: 0,
    previous: undefined,
    manifest: new Map(Array.from({ length: fields }, (_, index) => [`a_field_of_this_length_${index}`, index])),
  }
  return encodeHeader(header)
}

/** What a process retains after it has read the headers of so many sessions. */
function retainedBy(sessions: number, fields: number): number {
  const bytes = headerOf(fields)
  const cache = new KnownSessions(context)
  collectGarbage()
  const before = usage()
  for (let index = 0; index < sessions; index++) {
    const sid = `${String(index).padStart(8, '0')}-0000-4000-8000-000000000000`
    cache.learn(sid, bytes, {})
    for (const field of ['a', 'b', 'c', 'd']) cache.fieldRequest(sid, field)
  }
  collectGarbage()
  const retained = usage() - before
  expect(cache.find(`${String(sessions - 1).padStart(8, '0')}-0000-4000-8000-000000000000`)).toBeDefined()
  return retained
}

function usage(): number {
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

describe('remembered headers take at most 16 MiB, of whatever size they are:', () => {
  test.each([
    [40_000, 0],
    [40_000, 5],
    [8_000, 50],
    [800, 999],
  ])('%i sessions of %i fields', (sessions, fields) => {
    const retained = retainedBy(sessions, fields)
    report(`headers of ${sessions} sessions of ${fields} fields: ${(retained / 1_048_576).toFixed(1)} MiB retained`)
    // A tenth for what else the test allocates.
    expect(retained).toBeLessThan(16 * 1_048_576 * 1.1)
  })
})

test('the headers of 1,400 ordinary sessions are remembered at once', () => {
  const bytes = headerOf(5)
  const cache = new KnownSessions(context)
  const sids = Array.from({ length: 1_400 }, (_, index) => `session ${index}`)
  for (const sid of sids) cache.learn(sid, bytes, {})
  expect(sids.filter((sid) => cache.find(sid) === undefined)).toEqual([])
})

test('a header does not keep the memory alive that its bytes came in', () => {
  const cache = new KnownSessions(context)
  const chunk = Buffer.concat([Buffer.alloc(100_000), headerOf(3)])
  cache.learn('a session', chunk.subarray(100_000), {})
  expect(cache.find('a session')?.seen?.bytes.buffer.byteLength).toBeLessThan(1_000)
})
