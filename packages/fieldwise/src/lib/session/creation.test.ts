import { beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { turn } from '../../../../../test/support/virtual-time.js'
import { type Process, World } from '../../../../../test/support/world.js'
import { decodeHeader } from '../format/header.js'
import { decodeItem } from '../format/item.js'

const schema = z.object({ username: z.string(), visits: z.int().default(0) })

let world: World
let web: Process<typeof schema>
beforeEach(() => {
  world = new World()
  web = world.process(schema)
})

const keysOf = (flight: readonly { readonly key: string }[] | undefined) => flight?.map(({ key }) => key) ?? []
const sidOf = (flight: readonly { readonly key: string }[] | undefined) => flight?.[0]?.key.slice(0, 36) as string

describe('a new session', () => {
  test('lists every field with the birth of its item (R2)', async () => {
    const session = await web.sessions.create({ username: 'ada', visits: 1 })
    const { manifest } = decodeHeader((await world.stored(`${session.id}:@`)) as Buffer)
    for (const name of ['username', 'visits']) {
      const item = decodeItem(name, (await world.stored(`${session.id}:${name}`)) as Buffer)
      expect(manifest.get(name)).toEqual(item.birth)
    }
    expect([...manifest.keys()]).toEqual(['username', 'visits'])
  })

  test('notes until when its fields live, which is not later than they do', async () => {
    const session = await web.sessions.create({ username: 'ada' })
    const { fieldsUntil } = decodeHeader((await world.stored(`${session.id}:@`)) as Buffer)
    const life = (await world.life(`${session.id}:username`)) as number
    expect(fieldsUntil - world.time.clock.now()).toBeLessThanOrEqual(life)
    expect(life).toBe(3 * 1_800_000 + 2_000 + 500 + 6_000)
  })

  test('carries its own terms in its header', async () => {
    const session = await web.sessions.create({}, { lifetime: { idle: '60d', absolute: '400d' }, persist: true })
    const header = decodeHeader((await world.stored(`${session.id}:@`)) as Buffer)
    expect(header).toMatchObject({ persist: true, idle: 60 * 86_400_000, rotated: 0, previous: undefined })
    expect(header.deadline - header.created).toBe(400 * 86_400_000)
  })
})

describe('a creation whose answer was lost (C1)', () => {
  test('is made anew under another id and another secret', async () => {
    web.store.holding = true
    const creation = web.sessions.create({ username: 'ada' })
    ;(await world.next(web, 'add @')).loseRequest()
    await (await world.next(web, 'delete @')).deliver()
    await (await world.next(web, 'add @')).deliver()
    const session = await world.time.run(creation)
    const [first, second] = web.store.flights.filter((flight) => flight.some(({ op }) => op === 'add'))
    expect(sidOf(second)).toBe(session.id)
    expect(sidOf(first)).not.toBe(session.id)
  })

  test('and that arrives late makes nothing that anybody could open, and harms nothing that lives', async () => {
    web.store.holding = true
    const creation = web.sessions.create({ username: 'ada' })
    const arrive = (await world.next(web, 'add @')).delay()
    const clear = (await world.next(web, 'delete @')).delay()
    await (await world.next(web, 'add @')).deliver()
    const session = await world.time.run(creation)
    web.store.holding = false
    const lateSid = sidOf(web.store.flights.find((flight) => flight.some(({ op }) => op === 'add')))
    const secret = session.token?.slice(37)
    await arrive()
    expect(await web.sessions.open(`${lateSid}.${secret}`)).toBeNull()
    await clear()
    expect(await session.get('username')).toBe('ada')
    expect(await world.stored(`${lateSid}:@`)).toBeUndefined()
  })

  test('clears up what it left, the header first', async () => {
    web.store.holding = true
    const creation = web.sessions.create({ username: 'ada' })
    await (await world.next(web, 'add @')).loseAnswer()
    const discard = await world.next(web, 'delete @')
    expect(String(discard)).toBe('delete @, delete username')
    await discard.deliver()
    const sid = sidOf(web.store.flights[0])
    expect([await world.stored(`${sid}:@`), await world.stored(`${sid}:username`)]).toEqual([undefined, undefined])
    await web.store.release()
    await creation
  })

  test('fails with STORE_UNAVAILABLE by its deadline, and is not tried for ever', async () => {
    web.store.outage = 'silent'
    const began = world.time.clock.now()
    await expect(world.time.run(web.sessions.create({ username: 'ada' }))).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(world.time.clock.now() - began).toBeLessThanOrEqual(500)
    web.store.outage = 'refused'
    await expect(web.sessions.create()).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(web.store.flights.length).toBeLessThanOrEqual(10)
  })
})

describe('a creation of which a part fails', () => {
  test('fails as a whole: the header is deleted', async () => {
    web.store.holding = true
    const creation = web.sessions.create({ username: 'ada', visits: 1 })
    const flight = await world.next(web, 'add @')
    const taken = keysOf(flight.requests)[0] as string
    await world.plant(taken, Buffer.from('in the way'))
    await flight.deliver()
    const discard = await world.next(web, 'delete @')
    await discard.deliver()
    expect(await world.stored(`${taken.slice(0, 36)}:@`)).toBeUndefined()
    await web.store.release()
    await turn()
    expect((await creation).id).not.toBe(taken.slice(0, 36))
  })

  test('has at most 1,000 fields', async () => {
    const open = world.process(z.object({}).catchall(z.int()))
    const fields = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`field${index}`, index]))
    await expect(open.sessions.create(fields(1_001) as never)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
    expect(open.store.log).toEqual([])
    const session = await open.sessions.create(fields(1_000) as never)
    expect(Object.keys(await session.getAll())).toHaveLength(1_000)
  })

  test('with a header beyond the limit of an item is VALUE_TOO_LARGE before anything is sent (W10)', async () => {
    const open = world.process(z.object({}).catchall(z.int()))
    open.store.largest = 1_000
    const names = Array.from({ length: 20 }, (_, index) => `${'x'.repeat(60)}${index}`)
    const values = Object.fromEntries(names.map((name) => [name, 1]))
    await expect(open.sessions.create(values as never)).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE', field: 'header' })
    expect(open.store.log).toEqual([])
  })
})
