import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import {
  eachInItsScene,
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

eachInItsScene()

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
