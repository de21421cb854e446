import { AsyncLocalStorage } from 'node:async_hooks'
import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { turn } from '../../../../../test/support/virtual-time.js'
import { type Process, World } from '../../../../../test/support/world.js'
import { StoreUnavailableError } from '../api/errors.js'
import type { SessionOf } from '../api/sessions.js'
import { decodeHeader } from '../format/header.js'
import { decodeItem } from '../format/item.js'

const schema = z.object({
  visits: z.int().default(0),
  points: z.int().default(0),
  cart: z.array(z.string()).default([]),
  note: z.string(),
})
type Web = Process<typeof schema>

let world: World
let web: Web
let session: SessionOf<Web['sessions']>
/** The same session, seen by another process. */
let other: Web
let there: SessionOf<Web['sessions']>

beforeEach(async () => {
  world = new World()
  web = world.process(schema)
  other = world.process(schema)
  session = await web.sessions.create({ visits: 0, note: 'first' })
  there = await opened(other)
  web.store.takeLog()
})

async function opened(process: Web): Promise<typeof session> {
  const one = await process.sessions.open(session.token as string)
  if (one === null) throw new Error('the session is not there')
  return one
}

const writes = () => web.store.log.filter((request) => !request.startsWith('get'))

async function manifest(): Promise<ReadonlyMap<string, number>> {
  return decodeHeader((await world.stored(`${session.id}:@`)) as Buffer).manifest
}

async function itemOf(field: string) {
  return decodeItem(field, (await world.stored(`${session.id}:${field}`)) as Buffer)
}

describe('updates of one field from one process', () => {
  test('of one tick run in order over one read and go out as one swap', async () => {
    const results = await Promise.all(Array.from({ length: 64 }, () => session.increment('visits')))
    expect(results).toEqual(Array.from({ length: 64 }, (_, index) => index + 1))
    expect(web.store.log).toEqual(['get visits', 'get @', 'replace visits'])
  })

  test('of different requests are combined just the same', async () => {
    const facades = await Promise.all(Array.from({ length: 8 }, () => opened(web)))
    web.store.takeLog()
    const results = await Promise.all(facades.map((one) => one.increment('visits')))
    expect(results).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(writes()).toEqual(['replace visits'])
  })

  test('that come while a swap is under way wait for it, and go together', async () => {
    web.store.holding = true
    const first = session.increment('visits')
    await (await world.next(web, 'get visits')).deliver()
    const swap = await world.next(web, 'replace visits')
    const later = Promise.all([session.increment('visits'), session.increment('visits'), session.increment('visits')])
    await turn()
    expect(web.store.held).toEqual([swap])
    await web.store.release()
    expect([await first, await later]).toEqual([1, [2, 3, 4]])
    expect(writes()).toEqual(['replace visits', 'replace visits'])
  })

  test('join only a batch whose read has not left: what was acknowledged before is seen (W8)', async () => {
    web.store.holding = true
    const first = session.increment('visits')
    const read = await world.next(web, 'get visits')
    await read.step()
    await there.increment('visits', 10)
    const seen: number[] = []
    const second = session.update('visits', (visits) => {
      seen.push(visits)
      return visits
    })
    await web.store.release()
    await world.time.run(Promise.all([first, second]))
    expect(seen).toEqual([11])
  })

  test('each resolve with the value after their own function, and share nothing', async () => {
    const shared = ['tea']
    const [one, two, three] = await Promise.all([
      session.update('cart', () => shared),
      session.update('cart', (cart) => {
        cart.push('coffee')
      }),
      session.update('cart', (cart) => [...cart, 'milk']),
    ])
    expect([one, two, three]).toEqual([['tea'], ['tea', 'coffee'], ['tea', 'coffee', 'milk']])
    expect(shared).toEqual(['tea'])
    one?.push('changed in place')
    expect(await session.get('cart')).toEqual(['tea', 'coffee', 'milk'])
  })

  test('fail alone: what throws, does not fit or is too large is left out', async () => {
    const failure = new Error('mine')
    const results = await Promise.allSettled([
      session.update('cart', (cart) => [...cart, 'tea']),
      session.update('cart', (cart) => {
        cart.push('never')
        throw failure
      }),
      session.update('cart', () => [5] as never),
      session.update('cart', (cart) => [...cart, 'x'.repeat(2 ** 20)]),
      session.update('cart', (async () => []) as never),
      session.update('cart', (cart) => [...cart, 'coffee']),
    ])
    expect(
      results.map((result) => (result.status === 'fulfilled' ? result.value : (result.reason.code ?? result.reason))),
    ).toEqual([['tea'], failure, 'FIELD_INVALID', 'VALUE_TOO_LARGE', 'BAD_ARGUMENT', ['tea', 'coffee']])
    expect(await session.get('cart')).toEqual(['tea', 'coffee'])
  })

  test('that are given up by the function of one before them are left out', async () => {
    await oneGivesUpTheNext()
    expect(await session.get('visits')).toBe(1)
  })

  test('are mixed with set, delete and take in the order in which they were called', async () => {
    const results = await Promise.all([
      session.increment('visits', 5),
      session.take('visits'),
      session.increment('visits'),
      session.set('visits', 40),
      session.increment('visits', 2),
      session.delete('visits'),
      session.take('visits'),
    ])
    expect(results).toEqual([5, 5, 1, undefined, 42, undefined, undefined])
    expect(await session.has('visits')).toBe(false)
  })

  test('of different fields do not wait for each other', async () => {
    web.store.holding = true
    const stuck = session.increment('visits')
    const swift = session.set('note', 'second')
    await turn()
    const held = web.store.held.find((flight) => String(flight).includes('replace any note'))
    await held?.deliver()
    await swift
    await web.store.release()
    await stuck
  })
})

describe('the first change of a request', () => {
  test('builds on the reading that opens its session', async () => {
    expect(await web.sessions.resume(session.token as string).increment('visits')).toBe(1)
    expect(web.store.log).toEqual(['get visits', 'get @', 'replace visits'])
  })

  test('builds on one reading with those of other requests of the same tick', async () => {
    const requests = [1, 2, 3].map(() => web.sessions.resume(session.token as string))
    expect(await Promise.all(requests.map((one) => one.increment('visits')))).toEqual([1, 2, 3])
    expect(web.store.log).toEqual(['get visits', 'get @', 'replace visits'])
  })

  test('shares the reading that opens its session with no change that came after that was read (W8)', async () => {
    for (let hops = 0; hops < 40; hops++) {
      web.store.holding = true
      const first = web.sessions.resume(session.token as string).update('visits', (visits) => visits)
      const snapshot = await world.next(web, 'get visits')
      await snapshot.step()
      const acknowledged = await there.increment('visits')
      const landing = snapshot.deliver()
      for (let hop = 0; hop < hops; hop++) await Promise.resolve()
      const second = session.update('visits', (visits) => visits)
      await landing
      await web.store.release()
      await world.time.run(Promise.all([first, second]))
      expect([hops, await second]).toEqual([hops, acknowledged])
    }
  })

  test('whose time ran out while its session was opened is STORE_UNAVAILABLE, and nothing of it was sent', async () => {
    web.store.holding = true
    const outcome = expect(web.sessions.resume(session.token as string).increment('visits')).rejects.toMatchObject({
      code: 'STORE_UNAVAILABLE',
      message: 'This change had to wait for other changes of its field, and its deadline passed before it was sent',
    })
    const snapshot = await world.next(web, 'get visits')
    await world.time.advance(2_000)
    await snapshot.deliver()
    await outcome
    expect(writes()).toEqual([])
  })
})

test('taking what was taken before writes nothing', async () => {
  expect(await session.take('note')).toBe('first')
  web.store.takeLog()
  expect(await there.take('note')).toBeUndefined()
  expect(await (await opened(web)).take('note')).toBeUndefined()
  expect([...writes(), ...other.store.log.filter((request) => !request.startsWith('get'))]).toEqual([])
})

test('a sealed value that fits to the byte is stored; one byte more is refused before it is sent', async () => {
  const sealed = world.process(schema, { sealing: { keys: [randomBytes(32).toString('base64url')] } })
  const one = await sealed.sessions.create({ note: 'first' })
  await one.update('note', () => 'other')
  const size = (await world.stored(`${one.id}:note`))?.length as number
  sealed.store.largest = `${one.id}:note`.length + size
  await expect(one.update('note', () => 'longer')).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE', size: size + 1, limit: size })
  expect(await one.update('note', () => 'third')).toBe('third')
})

describe('writers of several processes', () => {
  test('of one field, 8 processes at once: every result once, and none lost', async () => {
    const processes = await Promise.all(Array.from({ length: 8 }, () => opened(world.process(schema))))
    const calls = processes.flatMap((one) => Array.from({ length: 25 }, () => one.increment('visits')))
    const results = await world.time.run(Promise.all(calls))
    expect(results.sort((one, two) => one - two)).toEqual(Array.from({ length: 200 }, (_, index) => index + 1))
    expect(await session.get('visits')).toBe(200)
  })

  test('of first writes of one field: one adds, the others build on it', async () => {
    const processes = await Promise.all(Array.from({ length: 8 }, () => opened(world.process(schema))))
    const results = await world.time.run(Promise.all(processes.map((one) => one.increment('points'))))
    expect(results.sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
    expect(await session.get('points')).toBe(8)
  })

  test('of first writes of different fields: both are listed', async () => {
    web.store.holding = true
    other.store.holding = true
    const [here, elsewhere] = [session.increment('points'), there.set('cart', ['tea'])]
    for (const process of [web, other]) await (await world.next(process, 'get')).deliver()
    for (const process of [web, other]) await (await world.next(process, 'add')).deliver()
    const [mine, theirs] = [await world.next(web, 'replace @'), await world.next(other, 'replace @')]
    await theirs.deliver()
    await mine.deliver()
    await Promise.all([web.store.release(), other.store.release()])
    await world.time.run(Promise.all([here, elsewhere]))
    expect([...(await manifest()).keys()].sort()).toEqual(['cart', 'note', 'points', 'visits'])
    expect(await session.getMany(['points', 'cart'])).toEqual({ points: 1, cart: ['tea'] })
  })
})

describe('an update whose answer was lost (W4)', () => {
  let runs: number
  let update: Promise<number>
  beforeEach(async () => {
    runs = 0
    web.store.holding = true
    update = session.update('visits', (visits) => {
      runs++
      return visits + 1
    })
    update.catch(() => {})
    await (await world.next(web, 'get visits')).deliver()
  })

  test('but was applied: its id is there, and it is done', async () => {
    await (await world.next(web, 'replace visits')).loseAnswer()
    await web.store.release()
    web.store.holding = false
    expect(await world.time.run(update)).toBe(1)
    expect([runs, await session.get('visits')]).toEqual([1, 1])
  })

  test('and was not applied: the same bytes go out again, and the function does not run again', async () => {
    ;(await world.next(web, 'replace visits')).loseRequest()
    await (await world.next(web, 'get visits')).deliver()
    const again = await world.next(web, 'replace visits')
    const [first, second] = web.store.flights.flat().flatMap((request) => (request.op === 'replace' ? [request.value] : []))
    expect(second).toEqual(first)
    web.store.holding = false
    await again.deliver()
    expect(await world.time.run(update)).toBe(1)
    expect([runs, await session.get('visits')]).toEqual([1, 1])
  })

  test('waits an outage out, and is then found out about', async () => {
    await (await world.next(web, 'replace visits')).loseAnswer()
    await world.outage(web)
    expect(await world.time.run(update)).toBe(1)
    expect([runs, await session.get('visits')]).toEqual([1, 1])
  })

  test('is no conflict, and its second attempt is a retry', async () => {
    const before = web.sessions.stats()
    ;(await world.next(web, 'replace visits')).loseRequest()
    await web.store.release()
    await world.time.run(update)
    const { conflicts, retries } = web.sessions.stats()
    expect([conflicts - before.conflicts, retries - before.retries]).toEqual([0, 1])
  })

  test('and whose item cannot be read any more is OUTCOME_UNKNOWN, since it could have been stored', async () => {
    await (await world.next(web, 'replace visits')).loseAnswer()
    await world.plant(`${session.id}:visits`, garbage)
    await web.store.release()
    await expect(world.time.run(update)).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      message: expect.stringContaining("this change of 'visits'"),
      cause: expect.objectContaining({ code: 'SEAL_BROKEN' }),
    })
  })

  test('and is carried out late: once, whichever of the two comes first', async () => {
    const arrive = (await world.next(web, 'replace visits')).delay()
    await (await world.next(web, 'get visits')).deliver()
    const again = await world.next(web, 'replace visits')
    await arrive()
    await again.deliver()
    await web.store.release()
    web.store.holding = false
    expect(await world.time.run(update)).toBe(1)
    expect([runs, await session.get('visits')]).toEqual([1, 1])
  })

  test('and is carried out after it was sent again: the late one changes nothing', async () => {
    const arrive = (await world.next(web, 'replace visits')).delay()
    await web.store.release()
    web.store.holding = false
    expect(await world.time.run(update)).toBe(1)
    await arrive()
    expect(await session.get('visits')).toBe(1)
    expect(await session.increment('visits')).toBe(2)
    await arrive()
    expect(await session.get('visits')).toBe(2)
  })

  test('was applied, and others have written since: its id is among the earlier ones', async () => {
    await (await world.next(web, 'replace visits')).loseAnswer()
    await there.increment('visits', 10)
    await (await opened(world.process(schema))).increment('visits', 100)
    await web.store.release()
    web.store.holding = false
    expect(await world.time.run(update)).toBe(1)
    expect([runs, await session.get('visits')]).toEqual([1, 111])
  })

  test('was not applied, and others have written since: it runs again over that', async () => {
    const arrive = (await world.next(web, 'replace visits')).delay()
    await there.increment('visits', 10)
    await web.store.release()
    web.store.holding = false
    expect(await world.time.run(update)).toBe(11)
    await arrive()
    expect([runs, await session.get('visits')]).toEqual([2, 11])
  })

  test.each([true, false])('and nobody can tell (applied: %s): OUTCOME_UNKNOWN', async (isApplied) => {
    const swap = await world.next(web, 'replace visits')
    if (isApplied) await swap.loseAnswer()
    else swap.loseRequest()
    // A blind write carries no ids of those before it.
    await there.set('visits', 50)
    await web.store.release()
    web.store.holding = false
    await expect(world.time.run(update)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    expect([runs, await session.get('visits')]).toEqual([1, 50])
  })

  test('holds back those that come meanwhile, and they build on it', async () => {
    ;(await world.next(web, 'replace visits')).loseRequest()
    const later = session.increment('visits', 10)
    await web.store.release()
    web.store.holding = false
    expect(await world.time.run(Promise.all([update, later]))).toEqual([1, 11])
    expect(runs).toBe(1)
  })

  test('ends in OUTCOME_UNKNOWN when the store stays away, never in "nothing was stored" (W5)', async () => {
    ;(await world.next(web, 'replace visits')).loseRequest()
    web.store.outage = 'refused'
    await web.store.release()
    await expect(world.time.run(update)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
  })

  test('ends in OUTCOME_UNKNOWN when its time is up', async () => {
    for (let attempt = 0; attempt < 60; attempt++) {
      await turn()
      web.store.held[0]?.loseRequest()
      await world.time.advance(50)
    }
    await expect(update).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
  })

  test('ends in SESSION_GONE when the session has ended', async () => {
    ;(await world.next(web, 'replace visits')).loseRequest()
    await there.destroy()
    await web.store.release()
    web.store.holding = false
    await expect(world.time.run(update)).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'destroyed' })
  })
})

describe('a first write whose answer was lost', () => {
  let write: Promise<number>
  beforeEach(async () => {
    web.store.holding = true
    write = session.increment('points')
    write.catch(() => {})
    await (await world.next(web, 'get points')).deliver()
  })

  async function goOn(): Promise<void> {
    await web.store.release()
    web.store.holding = false
  }

  test('but was applied: it is listed, and done', async () => {
    await (await world.next(web, 'add points')).loseAnswer()
    await goOn()
    expect(await world.time.run(write)).toBe(1)
    expect(await session.get('points')).toBe(1)
    expect((await manifest()).get('points')).toEqual((await itemOf('points')).birth)
  })

  test('and was not applied: it is sent again under another birth (R2)', async () => {
    ;(await world.next(web, 'add points')).loseRequest()
    await goOn()
    expect(await world.time.run(write)).toBe(1)
    const births = web.store.flights
      .flat()
      .flatMap((request) => (request.op === 'add' ? [decodeItem('points', request.value).birth] : []))
    expect(births).toHaveLength(2)
    expect(births[1]).not.toEqual(births[0])
    expect((await manifest()).get('points')).toEqual(births[1])
  })

  test('and was not applied runs its function no second time', async () => {
    ;(await world.next(web, 'add points')).refuse()
    await goOn()
    await write.catch(() => {})
    let runs = 0
    web.store.holding = true
    const update = session.update('points', () => ++runs)
    await (await world.next(web, 'get points')).deliver()
    ;(await world.next(web, 'add points')).loseRequest()
    await goOn()
    expect(await world.time.run(update)).toBe(1)
    expect([runs, await session.get('points')]).toEqual([1, 1])
  })

  test('and is carried out after the item of the second attempt was evicted: it is not taken for it', async () => {
    const arrive = (await world.next(web, 'add points')).delay()
    await goOn()
    expect(await world.time.run(write)).toBe(1)
    await session.increment('points', 10)
    await world.evict(`${session.id}:points`)
    await arrive()
    await expect(session.get('points')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'lost', field: 'points' })
  })

  test('while another process was first: OUTCOME_UNKNOWN, since it could have been there in between', async () => {
    ;(await world.next(web, 'add points')).loseRequest()
    await there.increment('points', 10)
    await goOn()
    await expect(world.time.run(write)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    expect(await session.get('points')).toBe(10)
  })
})

describe('a first write', () => {
  test('stores the item first, then lists it', async () => {
    await session.increment('points')
    expect(web.store.log).toEqual(['get points', 'get @', 'add points', 'replace @'])
  })

  test('is not told to anybody before it is listed: until then the field reads as unset', async () => {
    web.store.holding = true
    const write = session.increment('points')
    await (await world.next(web, 'get points')).deliver()
    await (await world.next(web, 'add points')).deliver()
    const listing = await world.next(web, 'replace @')
    expect([await there.get('points'), await there.has('points')]).toEqual([0, false])
    await listing.deliver()
    await write
    expect(await there.get('points')).toBe(1)
  })

  test('that was stored but never listed is built on by the next writer, who lists it', async () => {
    web.store.holding = true
    const write = session.increment('points')
    write.catch(() => {})
    await (await world.next(web, 'get points')).deliver()
    await (await world.next(web, 'add points')).deliver()
    const listing = (await world.next(web, 'replace @')).delay()
    web.store.outage = 'refused'
    await web.store.release()
    await expect(world.time.run(write)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    expect(await there.increment('points', 10)).toBe(11)
    expect(await there.get('points')).toBe(11)
    await listing()
    expect(await there.get('points')).toBe(11)
  })

  test.each([
    [
      'the store goes away',
      () => {
        web.store.outage = 'refused'
      },
    ],
    [
      'the header’s swap cannot be sent',
      async () => {
        ;(await world.next(web, 'replace @')).refuse()
        web.store.outage = 'refused'
      },
    ],
  ])('once its item is stored is OUTCOME_UNKNOWN, never "nothing was stored": %s (W2)', async (_what, fail) => {
    web.store.holding = true
    const write = session.increment('points')
    write.catch(() => {})
    await (await world.next(web, 'get points')).deliver()
    await (await world.next(web, 'add points')).deliver()
    await fail()
    await web.store.release()
    await expect(world.time.run(write)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
  })

  test('that could not be listed is listed by the change that waited behind it', async () => {
    web.store.holding = true
    const first = session.increment('points').catch((error) => error.code)
    await (await world.next(web, 'get points')).deliver()
    await (await world.next(web, 'add points')).deliver()
    const listing = await world.next(web, 'replace @')
    const second = session.increment('points')
    listing.refuse()
    expect(await first).toBe('OUTCOME_UNKNOWN')
    await web.store.release()
    expect(await world.time.run(second)).toBe(2)
    expect(await there.get('points')).toBe(2)
  })

  test('whose session ends before it is listed is SESSION_GONE, and revives nothing', async () => {
    web.store.holding = true
    const write = session.increment('points')
    await (await world.next(web, 'get points')).deliver()
    await (await world.next(web, 'add points')).deliver()
    await there.destroy()
    const outcome = expect(world.time.run(write)).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'destroyed' })
    await web.store.release()
    web.store.holding = false
    await outcome
    expect(await other.sessions.open(session.token as string)).toBeNull()
  })

  test('that finds the field listed under another birth is OUTCOME_UNKNOWN (W2)', async () => {
    web.store.holding = true
    const write = session.increment('points')
    const outcome = expect(write).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    await (await world.next(web, 'get points')).deliver()
    await (await world.next(web, 'add points')).deliver()
    await world.evict(`${session.id}:points`)
    await there.increment('points', 10)
    await web.store.release()
    await world.time.run(outcome)
    expect(await there.get('points')).toBe(10)
  })

  test('that would make the manifest too long is refused before anything is stored', async () => {
    const open = world.process(z.object({}).catchall(z.int()))
    const names = Array.from({ length: 999 }, (_, index) => `field${index}`)
    const one = await open.sessions.create(Object.fromEntries(names.map((name) => [name, 0])) as never)
    await one.set('field999', 0)
    open.store.takeLog()
    await expect(one.set('field1000', 0)).rejects.toThrow('A session holds at most 1000 fields')
    expect(open.store.log.filter((request) => !request.startsWith('get'))).toEqual([])
    expect(await one.get('field999')).toBe(0)
  })

  test('that would make the header too large is refused before anything is stored (W10)', async () => {
    const open = world.process(z.object({}).catchall(z.int()))
    const one = await open.sessions.create({ first: 0 } as never)
    open.store.largest = `${one.id}:@`.length + 65 + 10 + 6
    await expect(one.set('second', 0)).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE', field: 'header' })
    expect(await world.stored(`${one.id}:second`)).toBeUndefined()
    open.store.largest = undefined
    expect(await one.getAll()).toEqual({ first: 0 })
  })
})

describe('what is noted of lives', () => {
  test('a tombstone has no deadline, whatever the field’s own life is', async () => {
    const process = world.process(schema, { expires: { note: '5m' } })
    const own = await process.sessions.create({ note: 'x' })
    await own.delete('note')
    const item = decodeItem('note', (await world.stored(`${own.id}:note`)) as Buffer)
    expect([item.json, item.deadline]).toEqual([undefined, 0])
  })

  test('a field that is listed later makes the others live no longer', async () => {
    const noted = async () => decodeHeader((await world.stored(`${session.id}:@`)) as Buffer).fieldsUntil
    const before = await noted()
    await world.time.advance(60_000)
    await session.set('cart', ['tea'])
    expect((await manifest()).has('cart')).toBe(true)
    expect(await noted()).toBe(before)
  })
})

describe('a blind set whose answer was lost (W6)', () => {
  let write: Promise<void>
  beforeEach(() => {
    web.store.holding = true
    write = session.set('note', 'second')
    write.catch(() => {})
  })

  async function goOn(): Promise<void> {
    await web.store.release()
    web.store.holding = false
  }

  test('but was applied is done', async () => {
    await (await world.next(web, 'replace any note')).loseAnswer()
    await goOn()
    await world.time.run(write)
    expect(await session.get('note')).toBe('second')
    expect(writes()).toEqual(['replace any note'])
  })

  test('was applied, and others have built on it since: done', async () => {
    await (await world.next(web, 'replace any note')).loseAnswer()
    await there.update('note', (note) => `${note} and third`)
    await goOn()
    await world.time.run(write)
    expect(await session.get('note')).toBe('second and third')
  })

  test('and was not applied is OUTCOME_UNKNOWN, and is never sent again', async () => {
    ;(await world.next(web, 'replace any note')).loseRequest()
    await goOn()
    await expect(world.time.run(write)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    expect(writes()).toEqual(['replace any note'])
    expect(await session.get('note')).toBe('first')
  })

  test('but was applied waits an outage out, and is then found out about', async () => {
    await (await world.next(web, 'replace any note')).loseAnswer()
    await world.outage(web)
    await world.time.run(write)
    expect(await session.get('note')).toBe('second')
    expect(writes()).toEqual(['replace any note'])
  })

  test('and the store stays away: OUTCOME_UNKNOWN by the deadline of the call', async () => {
    ;(await world.next(web, 'replace any note')).loseRequest()
    const began = world.time.clock.now()
    web.store.outage = 'refused'
    await web.store.release()
    await expect(world.time.run(write)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    expect(world.time.clock.now() - began).toBeLessThanOrEqual(2_000)
  })

  test('and the session has ended: SESSION_GONE', async () => {
    await (await world.next(web, 'replace any note')).loseAnswer()
    await there.destroy()
    await goOn()
    await expect(world.time.run(write)).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'destroyed' })
  })
})

describe('a blind set', () => {
  test('that was refused alone is not tried again: STORE_UNAVAILABLE, with what the store says', async () => {
    web.store.holding = true
    const write = expect(session.set('note', 'second')).rejects.toThrow('The connection was cut')
    ;(await world.next(web, 'replace any note')).refuse()
    await web.store.release()
    await world.time.run(write)
    expect(web.store.log).toEqual(['replace any note', 'get @'])
  })

  test('in one tick with a change is made in its turn: the change sees the value from before it', async () => {
    await session.set('visits', 5)
    expect(await Promise.all([session.increment('visits'), session.set('visits', 40)])).toEqual([6, undefined])
    expect(await there.get('visits')).toBe(40)
  })

  test('whose header is cut off behind it is done: the header is read again', async () => {
    cutOffHeader()
    await session.set('note', 'second')
    expect(web.store.log).toEqual(['replace any note', 'get @', 'get @'])
    expect(await there.get('note')).toBe('second')
  })

  test('whose header is cut off behind it, and stays away, is OUTCOME_UNKNOWN: it is stored, perhaps in no session', async () => {
    cutOffHeader(() => {
      web.store.outage = 'refused'
    })
    await expect(session.set('note', 'second')).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      cause: expect.objectContaining({ code: 'STORE_UNAVAILABLE' }),
    })
  })

  test('that never left is STORE_UNAVAILABLE, and nothing was stored', async () => {
    web.store.outage = 'refused'
    await expect(session.set('note', 'second')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(await there.get('note')).toBe('first')
  })

  test('over an item that was evicted finds the loss', async () => {
    await world.evict(`${session.id}:note`)
    await expect(session.set('note', 'second')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'lost', field: 'note' })
    expect(await other.sessions.open(session.token as string)).toBeNull()
  })

  test('into a session that ended in between is SESSION_GONE, whatever it left behind', async () => {
    web.store.holding = true
    const write = session.set('note', 'second')
    const flight = await world.next(web, 'replace any note')
    await flight.step()
    await there.destroy()
    await flight.step()
    await expect(write).rejects.toMatchObject({ code: 'SESSION_GONE' })
  })

  test('keeps the birth of the item it replaces', async () => {
    const { birth } = await itemOf('note')
    await session.set('note', 'second')
    expect((await itemOf('note')).birth).toEqual(birth)
    expect((await manifest()).get('note')).toEqual(birth)
  })

  test('lives as long as the session does by now, where that was given a longer idle time', async () => {
    const late = await opened(web)
    await there.regenerate({ lifetime: { idle: '6h' } })
    await late.set('note', 'second')
    expect(await world.life(`${session.id}:note`)).toBeGreaterThan(18 * 3_600_000)
  })
})

describe('the longer life of a value, in a session that was given a longer idle time', () => {
  let write: Promise<void>
  beforeEach(async () => {
    const late = await opened(web)
    await there.regenerate({ lifetime: { idle: '6h' } })
    web.store.takeLog()
    web.store.holding = true
    write = late.set('note', 'second')
    await (await world.next(web, 'replace any note')).deliver()
  })

  const touches = () => writes().filter((request) => request === 'touch note')

  test('is given again where the answer was lost', async () => {
    ;(await world.next(web, 'touch note')).loseRequest()
    await (await world.next(web, 'touch note')).deliver()
    await web.store.release()
    await world.time.run(write)
    expect(await world.life(`${session.id}:note`)).toBeGreaterThan(18 * 3_600_000)
  })

  test.each(['done', 'missing'])('is given once where the server answers: %s', async (answer) => {
    const touch = await world.next(web, 'touch note')
    if (answer === 'missing') await world.evict(`${session.id}:note`)
    await touch.deliver()
    await web.store.release()
    await world.time.run(write)
    expect(touches()).toHaveLength(1)
  })
})

describe('a change that is asked for just as the writes of its field come to rest', () => {
  const later = async <T>(steps: number, call: () => Promise<T>): Promise<T> => {
    for (let step = 0; step < steps; step++) await undefined
    return call()
  }

  test.each(Array.from({ length: 12 }, (_, steps) => steps))('%i steps later is made at once', async (steps) => {
    web.store.holding = true
    const began = world.time.runtime.monotonic()
    const first = session.increment('visits')
    await turn()
    const behind = async () => {
      await session.increment('visits')
      return later(steps, () => session.increment('visits'))
    }
    const last = behind()
    await turn()
    await web.store.release()
    await first
    expect(await world.time.run(last)).toBe(3)
    expect(world.time.runtime.monotonic() - began).toBeLessThan(100)
  })
})

describe('a change of what its request has just written', () => {
  const trip = ['replace visits', 'get @']
  const add = (visits: number) => visits + 1

  test.each([
    ['changed', () => session.increment('visits', 0.5 + 0.5)],
    ['set', () => session.set('visits', 1)],
  ])('takes one round trip: %s', async (_what, before) => {
    await before()
    const { visits } = await there.getAll()
    web.store.takeLog()
    expect(await session.update('visits', add)).toBe(visits + 1)
    expect(web.store.log).toEqual(trip)
    expect(await there.get('visits')).toBe(visits + 1)
  })

  test('those that wait behind one another take one each', async () => {
    await session.set('visits', 0)
    web.store.holding = true
    const first = session.increment('visits')
    const flight = await world.next(web, 'replace visits')
    const second = session.increment('visits')
    await flight.deliver()
    const next = await world.next(web, 'replace visits')
    expect(String(next)).toBe('replace visits, get @')
    await web.store.release()
    expect(await Promise.all([first, second])).toEqual([1, 2])
  })

  test('lets those of other processes in after 10 ms of changes without a gap, for 2 ms', async () => {
    await session.set('visits', 0)
    web.store.holding = true
    const first = session.increment('visits')
    const flight = await world.next(web, 'replace visits')
    const second = session.increment('visits')
    await world.time.advance(9)
    await flight.deliver()
    const next = await world.next(web, 'replace visits')
    const third = session.increment('visits')
    await world.time.advance(1)
    await next.deliver()
    await world.time.advance(1)
    expect(web.store.held).toEqual([])
    expect(await there.increment('visits', 10)).toBe(12)
    await world.time.advance(1)
    await (await world.next(web, 'replace visits')).deliver()
    await web.store.release()
    web.store.holding = false
    expect(await world.time.run(Promise.all([first, second, third]))).toEqual([1, 2, 13])
  })

  test('is read first after all where somebody else was faster', async () => {
    await session.set('visits', 0)
    await there.increment('visits', 10)
    web.store.takeLog()
    expect(await session.increment('visits')).toBe(11)
    expect(web.store.log).toEqual([...trip, 'get visits', 'get @', 'replace visits'])
  })

  test('is made over what a set of somebody else has left', async () => {
    await session.set('visits', 0)
    await there.set('visits', 10)
    expect(await session.increment('visits')).toBe(11)
  })

  test.each([
    [16_384, ['replace note', 'get @']],
    [16_385, ['get note', 'get @', 'replace note']],
  ])('is made without reading up to %i characters: more is not kept for it', async (length, expected) => {
    await session.set('note', 'x'.repeat(length - 2))
    await turn()
    web.store.takeLog()
    await session.update('note', () => 'short')
    expect(web.store.takeLog()).toEqual(expected)
  })

  test('runs its function in the async context of its caller, whatever other sessions write in the same tick', async () => {
    const caller = new AsyncLocalStorage<string>()
    const second = await web.sessions.create({ visits: 0 })
    const seen: unknown[] = []
    const note = (visits: number) => {
      seen.push(caller.getStore())
      return visits + 1
    }
    await Promise.all([
      caller.run('ada', () => session.update('visits', note)),
      caller.run('bob', () => second.update('visits', note)),
    ])
    expect(seen).toEqual(['ada', 'bob'])
  })

  test('leaves out what was given up before it left', async () => {
    await session.set('visits', 0)
    const controller = new AbortController()
    const givenUp = session.increment('visits', 100, { signal: controller.signal })
    const kept = session.increment('visits')
    controller.abort()
    await expect(givenUp).rejects.toThrow('aborted')
    expect(await kept).toBe(1)
    expect(await there.get('visits')).toBe(1)
  })

  test('leaves out what the function of one before it gives up', async () => {
    await session.set('visits', 0)
    await oneGivesUpTheNext()
    expect(await there.get('visits')).toBe(1)
  })

  test('remembers the writes of others for a minute, by the time at which it is made', async () => {
    await there.increment('visits')
    await session.increment('visits')
    await world.time.advance(59_000)
    await session.increment('visits')
    expect((await itemOf('visits')).earlier).toHaveLength(1)
    await world.time.advance(2_000)
    await session.increment('visits')
    expect((await itemOf('visits')).earlier).toHaveLength(0)
  })

  test('is not refused for what held only before', async () => {
    await session.set('visits', 0)
    await there.set('visits', 3)
    const pay = (visits: number) => {
      if (visits < 3) throw new Error('not enough')
      return visits - 3
    }
    expect(await session.update('visits', pay)).toBe(0)
    await expect(session.update('visits', pay)).rejects.toThrow('not enough')
  })

  test('that comes to the same value is read first, since nothing would show that it still is the value', async () => {
    await session.set('visits', 0)
    await there.set('visits', 7)
    expect(await session.update('visits', () => 0)).toBe(0)
    expect(await there.get('visits')).toBe(0)
  })

  test('ends in SESSION_GONE when the header is gone, whatever it left behind', async () => {
    await session.set('visits', 0)
    await world.evict(`${session.id}:@`)
    await expect(session.increment('visits')).rejects.toMatchObject({ code: 'SESSION_GONE' })
  })

  test('finds the loss of an item that was evicted', async () => {
    await session.set('visits', 0)
    await world.evict(`${session.id}:visits`)
    await expect(session.increment('visits')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'lost', field: 'visits' })
  })

  test('whose answer was lost is found out about, once', async () => {
    await session.set('visits', 0)
    for (const how of ['loseAnswer', 'loseRequest'] as const) {
      web.store.holding = true
      const before = await itemOf('visits')
      const update = session.increment('visits')
      await (await world.next(web, 'replace visits'))[how]()
      await web.store.release()
      expect(await world.time.run(update)).toBe(Number(before.json) + 1)
    }
    expect(await there.get('visits')).toBe(2)
  })

  test('lives as long as the session does by now, where that was given a longer idle time', async () => {
    await session.set('note', 'first')
    other.store.holding = true
    const regenerate = there.regenerate({ lifetime: { idle: '6h' } })
    await (await world.next(other, 'get @')).deliver()
    await (await world.next(other, 'replace @')).deliver()
    web.store.takeLog()
    await session.update('note', () => 'second')
    expect(web.store.log.slice(0, 3)).toEqual(['replace note', 'get @', 'touch note'])
    expect(await world.life(`${session.id}:note`)).toBeGreaterThan(18 * 3_600_000)
    await other.store.release()
    await world.time.run(regenerate)
  })

  test.each([
    ['lives for a time of its own', { expires: { visits: '5m' } }],
    ['may be absent', { lost: { visits: 'absent' } }],
  ] as const)('is read first where the field %s, and so may be gone without a word', async (_what, options) => {
    const process = world.process(schema, options)
    const own = await process.sessions.create({ visits: 1 })
    await own.increment('visits')
    process.store.takeLog()
    await own.increment('visits')
    expect(process.store.log).toEqual(['get visits', 'get @', 'replace visits'])
  })

  test('is read first where a field with a life of its own was just deleted', async () => {
    const process = world.process(schema, { expires: { visits: '5m' } })
    const own = await process.sessions.create({ visits: 1 })
    await own.delete('visits')
    process.store.takeLog()
    await own.increment('visits')
    expect(process.store.log).toEqual(['get visits', 'get @', 'replace visits'])
  })

  test('keeps its birth, and the ids of others', async () => {
    await there.increment('visits')
    const { id, birth } = await itemOf('visits')
    await session.increment('visits')
    await session.increment('visits')
    const item = await itemOf('visits')
    expect(item.birth).toEqual(birth)
    expect(item.earlier.map((write) => write.id)).toEqual([id])
  })
})

describe('a hot field', () => {
  test('ends in UPDATE_CONFLICT after as many attempts as were allowed, and nothing is stored', async () => {
    const patient = world.process(schema, { retry: { attempts: 5 } })
    const one = await opened(patient)
    patient.store.takeLog()
    patient.store.holding = true
    const update = one.increment('visits', 1_000)
    const outcome = expect(update).rejects.toMatchObject({ code: 'UPDATE_CONFLICT', field: 'visits' })
    for (let attempt = 0; attempt < 5; attempt++) {
      await (await world.next(patient, 'get visits')).deliver()
      const swap = await world.next(patient, 'replace visits')
      await there.increment('visits')
      await swap.deliver()
    }
    await world.time.run(outcome)
    expect(patient.store.log.filter((request) => request === 'replace visits')).toHaveLength(5)
    expect(await session.get('visits')).toBe(5)
  })

  test('ends in UPDATE_CONFLICT at the deadline', async () => {
    const patient = world.process(schema, { retry: { attempts: 1_000_000, deadline: '300ms' } })
    const one = await opened(patient)
    const began = world.time.clock.now()
    patient.store.holding = true
    const update = one.increment('visits', 1_000)
    let isSettled = false
    const outcome = expect(update)
      .rejects.toMatchObject({ code: 'UPDATE_CONFLICT' })
      .finally(() => {
        isSettled = true
      })
    while (!isSettled) {
      await turn()
      const held = patient.store.held[0]
      if (held && String(held).includes('replace')) await there.increment('visits')
      await held?.deliver()
      if (!held) world.time.wakeNext()
    }
    await outcome
    expect(world.time.clock.now() - began).toBeLessThanOrEqual(300)
    expect(await session.get('visits')).toBeLessThan(1_000)
  })

  test('the deadline runs from the call, waiting behind a write that hangs included (W9)', async () => {
    web.store.holding = true
    const stuck = expect(session.increment('visits')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await world.time.advance(1_000)
    const began = world.time.clock.now()
    const outcome = expect(session.increment('visits')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await world.time.advance(2_000)
    await outcome
    expect(world.time.clock.now() - began).toBe(2_000)
    await web.store.release()
    await stuck
  })
})

test('changes that go together wait no longer than the first of them may', async () => {
  web.store.holding = true
  const stuck = session.increment('visits')
  const swap = await world.next(web, 'get visits')
  const early = ended(session.increment('visits'))
  await world.time.advance(1_000)
  const late = ended(session.increment('visits'))
  await swap.deliver()
  await (await world.next(web, 'replace visits')).deliver()
  await stuck
  await world.time.advance(700)
  await there.set('visits', 9)
  await (await world.next(web, 'replace visits')).deliver()
  await world.next(web, 'get visits')
  await world.time.advance(5_000)
  expect([await early, await late]).toEqual([2_000, 1_000])
  await web.store.release()

  function ended(call: Promise<unknown>): Promise<number> {
    const start = world.time.clock.now()
    return call.then(
      () => Number.NaN,
      () => world.time.clock.now() - start,
    )
  }
})

describe("a field that is declared 'absent' (R5)", () => {
  const lost = { cart: 'absent' } as const

  test('is unset when its item is gone, and the session lives on', async () => {
    const shop = world.process(schema, { lost })
    const one = await opened(shop)
    await one.set('cart', ['tea'])
    await world.evict(`${session.id}:cart`)
    expect(await one.get('cart')).toEqual([])
    expect(await one.update('cart', (cart) => [...cart, 'coffee'])).toEqual(['coffee'])
    expect(await one.get('cart')).toEqual(['coffee'])
    expect(await one.getAll()).toMatchObject({ cart: ['coffee'], note: 'first' })
  })

  test('whose first write is unanswered, with nothing there afterwards, is OUTCOME_UNKNOWN: it could have been stored and evicted', async () => {
    const shop = world.process(schema, { lost })
    const one = await opened(shop)
    shop.store.holding = true
    const write = one.update('cart', (cart) => [...cart, 'tea'])
    write.catch(() => {})
    await (await world.next(shop, 'get cart')).deliver()
    ;(await world.next(shop, 'add cart')).loseRequest()
    await shop.store.release()
    shop.store.holding = false
    await expect(world.time.run(write)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
  })

  test('whose update is unanswered, with nothing there afterwards, is OUTCOME_UNKNOWN', async () => {
    const shop = world.process(schema, { lost })
    const one = await opened(shop)
    await one.set('cart', ['tea'])
    shop.store.holding = true
    const write = one.update('cart', (cart) => [...cart, 'coffee'])
    write.catch(() => {})
    await (await world.next(shop, 'get cart')).deliver()
    await (await world.next(shop, 'replace cart')).loseAnswer()
    await world.evict(`${session.id}:cart`)
    await shop.store.release()
    shop.store.holding = false
    await expect(world.time.run(write)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
  })
})

/** What no version of this package wrote. */
const garbage = Buffer.from([0xff])

/** The function of a first change, which makes 1 of 0, gives up a second one of its batch. */
async function oneGivesUpTheNext(): Promise<void> {
  const controller = new AbortController()
  const first = session.update('visits', (visits) => {
    controller.abort()
    return visits + 1
  })
  const second = session.increment('visits', 100, { signal: controller.signal })
  await expect(second).rejects.toThrow('aborted')
  expect(await first).toBe(1)
}

/** Of the next flight the last answer is lost. */
function cutOffHeader(then = () => {}): void {
  const { store } = web
  const flight = store.flight.bind(store)
  store.flight = async (...request) => {
    store.flight = flight
    const { answers, serverTime: at } = await flight(...request)
    then()
    return {
      answers: [...answers.slice(0, -1), { result: 'unanswered', error: new StoreUnavailableError('cut off') }],
      serverTime: at,
    }
  }
}

describe('take whose answer was lost', () => {
  test.each([
    ['but was applied', (swap: { loseAnswer(): Promise<void> }) => swap.loseAnswer()],
    ['and was not applied', (swap: { loseRequest(): void }) => swap.loseRequest()],
  ])('%s: exactly one taker gets the value', async (_what, lose) => {
    web.store.holding = true
    const mine = session.take('note')
    await (await world.next(web, 'get note')).deliver()
    await lose(await world.next(web, 'replace note'))
    await web.store.release()
    web.store.holding = false
    const taken = await world.time.run(Promise.allSettled([mine, there.take('note')]))
    const got = taken.filter((result) => result.status === 'fulfilled' && result.value === 'first')
    expect(got).toHaveLength(1)
    expect(await session.has('note')).toBe(false)
  })
})
