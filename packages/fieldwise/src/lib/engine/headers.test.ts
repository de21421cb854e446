import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { turn } from '../../../../../test/support/virtual-time.js'
import { type Process, World } from '../../../../../test/support/world.js'
import type { SessionOf } from '../api/sessions.js'
import { decodeHeader } from '../format/header.js'
import { keepFor } from '../session/adapter-operations.js'

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

describe('a change of a header', () => {
  test('that cannot be sent fails at once, with what the store says, and is not tried again', async () => {
    web.store.outage = 'refused'
    await expect(session.regenerate()).rejects.toThrow('The connection was cut')
    expect(web.store.log).toEqual(['get @'])
  })

  test('whose swap never left fails at once, with what the store says, and is not tried again', async () => {
    web.store.holding = true
    const rotation = expect(session.regenerate()).rejects.toThrow('The connection was cut')
    await (await world.next(web, 'get @')).deliver()
    ;(await world.next(web, 'replace @')).refuse()
    await web.store.release()
    await world.time.run(rotation)
    expect(web.store.log).toEqual(['get @', 'replace @'])
  })

  test('that came second knows that nothing of it was stored: an outage after that is STORE_UNAVAILABLE', async () => {
    web.store.holding = true
    const outcome = expect(keepFor(session, '20m')).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await (await world.next(web, 'get @')).deliver()
    const swap = await world.next(web, 'replace @')
    await there.set('second', 1)
    web.store.outage = 'refused'
    await swap.deliver()
    await world.time.run(outcome)
    expect(swaps()).toHaveLength(1)
  })

  test('whose answer was lost waits an outage out, and is then found out about', async () => {
    web.store.holding = true
    const change = keepFor(session, '20m')
    await (await world.next(web, 'get @')).deliver()
    await (await world.next(web, 'replace @')).loseAnswer()
    await world.outage(web)
    await world.time.run(change)
    expect(swaps()).toHaveLength(1)
    expect((await header()).idle).toBe(20 * 60_000)
  })

  test('that waits behind one that hangs ends at its own deadline, with nothing stored', async () => {
    web.store.holding = true
    const stuck = keepFor(session, '20m')
    await world.time.advance(1_000)
    const began = world.time.clock.now()
    let ended: number | undefined
    const later = keepFor(await fresh(), '10m').catch((error) => {
      ended = world.time.clock.now()
      return error
    })
    await world.time.advance(5_000)
    expect(await later).toMatchObject({ code: 'STORE_UNAVAILABLE', message: 'The store did not answer in time' })
    expect((ended as number) - began).toBe(2_000)
    web.store.holding = false
    await web.store.release()
    await stuck.catch(() => {})
  })

  test.each([
    ['that may have been stored is OUTCOME_UNKNOWN at its deadline', true, 'OUTCOME_UNKNOWN'],
    ['that was not stored is STORE_UNAVAILABLE at its deadline', false, 'STORE_UNAVAILABLE'],
  ])('%s, and one beside it with more time is made', async (_what, isOpen, code) => {
    const [early, late] = [await fresh(), await fresh()]
    web.store.holding = true
    const first = keepFor(session, '20m')
    await turn()
    const one = keepFor(early, '10m').catch((error) => error)
    await world.time.advance(1_000)
    const other = keepFor(late, '5m')
    await (await world.next(web, 'get @')).deliver()
    await (await world.next(web, 'replace @')).deliver()
    await first
    await (await world.next(web, 'get @')).deliver()
    const swap = await world.next(web, 'replace @')
    await there.set('second', 1)
    await world.time.advance(1_000)
    if (isOpen) swap.loseRequest()
    else await swap.deliver()
    await world.time.advance(100)
    web.store.holding = false
    await web.store.release()
    await world.time.run(other)
    expect(await one).toMatchObject({ code })
    expect((await header()).idle).toBe(5 * 60_000)
  })

  test('that is made beside others waits no longer than it may, though they could', async () => {
    const [early, late] = [await fresh(), await fresh()]
    web.store.holding = true
    const first = keepFor(session, '20m')
    await turn()
    const one = keepFor(early, '10m').catch(() => world.time.clock.now())
    const began = world.time.clock.now()
    await world.time.advance(1_700)
    const other = keepFor(late, '5m').catch((error) => error)
    await (await world.next(web, 'get @')).deliver()
    await (await world.next(web, 'replace @')).deliver()
    await first
    await turn()
    await world.time.advance(5_000)
    expect((await one) as number).toBe(began + 2_000)
    expect(await other).toMatchObject({ code: 'STORE_UNAVAILABLE' })
    await web.store.release()
  })

  test('that fits to the byte is made; one byte more is refused before it is sent (W10)', async () => {
    const keys = [randomBytes(32).toString('base64url')]
    const sealed = world.process(schema, { sealing: { keys } })
    const example = await sealed.sessions.create({ first: 0 })
    await example.set('second', 0)
    const size = (await world.stored(`${example.id}:@`))?.length as number
    const one = await sealed.sessions.create({ first: 0 })
    sealed.store.largest = `${one.id}:@`.length + size - 1
    await expect(one.set('second', 0)).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE', size, limit: size - 1 })
    sealed.store.largest++
    await one.set('second', 0)
    expect(await one.get('second')).toBe(0)
  })
})

/** Another request's hold on the session, in the first process. */
async function fresh(): Promise<typeof session> {
  const { holding } = web.store
  web.store.holding = false
  const one = await web.sessions.open(session.token as string)
  web.store.holding = holding
  web.store.takeLog()
  return one as typeof session
}

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

  test('whose answer stays away is OUTCOME_UNKNOWN, with what the store says as its cause', async () => {
    web.store.outage = 'silent'
    await expect(world.time.run(session.destroy())).rejects.toMatchObject({
      code: 'OUTCOME_UNKNOWN',
      message: expect.stringContaining('the end of this session'),
      cause: expect.objectContaining({ message: 'The connection was cut' }),
    })
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
