import { beforeEach, describe, expect, test } from 'vitest'
import {
  eachInItsScene,
  itemOf,
  manifest,
  opened,
  schema,
  session,
  there,
  web,
  world,
  writes,
} from '../../../../../test/support/field-scene.js'
import { turn } from '../../../../../test/support/virtual-time.js'
import { decodeItem } from '../format/item.js'

eachInItsScene()

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
    expect(await world.time.run(update)).toBe(1)
    expect([runs, await session.get('visits')]).toEqual([1, 1])
  })

  test('and is carried out after it was sent again: the late one changes nothing', async () => {
    const arrive = (await world.next(web, 'replace visits')).delay()
    await web.store.release()
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
    expect(await world.time.run(update)).toBe(1)
    expect([runs, await session.get('visits')]).toEqual([1, 111])
  })

  test('was not applied, and others have written since: it runs again over that', async () => {
    const arrive = (await world.next(web, 'replace visits')).delay()
    await there.increment('visits', 10)
    await web.store.release()
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
    await expect(world.time.run(update)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    expect([runs, await session.get('visits')]).toEqual([1, 50])
  })

  test('holds back those that come meanwhile, and they build on it', async () => {
    ;(await world.next(web, 'replace visits')).loseRequest()
    const later = session.increment('visits', 10)
    await web.store.release()
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

  test('but was applied: it is listed, and done', async () => {
    await (await world.next(web, 'add points')).loseAnswer()
    await web.store.release()
    expect(await world.time.run(write)).toBe(1)
    expect(await session.get('points')).toBe(1)
    expect((await manifest()).get('points')).toEqual((await itemOf('points')).birth)
  })

  test('and was not applied: it is sent again under another birth (R2)', async () => {
    ;(await world.next(web, 'add points')).loseRequest()
    await web.store.release()
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
    await web.store.release()
    await write.catch(() => {})
    let runs = 0
    web.store.holding = true
    const update = session.update('points', () => ++runs)
    await (await world.next(web, 'get points')).deliver()
    ;(await world.next(web, 'add points')).loseRequest()
    await web.store.release()
    expect(await world.time.run(update)).toBe(1)
    expect([runs, await session.get('points')]).toEqual([1, 1])
  })

  test('and is carried out after the item of the second attempt was evicted: it is not taken for it', async () => {
    const arrive = (await world.next(web, 'add points')).delay()
    await web.store.release()
    expect(await world.time.run(write)).toBe(1)
    await session.increment('points', 10)
    await world.evict(`${session.id}:points`)
    await arrive()
    await expect(session.get('points')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'lost', field: 'points' })
  })

  test('while another process was first: OUTCOME_UNKNOWN, since it could have been there in between', async () => {
    ;(await world.next(web, 'add points')).loseRequest()
    await there.increment('points', 10)
    await web.store.release()
    await expect(world.time.run(write)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
    expect(await session.get('points')).toBe(10)
  })
})

describe('a blind set whose answer was lost (W6)', () => {
  let write: Promise<void>
  beforeEach(() => {
    web.store.holding = true
    write = session.set('note', 'second')
    write.catch(() => {})
  })

  test('but was applied is done', async () => {
    await (await world.next(web, 'replace any note')).loseAnswer()
    await web.store.release()
    await world.time.run(write)
    expect(await session.get('note')).toBe('second')
    expect(writes()).toEqual(['replace any note'])
  })

  test('was applied, and others have built on it since: done', async () => {
    await (await world.next(web, 'replace any note')).loseAnswer()
    await there.update('note', (note) => `${note} and third`)
    await web.store.release()
    await world.time.run(write)
    expect(await session.get('note')).toBe('second and third')
  })

  test('and was not applied is OUTCOME_UNKNOWN, and is never sent again', async () => {
    ;(await world.next(web, 'replace any note')).loseRequest()
    await web.store.release()
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
    await web.store.release()
    await expect(world.time.run(write)).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'destroyed' })
  })
})

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
    const taken = await world.time.run(Promise.allSettled([mine, there.take('note')]))
    const got = taken.filter((result) => result.status === 'fulfilled' && result.value === 'first')
    expect(got).toHaveLength(1)
    expect(await session.has('note')).toBe(false)
  })
})

/** What no version of this package wrote. */
const garbage = Buffer.from([0xff])
