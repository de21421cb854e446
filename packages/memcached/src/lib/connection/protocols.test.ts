import fc from 'fast-check'
import type { Flight, StoreAnswer, StoreRequest } from 'fieldwise/store-contract'
import { describe, expect, test } from 'vitest'
import { told } from '../../../../../test/support/flights.js'
import { type Replies, replies, type ScriptedRequest } from '../../../../../test/support/scripted-server.js'
import { BinaryProtocol } from '../protocol/binary/protocol.js'
import { MetaProtocol } from '../protocol/meta/protocol.js'
import { Inbox } from './inbox.js'
import { Outbox } from './outbox.js'
import { type Command, ProtocolError, type ProtocolHost } from './protocol.js'

const itemSizeMax = 2_048
const host: ProtocolHost = { serverTime: () => 0, itemSizeMax, ask: () => {} }
const protocols = {
  binary: () => new BinaryProtocol(host, undefined),
  meta: () => new MetaProtocol(host, undefined),
  'meta, to a server that does not evict': () => Object.assign(new MetaProtocol(host, undefined), { evicts: false }),
}
type WireName = keyof typeof protocols
const words: Readonly<Record<WireName, Readonly<Record<string, string>>>> = {
  binary: { get: '0', add: '2', replace: '3', delete: '4', touch: '28', getAndTouch: '29' },
  meta: {},
  'meta, to a server that does not evict': { add: 'add', replace: 'cas' },
}

const anyRequest: fc.Arbitrary<StoreRequest> = fc
  .constantFrom<StoreRequest['op']>('get', 'get', 'add', 'replace', 'delete', 'touch', 'getAndTouch')
  .map((op) => {
    const ttl = op === 'get' || op === 'delete' ? {} : { ttl: 1_000 }
    const value = op === 'add' || op === 'replace' ? { value: Buffer.from('value') } : {}
    return { op, key: 'key', ...ttl, ...value } as StoreRequest
  })

const anyFlight = fc.array(fc.tuple(anyRequest, fc.nat(2), fc.uint8Array({ maxLength: 300 })), { minLength: 1, maxLength: 4 })

/** Bytes changed in the middle, put in or taken out. */
const anyMutation = fc.record({ at: fc.nat(), remove: fc.nat(6), insert: fc.uint8Array({ maxLength: 6 }) })

describe.each(Object.keys(protocols) as WireName[])('the %s wire, whatever comes and in whatever pieces,', (protocol) => {
  test('reads right replies, each for its request', async () => {
    await fc.assert(
      fc.asyncProperty(anyFlight, fc.infiniteStream(fc.integer({ min: 1, max: 40 })), async (plan, sizes) => {
        const { exchange: command, flight, right, expected } = prepare(protocol, plan)
        expect(feed(command, right, sizes)).toBe('complete')
        command.settle(7)
        expect((await flight).answers.map(told)).toEqual(expected)
        expect((await flight).serverTime).toBe(7)
      }),
      { numRuns: 500 },
    )
  })

  test('answers changed replies with the end of the connection, an answer that some reply could be, or patience; with no other error', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyFlight,
        anyMutation,
        fc.infiniteStream(fc.integer({ min: 1, max: 40 })),
        async (plan, mutation, sizes) => {
          const { exchange: command, flight, right } = prepare(protocol, plan)
          const outcome = feed(command, mutate(right, mutation), sizes)
          expect(['complete', 'broken', 'waiting', 'surplus']).toContain(outcome)
          command.fail('unanswered', new ProtocolError('the end') as never)
          const { answers } = await flight
          expect(answers).toHaveLength(plan.length)
          for (const answer of answers) expect(isAnswer(answer)).toBe(true)
        },
      ),
      { numRuns: 4_000 },
    )
  })

  test('answers noise with the end of the connection or patience, which is bounded', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 3_000 }),
        fc.infiniteStream(fc.integer({ min: 1, max: 600 })),
        (noise, sizes) => {
          const { exchange: command } = prepare(protocol, [[{ op: 'get', key: 'key' }, 0, new Uint8Array()]])
          expect(['broken', 'waiting']).toContain(feed(command, Buffer.from(noise), sizes))
        },
      ),
      { numRuns: 1_000 },
    )
  })
})

function prepare(protocol: WireName, plan: readonly [StoreRequest, number, Uint8Array][]) {
  let resolve: (flight: Flight) => void = () => {}
  const flight = new Promise<Flight>((settle) => {
    resolve = settle
  })
  const command = protocols[protocol]().flight(
    plan.map(([request]) => request),
    0,
    (result) => resolve(result),
  )
  command.encode(new Outbox())
  const outcomes = plan.map(([request, choice, value], index) =>
    outcomeOf(protocol, request, choice, Buffer.from(value), index + 1),
  )
  return {
    exchange: command,
    flight,
    right: Buffer.concat(outcomes.map(({ reply }) => reply)),
    expected: outcomes.map(({ means }) => means),
  }
}

/** One of the replies that are right for this request. */
function outcomeOf(protocol: WireName, { op, key }: StoreRequest, choice: number, value: Buffer, opaque: number) {
  const request: ScriptedRequest = {
    command: op === 'compare' ? 'get' : op,
    key,
    opaque,
    version: undefined,
    exptime: undefined,
    value,
    word: words[protocol][op] ?? '',
    line: '',
  }
  const reply: Replies = replies[protocol === 'binary' ? 'binary' : 'meta']
  if (op === 'get' || op === 'getAndTouch') {
    return choice === 0
      ? { reply: reply.missing(request), means: 'missing' }
      : { reply: reply.hit(request, value), means: `found ${value.toString('latin1')}` }
  }
  if (op === 'add' && choice === 0) return { reply: reply.conflict(request), means: 'conflict' }
  if (op === 'replace' && choice === 1) return { reply: reply.conflict(request), means: 'conflict' }
  if (op !== 'add' && choice === 0) return { reply: reply.missing(request), means: 'missing' }
  return { reply: reply.ok(request), means: op === 'add' || op === 'replace' ? 'stored' : 'done' }
}

function mutate(bytes: Buffer, { at, remove, insert }: { at: number; remove: number; insert: Uint8Array }): Buffer {
  const place = at % (bytes.length + 1)
  return Buffer.concat([bytes.subarray(0, place), insert, bytes.subarray(place + remove)])
}

/** Reads as a connection does. */
function feed(command: Command, bytes: Buffer, sizes: Iterator<number>): 'complete' | 'broken' | 'waiting' | 'surplus' {
  const inbox = new Inbox()
  for (let at = 0; at < bytes.length; ) {
    const size = sizes.next().value as number
    const there = inbox.add(bytes.subarray(at, at + size))
    at += size
    if (there === undefined) continue
    let start = 0
    while (start < there.length) {
      if (command.complete) return 'surplus'
      let end: number
      try {
        end = command.read(there, start)
      } catch (error) {
        if (error instanceof ProtocolError) return 'broken'
        throw error
      }
      if (end < 0) {
        expect(-end).toBeGreaterThan(there.length - start)
        expect(-end).toBeLessThanOrEqual(itemSizeMax + 1_200)
        inbox.keep(there.subarray(start), -end)
        break
      }
      expect(end).toBeGreaterThan(start)
      start = end
    }
  }
  return command.complete ? 'complete' : 'waiting'
}

function isAnswer(answer: StoreAnswer): boolean {
  return ['found', 'stored', 'done', 'missing', 'conflict', 'stale', 'unsent', 'lost', 'unanswered'].includes(answer.result)
}
