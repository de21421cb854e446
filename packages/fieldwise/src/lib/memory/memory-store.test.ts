import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import type { Store, StoreAnswer, StoreRequest } from '../api/store.js'
import { type MemoryStoreOptions, memoryStore } from './memory-store.js'

const sid = '0a8b2f2e-56ab-4b52-9a9f-1d3c1c2f0a11'
const minute = 60_000

function scene(options: MemoryStoreOptions = {}) {
  const clock = {
    time: Date.UTC(2026, 0, 1),
    now() {
      return this.time
    },
  }
  return { clock, store: memoryStore({ clock, ...options }) }
}

async function answersOf(store: Store, id: string, requests: readonly StoreRequest[]): Promise<readonly StoreAnswer[]> {
  return (await store.flight(id, requests, 0)).answers
}

const get = (id: string, name: string): StoreRequest => ({ op: 'get', key: `${id}:${name}` })
const add = (id: string, name: string, value: string | Buffer = 'x', life = minute): StoreRequest => ({
  op: 'add',
  key: `${id}:${name}`,
  value: Buffer.from(value as string),
  ttl: life,
})

/** Which of `names` are there, without reading expired ones back to life. */
async function namesIn(store: Store, id: string, names: readonly string[]): Promise<string[]> {
  const answers = await answersOf(
    store,
    id,
    names.map((name) => get(id, name)),
  )
  return names.filter((_, index) => answers[index]?.result === 'found')
}

describe('time', () => {
  test('an item lives to the millisecond', async () => {
    const { clock, store } = scene()
    await answersOf(store, sid, [add(sid, 'a', 'x', 1_000)])
    clock.time += 999
    expect(await answersOf(store, sid, [get(sid, 'a')])).toMatchObject([{ result: 'found', ttl: 1 }])
    clock.time += 1
    expect(await answersOf(store, sid, [get(sid, 'a')])).toEqual([{ result: 'missing' }])
  })

  test('an item is gone when its life is over, however many sessions there are to sweep', async () => {
    const { clock, store } = scene()
    const sids = Array.from({ length: 50 }, (_, index) => `session${index}`)
    for (const id of sids) await answersOf(store, id, [add(id, 'a', 'x', 1_000)])
    clock.time += 1_000
    for (const id of sids.reverse()) expect(await namesIn(store, id, ['a'])).toEqual([])
  })

  test('items of one session end one after the other', async () => {
    const { clock, store } = scene()
    await answersOf(store, sid, [add(sid, 'a', 'x', 10), add(sid, 'b', 'x', 20), add(sid, 'c', 'x', 30)])
    for (const living of [['b', 'c'], ['c'], []]) {
      clock.time += 10
      expect(await namesIn(store, sid, ['a', 'b', 'c'])).toEqual(living)
    }
  })

  test('an item that was touched down to less ends on its own, though others of its session live on', async () => {
    const { clock, store } = scene()
    await answersOf(store, sid, [add(sid, 'a'), add(sid, 'b'), { op: 'touch', key: `${sid}:a`, ttl: 10 }])
    clock.time += 10
    expect(await namesIn(store, sid, ['a', 'b'])).toEqual(['b'])
  })

  test('the longest lives are held, and told as they are held', async () => {
    const { store } = scene()
    for (const [name, life] of Object.entries({ a: Number.MAX_VALUE, b: Number.POSITIVE_INFINITY, c: Number.MAX_SAFE_INTEGER })) {
      const [, read] = await answersOf(store, sid, [add(sid, name, 'x', life), get(sid, name)])
      expect(read).toMatchObject({ result: 'found' })
      expect(Number.isSafeInteger((read as { ttl: number }).ttl)).toBe(true)
    }
  })

  test('a clock that is set back breaks nothing: items live on and can be written', async () => {
    const { clock, store } = scene()
    await answersOf(store, sid, [add(sid, 'a', 'old', minute)])
    clock.time -= 3_600_000
    const touch: StoreRequest = { op: 'touch', key: `${sid}:a`, ttl: minute }
    expect(await answersOf(store, sid, [get(sid, 'a'), add(sid, 'b'), touch])).toMatchObject([
      { result: 'found' },
      { result: 'stored' },
      { result: 'done' },
    ])
    expect(await store.now(sid, 0)).toBe(clock.time)
    clock.time += minute
    expect(await namesIn(store, sid, ['a', 'b'])).toEqual([])
  })

  const still = { running: () => 0, sleep: async () => {} }

  test('the first host gives the clock, later ones do not change it', async () => {
    const store = memoryStore()
    for (const time of [1_000, 2_000]) store.start?.({ ...still, clock: { now: () => time } })
    expect(await store.now(sid, 0)).toBe(1_000)
  })

  test('the clock of the options goes before the first host’s', async () => {
    const store = memoryStore({ clock: { now: () => 5 } })
    store.start?.({ ...still, clock: { now: () => 1_000 } })
    expect(await store.now(sid, 0)).toBe(5)
  })

  test('without any clock given it is the system’s', async () => {
    const before = Date.now()
    const now = await memoryStore().now(sid, 0)
    expect(now).toBeGreaterThanOrEqual(before)
    expect(now).toBeLessThanOrEqual(Date.now())
  })
})

describe('the limit', () => {
  /** With 400 bytes for its session, 200 for itself and 38 for its key, exactly 1,000 bytes. */
  const value = Buffer.alloc(1_000 - 400 - 200 - 38)
  const sids = Array.from({ length: 12 }, (_, index) => `${sid.slice(0, -2)}${index + 10}`)

  async function livingOf(store: Store, ids: readonly string[]): Promise<string[]> {
    const living: string[] = []
    for (const id of ids) if ((await namesIn(store, id, ['v'])).length > 0) living.push(id)
    return living
  }

  test('is kept to the byte: 10 sessions of 1,000 bytes fit into 10,000, an 11th ends the least recently used', async () => {
    for (const [limit, kept] of [
      [10_000, 10],
      [10_999, 10],
      [11_000, 11],
      [9_999, 9],
    ] as const) {
      const { store } = scene({ limit })
      for (const id of sids.slice(0, 11)) await answersOf(store, id, [add(id, 'v', value)])
      expect(await livingOf(store, sids)).toEqual(sids.slice(11 - kept, 11))
    }
  })

  test('spares sessions that were used since, by any request', async () => {
    const uses = [get, (id: string, name: string): StoreRequest => ({ op: 'touch', key: `${id}:${name}`, ttl: minute })]
    for (const use of uses) {
      const { store } = scene({ limit: 10_000 })
      for (const id of sids.slice(0, 10)) await answersOf(store, id, [add(id, 'v', value)])
      await answersOf(store, sids[0] as string, [use(sids[0] as string, 'v')])
      await answersOf(store, sids[10] as string, [add(sids[10] as string, 'v', value)])
      const living = await livingOf(store, sids)
      expect(living).toContain(sids[0])
      expect(living).not.toContain(sids[1])
    }
  })

  test('never takes a part of a session: 600 rounds of values of random sizes leave every session whole or gone', async () => {
    const { store } = scene({ limit: 40_000 })
    const random = generator(20_260_101)
    const names = ['@', 'a', 'b', 'c', 'd']
    const whole = new Map<string, number>()
    for (let round = 0; round < 600; round++) {
      const id = `${sid.slice(0, -3)}${100 + Math.floor(random() * 60)}`
      const before = await namesIn(store, id, names)
      expect(before.length === 0 || before.length === whole.get(id), 'whole or gone').toBe(true)
      if (before.length > 0) continue
      const fields = names.slice(0, 1 + Math.floor(random() * 5))
      await answersOf(
        store,
        id,
        fields.map((name) => add(id, name, Buffer.alloc(Math.floor(random() * 800)))),
      )
      whole.set(id, fields.length)
    }
  })

  test('counts what replaces, deletes and expiry give back', async () => {
    const { clock, store } = scene({ limit: 10_000 })
    const [keeper, churner] = sids as [string, string]
    await answersOf(store, keeper, [add(keeper, 'v', Buffer.alloc(4_000), 10 * minute)])
    for (let round = 0; round < 100; round++) {
      const replace: StoreRequest = {
        op: 'replace',
        key: `${churner}:v`,
        value: Buffer.alloc(round % 2 === 0 ? 4_000 : 10),
        ttl: 10,
      }
      await answersOf(store, churner, [add(churner, 'v'), replace])
      if (round % 3 === 0) await answersOf(store, churner, [{ op: 'delete', key: `${churner}:v` }])
      else clock.time += 10
    }
    const filler = sids[2] as string
    const rest = 10_000 - (400 + 200 + 38 + 4_000) - (400 + 200 + 38)
    await answersOf(store, filler, [add(filler, 'v', Buffer.alloc(rest))])
    expect(await livingOf(store, [filler, keeper])).toEqual([filler, keeper])
    await answersOf(store, filler, [{ op: 'replace', key: `${filler}:v`, value: Buffer.alloc(rest + 1), ttl: minute }])
    expect(await livingOf(store, [filler, keeper])).toEqual([filler])
  })

  test('counts a value that was replaced once', async () => {
    const { store } = scene({ limit: 10_000 })
    const [keeper, writer] = sids as [string, string]
    await answersOf(store, keeper, [add(keeper, 'v')])
    await answersOf(store, writer, [add(writer, 'v')])
    const replace: StoreRequest = { op: 'replace', key: `${writer}:v`, value: Buffer.alloc(1_000), ttl: minute }
    for (let round = 0; round < 100; round++) await answersOf(store, writer, [replace])
    expect(await livingOf(store, [keeper, writer])).toEqual([keeper, writer])
  })

  test('spares the session that is being written, though it was used least recently', async () => {
    const { store } = scene({ limit: 10_000 })
    const [writer, other] = sids as [string, string]
    await answersOf(store, writer, [add(writer, 'v', Buffer.alloc(4_000))])
    await answersOf(store, other, [add(other, 'v', Buffer.alloc(4_000))])
    expect(await answersOf(store, writer, [add(writer, 'w', Buffer.alloc(4_000))])).toEqual([
      { result: 'stored', version: expect.any(Object) },
    ])
    expect(await namesIn(store, writer, ['v', 'w'])).toEqual(['v', 'w'])
    expect(await livingOf(store, [other])).toEqual([])
  })

  test('refuses what one session alone could not hold, and keeps what it has', async () => {
    const { store } = scene({ limit: 10_000 })
    const other = sids[1] as string
    await answersOf(store, other, [add(other, 'v')])
    await answersOf(store, sid, [add(sid, 'a', Buffer.alloc(5_000)), add(sid, 'b', Buffer.alloc(1_000))])
    const grow: StoreRequest = { op: 'replace', key: `${sid}:b`, value: Buffer.alloc(5_000), ttl: minute }
    expect(await answersOf(store, sid, [grow, add(sid, 'c', Buffer.alloc(5_000)), get(sid, 'b')])).toMatchObject([
      { result: 'unsent', error: { code: 'VALUE_TOO_LARGE', field: 'b', size: 5_000 } },
      { result: 'unsent', error: { code: 'VALUE_TOO_LARGE', field: 'c' } },
      { result: 'found', value: Buffer.alloc(1_000) },
    ])
    expect(await livingOf(store, [other])).toEqual([other])
  })

  test('is what a single value can fill, to the byte', async () => {
    const { store } = scene({ limit: 10_000 })
    const largest = 10_000 - 400 - 200 - 38
    expect(store.largestValue(sid, 38)).toBe(largest)
    const refused = await answersOf(store, sid, [add(sid, 'v', Buffer.alloc(largest + 1)), add(sid, '@', Buffer.alloc(10_000))])
    expect(refused).toMatchObject([{ error: { field: 'v', size: largest + 1, limit: largest } }, { error: { field: 'header' } }])
    expect(await answersOf(store, sid, [add(sid, 'v', Buffer.alloc(largest))])).toEqual([
      { result: 'stored', version: expect.any(Object) },
    ])
  })

  test('gives the room of expired items to new ones of the same session', async () => {
    const { clock, store } = scene({ limit: 10_000 })
    await answersOf(store, sid, [add(sid, 'a', Buffer.alloc(8_000), 10), add(sid, 'b')])
    clock.time += 10
    expect(await answersOf(store, sid, [add(sid, 'c', Buffer.alloc(8_000))])).toEqual([
      { result: 'stored', version: expect.any(Object) },
    ])
    expect(await namesIn(store, sid, ['b', 'c'])).toEqual(['b', 'c'])
  })

  test('is 64 MiB by default, and 1 MiB an item as in memcached', async () => {
    const { store } = scene()
    expect(store.largestValue(sid, 40)).toBe(1024 * 1024 - 200 - 40)
    const megabyte = Buffer.alloc(1_000_000)
    for (let index = 0; index < 70; index++) await answersOf(store, `${index}`, [add(`${index}`, 'v', megabyte)])
    expect(
      await livingOf(
        store,
        Array.from({ length: 70 }, (_, index) => `${index}`),
      ),
    ).toHaveLength(67)
  })

  test.each([0, -1, 1.5, Number.NaN, 4_095, '1024', Number.POSITIVE_INFINITY])('%s is no limit', (limit) => {
    expect(() => memoryStore({ limit: limit as number })).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' }))
  })

  test('a clock without now() is refused', () => {
    expect(() => memoryStore({ clock: {} as never })).toThrow(expect.objectContaining({ code: 'BAD_CONFIG' }))
  })
})

describe('abandoned sessions', () => {
  test('do not pile up: with 100 new ones a second that live 10 s, what is held stays bounded', async () => {
    // 1,000 sessions are alive at any time. Eviction never has to help: if the sweep held more than 2,500, the keeper would go.
    const { clock, store } = scene({ limit: 2_500 * 661 })
    const keeper = 'keeper'
    await answersOf(store, keeper, [add(keeper, '@', 'x', 1e9)])
    for (let index = 0; index < 20_000; index++) {
      const id = `${sid.slice(0, 30)}${100_000 + index}`
      await answersOf(store, id, [add(id, '@', 'x'.repeat(20), 10_000)])
      clock.time += 10
    }
    expect(await namesIn(store, keeper, ['@'])).toEqual(['@'])
  })

  test('leave no timer behind: a program that used the store ends by itself', async () => {
    const program = `
      import { memoryStore } from ${JSON.stringify(new URL('../../../dist/index.js', import.meta.url).href)}
      const store = memoryStore()
      await store.flight('s', [{ op: 'add', key: 's:a', value: Buffer.from('x'), ttl: 60000 }], 0)
      console.log('done')`
    const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '-e', program], { timeout: 10_000 })
    expect(stdout).toBe('done\n')
  })
})

describe('what is stored belongs to the store', () => {
  test('from the moment of the call, before the answer', async () => {
    const { store } = scene()
    const value = Buffer.from('as it was')
    const flight = store.flight(sid, [{ op: 'add', key: `${sid}:a`, value, ttl: minute }], 0)
    value.fill('!')
    await flight
    expect(await answersOf(store, sid, [get(sid, 'a')])).toMatchObject([{ value: Buffer.from('as it was') }])
  })

  test('two reads of one item give two buffers', async () => {
    const { store } = scene()
    const [, one, other] = await answersOf(store, sid, [add(sid, 'a', 'x'), get(sid, 'a'), get(sid, 'a')])
    ;(one as { value: Buffer }).value.fill('!')
    expect(other).toMatchObject({ value: Buffer.from('x') })
  })

  test('a version carries nothing and cannot be changed', async () => {
    const { store } = scene()
    const [, read] = await answersOf(store, sid, [add(sid, 'a', 'x'), get(sid, 'a')])
    const { version } = read as { version: object }
    expect(Reflect.ownKeys(version)).toEqual([])
    expect(Object.isFrozen(version)).toBe(true)
  })
})

describe('one process', () => {
  test('a sid is the bare uuid, and one with a label is not held', () => {
    const { store } = scene()
    expect(store.place(sid)).toBe(sid)
    expect([store.holds(sid), store.holds(`${sid}~a1`)]).toEqual([true, false])
  })

  test('a flight is carried out before anything else can come in between', async () => {
    const { store } = scene()
    await answersOf(store, sid, [add(sid, 'a', '0')])
    const flights = Array.from({ length: 10 }, (_, index) =>
      answersOf(store, sid, [{ op: 'replace', key: `${sid}:a`, value: Buffer.from(`${index}`), ttl: minute }, get(sid, 'a')]),
    )
    const seen = (await Promise.all(flights)).map(([, read]) => (read as { value: Buffer }).value.toString())
    expect(seen).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9'])
  })

  test('closing forgets everything', async () => {
    const { store } = scene()
    await answersOf(store, sid, [add(sid, 'a')])
    await store.close()
    const flight = await store.flight(sid, [get(sid, 'a')], 0)
    expect(flight).toMatchObject({ answers: [{ result: 'unsent', error: { code: 'CLOSED' } }], serverTime: undefined })
  })
})

/** A small linear congruential generator, so that every run draws the same. */
function generator(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
