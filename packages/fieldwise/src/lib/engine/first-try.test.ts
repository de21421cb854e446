import { AsyncLocalStorage } from 'node:async_hooks'
import { beforeEach, describe, expect, test } from 'vitest'
import {
  eachInItsScene,
  itemOf,
  manifest,
  oneGivesUpTheNext,
  opened,
  other,
  schema,
  session,
  there,
  web,
  world,
  writes,
} from '../../../../../test/support/field-scene.js'
import { turn } from '../../../../../test/support/virtual-time.js'
import { StoreUnavailableError } from '../api/errors.js'

eachInItsScene()

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
