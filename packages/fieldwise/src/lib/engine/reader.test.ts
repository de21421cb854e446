import { beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { type Process, World } from '../../../../../test/support/world.js'
import { StoreUnavailableError } from '../api/errors.js'
import type { SessionOf } from '../api/sessions.js'
import type { Flight, StoreAnswer, StoreRequest } from '../api/store.js'
import { encodeHeader, type Header } from '../format/header.js'
import { Keys } from '../format/keys.js'
import { noSealing } from '../format/sealing.js'
import type { Context } from './context.js'
import { KnownSessions } from './known-sessions.js'
import { Reader } from './reader.js'
import { Telemetry } from './telemetry.js'

const schema = z.object({ visits: z.int().default(0), note: z.string() })
type Web = Process<typeof schema>

let world: World
let web: Web
let other: Web
let session: SessionOf<Web['sessions']>

beforeEach(async () => {
  world = new World()
  web = world.process(schema)
  other = world.process(schema)
  session = await web.sessions.create({ visits: 1, note: 'first' })
  web.store.takeLog()
})

const flights = (process = web) => process.store.flights.map((requests) => requests.length)

/** Which of the headers that were asked for were known by their versions. */
const known = (process = web) =>
  process.store.flights.flat().flatMap((request) => (request.key.endsWith('@') ? [request.op === 'compare'] : []))

/** What a damaged memory may hold: no version of this package wrote it. */
const garbage = Buffer.from([0xff])

describe('reads of one tick', () => {
  test('share a flight, and a field that several ask for is asked for once', async () => {
    const { hits } = web.sessions.stats()
    await Promise.all([session.get('visits'), session.get('note'), session.get('visits'), session.getAll()])
    expect(web.store.log).toEqual(['get visits', 'get note', 'get @'])
    expect(web.sessions.stats().hits - hits).toBe(2)
  })

  test.each([
    ['share a flight where they end within 5 ms of one another', '1005ms', [3, 1]],
    ['go apart where one may wait for longer', '1006ms', [2, 2, 1]],
  ] as const)('%s', async (_what, deadline, expected) => {
    const process = world.process(schema, { traits: { timeout: 1_000 }, retry: { deadline } })
    const one = await process.sessions.open(session.token as string)
    process.store.takeLog()
    await world.time.run(Promise.all([one?.increment('visits'), one?.get('note')]))
    expect(flights(process)).toEqual(expected)
  })
})

describe('a store that throws instead of answering', () => {
  test.each([0, 1])('after %i flights of each fails the reads of that tick: none of them waits for ever', async (answered) => {
    const failure = new Error('against the contract')
    const second = await web.sessions.create({ note: 'second' })
    await Promise.all([session.get('note'), second.get('note')])
    let flights = 0
    web.store.flight = () => {
      if (++flights > 2 * answered) throw failure
      const cutOff: StoreAnswer = { result: 'unanswered', error: new StoreUnavailableError('cut off') }
      return Promise.resolve({ answers: [cutOff, cutOff], serverTime: 0 })
    }
    const calls = await Promise.allSettled([session.get('note'), second.get('note')])
    expect(calls).toEqual([0, 1].map(() => ({ status: 'rejected', reason: failure })))
  })
})

describe('a read whose answer was cut off', () => {
  test('is sent once more', async () => {
    web.store.holding = true
    const read = session.get('note')
    ;(await world.next(web, 'get note')).loseRequest()
    await (await world.next(web, 'get note')).deliver()
    expect(await read).toBe('first')
    expect(flights()).toEqual([2, 2])
  })

  test('is sent once more where a part of it had arrived', async () => {
    const cut: StoreAnswer = { result: 'unanswered', error: new StoreUnavailableError('The connection was cut') }
    answerWith((flight) => ({ ...flight, answers: [flight.answers[0] as StoreAnswer, cut] }))
    expect(await session.get('note')).toBe('first')
    expect(flights()).toEqual([2, 2])
  })

  test('twice fails with what the store says', async () => {
    web.store.holding = true
    const read = expect(session.get('note')).rejects.toThrow('The connection was cut')
    for (let time = 0; time < 2; time++) (await world.next(web, 'get note')).loseRequest()
    await read
    expect(flights()).toEqual([2, 2])
  })
})

describe('a read', () => {
  test('that never left fails with what the store says, and is not sent again', async () => {
    web.store.outage = 'refused'
    await expect(session.get('note')).rejects.toThrow('The connection was cut')
    expect(flights()).toEqual([2])
  })

  test('takes an answer that no get has for an outage, never for an unset field', async () => {
    answerWith((flight) => ({ ...flight, answers: [{ result: 'done' }, flight.answers[1] as StoreAnswer] }))
    await expect(session.get('note')).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: "The store answered 'done' to a get",
    })
  })
})

describe('an item that cannot be read', () => {
  beforeEach(() => world.plant(`${session.id}:note`, garbage))

  test('fails the readers of its field alone', async () => {
    const results = await Promise.allSettled([session.get('note'), session.get('visits')])
    expect(results).toMatchObject([{ reason: { code: 'SEAL_BROKEN', field: 'note' } }, { value: 1 }])
  })

  test('is not a lost one, and hides none beside it', async () => {
    await world.evict(`${session.id}:visits`)
    await expect(session.getMany(['note', 'visits'])).rejects.toMatchObject({ code: 'SESSION_GONE', field: 'visits' })
  })

  test('is replaced by a set that opens the session in the same round trip', async () => {
    await web.sessions.resume(session.token as string).set('note', 'second')
    expect(await session.get('note')).toBe('second')
  })
})

test('the end of a session whose header cannot be read any more takes it away, and what was known of its fields', async () => {
  await world.plant(`${session.id}:@`, garbage)
  await session.destroy()
  expect(web.store.log).toEqual(['get @', 'delete @', 'delete visits', 'delete note'])
  expect(await other.sessions.open(session.token as string)).toBeNull()
})

describe('a header that is known', () => {
  beforeEach(async () => {
    await session.get('note')
    web.store.takeLog()
    tellChangesOnly()
  })

  test('is asked for by its version, and is the same', async () => {
    expect(await session.get('note')).toBe('first')
    await session.set('note', 'second')
    expect([known(), web.store.log]).toEqual([
      [true, true],
      ['get note', 'get @', 'replace any note', 'get @'],
    ])
  })

  test('is asked for as a whole where the store compares no versions', async () => {
    const process = world.process(schema, { traits: { comparesVersions: false } })
    const one = await process.sessions.open(session.token as string)
    await one?.get('note')
    expect(known(process)).toEqual([false, false])
  })

  test('and has changed is read as a whole', async () => {
    const there = await other.sessions.open(session.token as string)
    await there?.regenerate({ grace: '1m' })
    expect(await session.get('note')).toBe('first')
    expect([known(), flights()]).toEqual([
      [true, false],
      [2, 2],
    ])
  })

  test('and has changed is read as a whole behind a write', async () => {
    const there = await other.sessions.open(session.token as string)
    await there?.regenerate({ grace: '1m' })
    await session.set('note', 'second')
    expect([known(), web.store.log]).toEqual([
      [true, false],
      ['replace any note', 'get @', 'get @'],
    ])
    expect(await there?.get('note')).toBe('second')
  })

  test('and has changed, but whose reading behind a write is cut off, is read once more', async () => {
    const there = await other.sessions.open(session.token as string)
    await there?.regenerate({ grace: '1m' })
    web.store.holding = true
    const write = session.set('note', 'second')
    await (await world.next(web, 'replace any note')).deliver()
    ;(await world.next(web, 'get @')).loseRequest()
    await world.next(web, 'get @')
    await web.store.release()
    await world.time.run(write)
    expect(web.store.log.filter((request) => request !== 'get @')).toEqual(['replace any note'])
    expect(await there?.get('note')).toBe('second')
  })

  test('and that this process changes is read as a whole the next time, in one flight', async () => {
    await session.regenerate()
    web.store.takeLog()
    await session.get('note')
    expect([known(), flights()]).toEqual([[false], [2]])
  })

  test('is no session once its absolute end has passed, though it is still stored', async () => {
    const own = await web.sessions.create({ note: 'first' }, { lifetime: { idle: '1h', absolute: '1h' } })
    expect(await web.sessions.open(own.token as string)).not.toBeNull()
    await world.time.advance(3_600_500)
    web.store.takeLog()
    expect(await web.sessions.open(own.token as string)).toBeNull()
    expect(known()[0]).toBe(true)
  })
})

describe('headers that were read before', () => {
  /** How many headers were taken apart. */
  let opened: number
  let reader: Reader
  let sessions: KnownSessions
  /** How many flights left. */
  let asked: number
  /** How many keys of fields were put together. */
  let joined: number
  let headers: Map<string, StoredHeader>

  beforeEach(() => {
    opened = 0
    asked = 0
    joined = 0
    const keys = new Keys('')
    headers = new Map()
    const open: typeof noSealing.unseal = (sid, name, stored) => {
      opened++
      return noSealing.unseal(sid, name, stored)
    }
    const flight = (sid: string, [request]: readonly StoreRequest[]): Promise<Flight> => {
      asked++
      const stored = headers.get(sid) ?? untouched
      return Promise.resolve({
        answers: [answerTo(request?.op === 'compare' ? request.knownVersion : undefined, stored)],
        serverTime: 0,
      })
    }
    const context = {
      environment: world.time.runtime,
      store: { traits: web.store.traits, flight },
      sealer: { ...noSealing, unseal: open },
      keys: {
        header: (sid: string) => keys.header(sid),
        field: (sid: string, name: string) => {
          joined++
          return keys.field(sid, name)
        },
      },
      telemetry: new Telemetry('a store', ''),
    } as unknown as Context
    sessions = new KnownSessions(context)
    reader = new Reader(context, sessions)
  })

  const read = (sid: string) => reader.read(sid, [], world.time.runtime.running() + 1_000)

  async function readOthers(count: number): Promise<void> {
    for (let index = 0; index < count; index++) await read(`other ${opened} ${index}`)
  }

  test('are taken apart once, as long as they stay the same', async () => {
    const first = await read('a')
    expect((await read('a')).header?.value).toBe(first.header?.value)
    expect(opened).toBe(1)
    headers.set('a', { value: encodeHeader({ ...header, idle: 7 }), version: {} })
    expect((await read('a')).header?.value.idle).toBe(7)
    expect((await read('a')).header?.value.idle).toBe(7)
    expect(opened).toBe(2)
  })

  test('stay known over some thousand others as long as they are asked for', async () => {
    await read('a')
    for (let round = 0; round < 3; round++) {
      await readOthers(2_000)
      await read('a')
    }
    expect(opened).toBe(1 + 3 * 2_000)
  })

  test('are forgotten after some thousand others, so that memory has a bound', async () => {
    await read('a')
    await readOthers(10_000)
    const before = opened
    await read('a')
    expect(opened - before).toBe(1)
  })

  test('can be forgotten, however long ago they were read', async () => {
    for (const others of [0, 2_100]) {
      await read('a')
      await readOthers(others)
      sessions.forgetHeader('a')
      const before = opened
      await read('a')
      expect(opened - before).toBe(1)
    }
  })

  test('keep the keys of the few fields that were asked for first, and no more, so that memory has a bound', async () => {
    await read('a')
    const names = Array.from({ length: 50 }, (_, index) => `field${index}`)
    for (const name of names) sessions.fieldRequest('a', name)
    joined = 0
    for (const name of names) sessions.fieldRequest('a', name)
    expect(joined).toBe(50 - 4)
    headers.set('a', { value: encodeHeader({ ...header, idle: 7 }), version: {} })
    await read('a')
    for (const name of names) sessions.fieldRequest('a', name)
    expect(joined).toBe(2 * (50 - 4))
  })

  test('are asked for by their newest version, be they the same as before or not', async () => {
    await read('a')
    headers.set('a', { value: untouched.value, version: {} })
    await read('a')
    asked = 0
    await read('a')
    expect([asked, opened]).toEqual([1, 1])
  })

  const header: Header = {
    hash: Buffer.alloc(32),
    persist: false,
    created: 0,
    deadline: 1,
    idle: 5,
    fieldsUntil: 1,
    rotated: 0,
    previous: undefined,
    manifest: new Map(),
  }

  interface StoredHeader {
    readonly value: Buffer
    readonly version: object
  }

  const untouched: StoredHeader = { value: encodeHeader(header), version: {} }

  function answerTo(known: object | undefined, { value, version }: StoredHeader): StoreAnswer {
    if (known === undefined) return { result: 'found', value, version }
    return known === version ? { result: 'same' } : { result: 'changed' }
  }
})

/** The store does not send what has changed with the news that it has, as memcached does not. */
function tellChangesOnly(): void {
  const { store } = web
  const flight = store.flight.bind(store)
  const isKnown = (request: StoreRequest | undefined) => request?.op === 'compare'
  store.flight = async (sid, requests, deadline) => {
    const { answers, serverTime: at } = await flight(sid, requests, deadline)
    const told = answers.map((answer, index): StoreAnswer => {
      return answer.result === 'found' && isKnown(requests[index]) ? { result: 'changed' } : answer
    })
    return { answers: told, serverTime: at }
  }
}

/** The next flight is answered with what `change` makes of its answers; those after it as they are. */
function answerWith(change: (flight: Flight) => Flight): void {
  const { store } = web
  const flight = store.flight.bind(store)
  store.flight = async (...request) => {
    store.flight = flight
    return change(await flight(...request))
  }
}
