import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import {
  eachInItsScene,
  manifest,
  opened,
  other,
  schema,
  session,
  there,
  web,
  world,
} from '../../../../../test/support/field-scene.js'
import { decodeHeader } from '../format/header.js'
import { decodeItem } from '../format/item.js'

eachInItsScene()

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
    await expect(world.time.run(write)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
  })
})
