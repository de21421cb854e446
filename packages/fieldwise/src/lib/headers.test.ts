import { beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { turn } from '../../../../test/support/virtual-time.js'
import { type Process, World } from '../../../../test/support/world.js'
import { decodeHeader } from './header.js'
import type { SessionOf } from './sessions.js'

const schema = z.object({ first: z.int() }).catchall(z.int())
type Web = Process<typeof schema>

let world: World
let web: Web
let other: Web
let session: SessionOf<Web['sessions']>
let there: SessionOf<Web['sessions']>
beforeEach(async () => {
  world = new World()
  web = world.process(schema)
  other = world.process(schema)
  session = await web.sessions.create({ first: 0 })
  there = (await other.sessions.open(session.token as string)) as typeof session
  web.store.takeLog()
})

async function header() {
  return decodeHeader((await world.stored(`${session.id}:@`)) as Buffer)
}

const swaps = () => web.store.log.filter((request) => request === 'replace @')

describe('changes of a header', () => {
  test('that are asked for at once go into one swap', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `field${index}`)
    await Promise.all(names.map((name) => session.set(name, 1)))
    expect(swaps()).toHaveLength(1)
    expect([...(await header()).manifest.keys()]).toEqual(['first', ...names])
  })

  test('of several processes all end up in it', async () => {
    const processes = await Promise.all(
      Array.from({ length: 8 }, () => world.process(schema).sessions.open(session.token as string)),
    )
    await world.time.run(Promise.all(processes.map((one, index) => one?.set(`field${index}`, index))))
    expect((await header()).manifest.size).toBe(9)
    expect(Object.keys(await session.getAll())).toHaveLength(9)
  })

  test('fail alone: one field too many is refused, the one beside it is listed', async () => {
    const names = Array.from({ length: 998 }, (_, index) => `field${index}`)
    const big = await web.sessions.create({ first: 0, ...Object.fromEntries(names.map((name) => [name, 0])) } as never)
    const results = await Promise.allSettled([big.set('last', 1), big.set('beyond', 1)])
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(results.find((result) => result.status === 'rejected')?.reason.code).toMatch(/BAD_ARGUMENT|OUTCOME_UNKNOWN/)
    expect(Object.keys(await big.getAll())).toHaveLength(1_000)
  })

  test('give the header its full life', async () => {
    await world.time.advance(20 * 60_000)
    await session.set('second', 1)
    expect(await world.life(`${session.id}:@`)).toBe(33 * 60_000 + 2_000)
  })
})

describe('a swap of a header whose answer was lost', () => {
  test('but was applied is found out by looking', async () => {
    web.store.holding = true
    const write = session.set('second', 1)
    await (await world.next(web, 'get second')).deliver()
    await (await world.next(web, 'add second')).deliver()
    await (await world.next(web, 'replace @')).loseAnswer()
    await web.store.release()
    web.store.holding = false
    await world.time.run(write)
    expect(swaps()).toHaveLength(1)
  })

  test('and was not applied is made again, and arrives late without harm', async () => {
    web.store.holding = true
    const write = session.set('second', 1)
    await (await world.next(web, 'get second')).deliver()
    await (await world.next(web, 'add second')).deliver()
    const arrive = (await world.next(web, 'replace @')).delay()
    await web.store.release()
    web.store.holding = false
    await world.time.run(write)
    await there.set('third', 1)
    await arrive()
    expect([...(await header()).manifest.keys()]).toEqual(['first', 'second', 'third'])
  })

  test('does not fail a change that comes later, nor hide it', async () => {
    web.store.holding = true
    const one = session.set('second', 1)
    await (await world.next(web, 'get second')).deliver()
    await (await world.next(web, 'add second')).deliver()
    await (await world.next(web, 'replace @')).loseAnswer()
    const two = session.set('third', 1)
    await turn()
    await web.store.release()
    web.store.holding = false
    await world.time.run(Promise.all([one, two]))
    expect([...(await header()).manifest.keys()]).toEqual(['first', 'second', 'third'])
  })
})

describe('the end', () => {
  test('deletes the header before any field (E1)', async () => {
    await session.set('second', 1)
    web.store.takeLog()
    await session.destroy()
    const deleted = web.store.log.filter((request) => request.startsWith('delete'))
    expect(deleted).toEqual(['delete @', 'delete first', 'delete second'])
  })

  test('is acknowledged only when the header is gone', async () => {
    web.store.holding = true
    let isAcknowledged = false
    const ending = session.destroy().then(() => {
      isAcknowledged = true
    })
    const flight = await world.next(web, 'delete @')
    expect(isAcknowledged).toBe(false)
    await flight.deliver()
    await web.store.release()
    await ending
    expect(await other.sessions.open(session.token as string)).toBeNull()
  })

  test('of what another one has ended already is fine', async () => {
    web.store.holding = true
    const ending = session.destroy()
    await turn()
    await there.destroy()
    await web.store.release()
    await ending
    expect(session.state).toBe('gone')
  })

  test('is not a new life for a header that another one is changing', async () => {
    other.store.holding = true
    const write = there.set('second', 1)
    const outcome = expect(write).rejects.toMatchObject({ code: 'SESSION_GONE' })
    await (await world.next(other, 'get second')).deliver()
    await (await world.next(other, 'add second')).deliver()
    const listing = await world.next(other, 'replace @')
    await session.destroy()
    await listing.deliver()
    await other.store.release()
    await world.time.run(outcome)
    expect(await world.stored(`${session.id}:@`)).toBeUndefined()
  })
})
