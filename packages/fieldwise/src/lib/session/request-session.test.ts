import { beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { turn } from '../../../../../test/support/virtual-time.js'
import { type Process, World } from '../../../../../test/support/world.js'
import { HeadersSentError } from '../api/errors.js'
import type { SessionOf } from '../api/sessions.js'
import type { TokenChange } from '../api/token-sink.js'
import { decodeHeader } from '../format/header.js'
import { resumeFor } from './sessions.js'

const schema = z.object({ username: z.string(), visits: z.int().default(0) })
type Web = Process<typeof schema>
const [second, minute] = [1_000, 60_000]

let world: World
let web: Web
let session: SessionOf<Web['sessions']>
let old: string
beforeEach(async () => {
  world = new World()
  web = world.process(schema)
  session = await web.sessions.create({ username: 'ada' })
  old = session.token as string
  web.store.takeLog()
})

interface Request {
  readonly session: typeof session
  /** What its response says of the cookie. */
  readonly changes: TokenChange[]
}

/** A request that comes with this token, to `process`. */
function request(token: string | undefined, process: Web = web): Request {
  const changes: TokenChange[] = []
  const host = { beforeChange() {}, changed: (change: TokenChange) => void changes.push(change) }
  return { session: resumeFor(process.sessions, token === undefined ? [] : [token], host), changes }
}

const header = async () => decodeHeader((await world.stored(`${session.id}:@`)) as Buffer)

describe('regenerate', () => {
  test('issues a new secret for the same session, and moves no field', async () => {
    await session.regenerate()
    expect(session.id).toBe(old.slice(0, 36))
    expect(session.token).not.toBe(old)
    expect(web.store.takeLog()).toEqual(['get @', 'replace @'])
    expect(await (await web.sessions.open(session.token as string))?.get('username')).toBe('ada')
  })

  test('ends the old secret', async () => {
    await session.regenerate()
    expect(await web.sessions.open(old)).toBeNull()
  })

  test('tells the response once, with the new token', async () => {
    const login = request(old)
    await login.session.regenerate()
    expect(login.changes).toMatchObject([{ type: 'issued', token: login.session.token }])
  })

  test('stores a session that is still new, with the terms that are asked for', async () => {
    const login = request(undefined)
    await login.session.regenerate({ persist: true, lifetime: { idle: '20d', absolute: '90d' } })
    expect(login.changes).toMatchObject([{ type: 'issued', persist: true, maxAge: 90 * 86_400_000 }])
    expect(await web.sessions.open(login.session.token as string)).not.toBeNull()
  })

  test('twice in one request: the last secret counts', async () => {
    await session.regenerate()
    const between = session.token as string
    await session.regenerate()
    expect(await web.sessions.open(session.token as string)).not.toBeNull()
    expect([await web.sessions.open(old), await web.sessions.open(between)]).toEqual([null, null])
  })

  test('twice at once in one request is one rotation', async () => {
    const login = request(old)
    await Promise.all([login.session.regenerate(), login.session.regenerate()])
    expect(login.changes).toHaveLength(1)
    expect(await web.sessions.open(login.session.token as string)).not.toBeNull()
  })

  test('leaves updates in flight valid', async () => {
    const other = world.process(schema)
    await session.set('visits', 1)
    const writer = await other.sessions.open(old)
    other.store.holding = true
    const update = writer?.increment('visits')
    await (await world.next(other, 'get visits')).deliver()
    const swap = await world.next(other, 'replace visits')
    await session.regenerate()
    await swap.deliver()
    expect(await update).toBe(2)
    expect(await session.get('visits')).toBe(2)
  })

  test('meets the first write of another request, and both hold', async () => {
    const other = world.process(schema)
    const writer = await other.sessions.open(old)
    other.store.holding = true
    const write = writer?.set('visits', 5) as Promise<void>
    await (await world.next(other, 'get visits')).deliver()
    await (await world.next(other, 'add visits')).deliver()
    const listing = await world.next(other, 'replace @')
    await session.regenerate()
    await listing.deliver()
    await other.store.release()
    other.store.holding = false
    await world.time.run(write)
    expect(await (await web.sessions.open(session.token as string))?.get('visits')).toBe(5)
    expect(await web.sessions.open(old)).toBeNull()
  })

  test('after the response’s headers were sent is refused before anything is stored', async () => {
    const refusing = {
      beforeChange: () => {
        throw new HeadersSentError()
      },
      changed() {},
    }
    const late = resumeFor(web.sessions, [old], refusing)
    expect(await late.get('username')).toBe('ada')
    web.store.takeLog()
    await expect(late.regenerate()).rejects.toMatchObject({ code: 'HEADERS_SENT' })
    await expect(late.destroy()).rejects.toMatchObject({ code: 'HEADERS_SENT' })
    await expect(resumeFor(web.sessions, [], refusing).set('username', 'bob')).rejects.toMatchObject({ code: 'HEADERS_SENT' })
    await expect(resumeFor(web.sessions, [], refusing).regenerate()).rejects.toMatchObject({ code: 'HEADERS_SENT' })
    expect(web.store.log).toEqual([])
    await late.set('username', 'bob')
    expect(await session.get('username')).toBe('bob')
  })
})

describe('a token that was superseded (T2)', () => {
  let late: Request
  beforeEach(async () => {
    await session.regenerate()
    await world.time.advance(30 * second)
    late = request(old)
    web.store.takeLog()
  })

  test('reads as unset', async () => {
    expect(await late.session.get('username')).toBeUndefined()
    expect(await late.session.getAll()).toEqual({ username: undefined, visits: 0 })
    expect(await late.session.has('username')).toBe(false)
    expect(await web.sessions.open(old)).toBeNull()
  })

  test.each([
    ['set', (one: typeof session) => one.set('username', 'eve')],
    ['update', (one: typeof session) => one.update('username', () => 'eve')],
    ['increment', (one: typeof session) => one.increment('visits')],
    ['take', (one: typeof session) => one.take('username')],
    ['delete', (one: typeof session) => one.delete('username')],
    ['regenerate', (one: typeof session) => one.regenerate()],
    ['destroy', (one: typeof session) => one.destroy()],
  ])('%s is SESSION_GONE, and nothing is written, touched or ended', async (_what, write) => {
    await world.time.advance(20 * second)
    const before = [await header(), await world.life(`${session.id}:@`)]
    await expect(write(late.session)).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'superseded' })
    await turn()
    expect([await header(), await world.life(`${session.id}:@`)]).toEqual(before)
    expect(web.store.log.filter((sent) => !sent.startsWith('get'))).toEqual([])
    expect(await session.get('username')).toBe('ada')
  })

  test('sets and clears no cookie', async () => {
    await late.session.get('username')
    await late.session.set('username', 'eve').catch(() => {})
    await late.session.destroy().catch(() => {})
    expect(late.changes).toEqual([])
    expect([late.session.state, late.session.id, late.session.token]).toEqual(['gone', undefined, undefined])
  })

  test('counts for 60 s from the rotation to the arrival of the request, however long that takes', async () => {
    await world.time.advance(29_999)
    const justInTime = request(old)
    await world.time.advance(10 * second)
    await expect(justInTime.session.set('username', 'eve')).rejects.toMatchObject({ reason: 'superseded' })
  })

  test('is unknown afterwards: the visitor whose answer was lost begins anew', async () => {
    await world.time.advance(30 * second)
    const anew = request(old)
    expect(await anew.session.get('username')).toBeUndefined()
    await anew.session.set('username', 'ada again')
    expect(anew.changes).toMatchObject([{ type: 'issued', token: anew.session.token }])
    expect(anew.session.id).not.toBe(session.id)
    expect(await session.get('username')).toBe('ada')
  })

  test('is any other secret too, but a session that never rotated has none', async () => {
    const forged = request(`${session.id}.${'A'.repeat(43)}`)
    await expect(forged.session.set('username', 'eve')).rejects.toMatchObject({ reason: 'superseded' })
    const never = await web.sessions.create()
    const stranger = request(`${never.id}.${'A'.repeat(43)}`)
    await stranger.session.set('username', 'eve')
    expect(stranger.session.id).not.toBe(never.id)
  })

  test('reads as unset to the end of its request, also after a write has told it so', async () => {
    await expect(late.session.set('username', 'eve')).rejects.toMatchObject({ reason: 'superseded' })
    expect(await late.session.get('username')).toBeUndefined()
  })
})

describe('grace', () => {
  test('lets the secret before work on, reading and writing, until it ends', async () => {
    await session.regenerate({ grace: '10s' })
    const late = request(old)
    expect(await late.session.get('username')).toBe('ada')
    await late.session.set('visits', 1)
    expect(await session.get('visits')).toBe(1)
    await world.time.advance(10 * second - 1)
    expect(await web.sessions.open(old)).not.toBeNull()
    await world.time.advance(1)
    expect(await web.sessions.open(old)).toBeNull()
    expect(late.changes).toEqual([])
  })

  test('is over at its end for a request that came before it too, which sets no cookie over the newer one', async () => {
    await session.regenerate({ grace: '5m' })
    await world.time.advance(4 * minute)
    const late = request(old)
    await world.time.advance(minute)
    expect(await late.session.get('username')).toBeUndefined()
    await expect(late.session.set('username', 'eve')).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'superseded' })
    expect(late.changes).toEqual([])
  })

  test('issues no second cookie: who still comes with the secret before cannot rotate', async () => {
    await session.regenerate({ grace: '10s' })
    const late = request(old)
    await expect(late.session.regenerate()).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'superseded' })
    expect(late.changes).toEqual([])
    expect(await web.sessions.open(session.token as string)).not.toBeNull()
  })

  test('is over with the next rotation that has none', async () => {
    await session.regenerate({ grace: '10m' })
    await session.regenerate()
    expect(await web.sessions.open(old)).toBeNull()
  })

  test('beyond 60 s ends in an unknown token, not in a superseded one', async () => {
    await session.regenerate({ grace: '5m' })
    await world.time.advance(5 * minute)
    const anew = request(old)
    await anew.session.set('username', 'ada again')
    expect(anew.session.id).not.toBe(session.id)
  })

  test('works for the secret before alone, not for those before it', async () => {
    await session.regenerate()
    const middle = session.token as string
    await session.regenerate({ grace: '5m' })
    expect(await web.sessions.open(old)).toBeNull()
    expect(await web.sessions.open(middle)).not.toBeNull()
  })
})

describe('a rotation whose answer was lost (T3)', () => {
  let login: Request
  let rotation: Promise<void>
  beforeEach(async () => {
    login = request(old)
    await login.session.get('username')
    web.store.holding = true
    rotation = login.session.regenerate()
    rotation.catch(() => {})
    await (await world.next(web, 'get @')).deliver()
  })

  async function goOn(): Promise<void> {
    await web.store.release()
    web.store.holding = false
  }

  test('but was made is found out, and issues its cookie', async () => {
    await (await world.next(web, 'replace @')).loseAnswer()
    await goOn()
    await world.time.run(rotation)
    expect(login.changes).toMatchObject([{ type: 'issued' }])
    expect(await web.sessions.open(login.session.token as string)).not.toBeNull()
  })

  test('and was not made is made again', async () => {
    const arrive = (await world.next(web, 'replace @')).delay()
    await goOn()
    await world.time.run(rotation)
    await arrive()
    expect(login.changes).toHaveLength(1)
    expect(await web.sessions.open(login.session.token as string)).not.toBeNull()
  })

  test.each([true, false])(
    'and stays unanswered (made: %s) is OUTCOME_UNKNOWN; asked again it is continued with the same secret',
    async (isMade) => {
      const swap = await world.next(web, 'replace @')
      if (isMade) await swap.loseAnswer()
      else swap.loseRequest()
      web.store.outage = 'refused'
      await goOn()
      await expect(world.time.run(rotation)).rejects.toMatchObject({ code: 'OUTCOME_UNKNOWN' })
      expect(login.changes).toEqual([])
      web.store.outage = undefined
      const replaced = web.store.flights.flat().filter(({ op }) => op === 'replace')
      await login.session.regenerate()
      expect(login.changes).toMatchObject([{ type: 'issued' }])
      expect(await web.sessions.open(login.session.token as string)).not.toBeNull()
      expect(await web.sessions.open(old)).toBeNull()
      expect(replaced).toHaveLength(1)
    },
  )

  test('while another one rotated: superseded, without a cookie, and its late packet changes nothing', async () => {
    const arrive = (await world.next(web, 'replace @')).delay()
    const winner = await world.process(schema).sessions.open(old)
    await winner?.regenerate()
    await goOn()
    await expect(world.time.run(rotation)).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'superseded' })
    await arrive()
    expect(login.changes).toEqual([])
    expect(await web.sessions.open(winner?.token as string)).not.toBeNull()
  })

  test('that was never sent is STORE_UNAVAILABLE, and the secret stays', async () => {
    ;(await world.next(web, 'replace @')).refuse()
    web.store.outage = 'refused'
    await goOn()
    await expect(world.time.run(rotation)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    web.store.outage = undefined
    expect(await web.sessions.open(old)).not.toBeNull()
    expect(login.session.token).toBe(old)
  })

  test('of a session that has ended is SESSION_GONE', async () => {
    ;(await world.next(web, 'replace @')).loseRequest()
    await world.process(schema).sessions.revoke(session.id as string)
    await goOn()
    await expect(world.time.run(rotation)).rejects.toMatchObject({ code: 'SESSION_GONE', reason: 'destroyed' })
    expect(login.changes).toEqual([])
  })
})

describe('a cookie is sent only by a request that created, rotated or ended a session (T4)', () => {
  test('not by one that reads or writes', async () => {
    const plain = request(old)
    await plain.session.getAll()
    await plain.session.set({ username: 'bob', visits: 1 })
    await plain.session.take('visits')
    await turn()
    expect(plain.changes).toEqual([])
  })

  test('by the first write of a new session, once', async () => {
    const visitor = request(undefined)
    await visitor.session.get('username')
    await Promise.all([visitor.session.set('username', 'ada'), visitor.session.increment('visits')])
    expect(visitor.changes).toMatchObject([
      { type: 'issued', token: visitor.session.token, persist: false, maxAge: 12 * 60 * minute },
    ])
  })

  test('by the end, once; a session that was never stored has none to clear', async () => {
    const logout = request(old)
    await logout.session.destroy()
    expect(logout.changes).toEqual([{ type: 'ended' }])
    const nothing = request(undefined)
    await nothing.session.destroy()
    expect(nothing.changes).toEqual([])
  })

  test('not by a renewal', async () => {
    await world.time.advance(10 * minute)
    const visitor = request(old)
    await visitor.session.get('username')
    await turn()
    expect(visitor.changes).toEqual([])
  })

  test('not by a renewal in the grace of a secret', async () => {
    await session.regenerate({ grace: '20m' })
    await world.time.advance(10 * minute)
    const late = request(old)
    expect(await late.session.get('username')).toBe('ada')
    await turn()
    expect(late.changes).toEqual([])
  })

  test('not by a renewal that was overtaken by a rotation', async () => {
    await world.time.advance(10 * minute)
    const reader = request(old)
    const login = await world.process(schema).sessions.open(old)
    await world.time.advance(10 * minute)
    web.store.holding = true
    const snapshot = reader.session.get('username')
    await (await world.next(web, 'get username')).deliver()
    await snapshot
    const touch = await world.next(web, 'getAndTouch @')
    await login?.regenerate()
    await touch.deliver()
    await turn()
    expect(reader.changes).toEqual([])
  })

  test('not by a request that finds its session gone', async () => {
    const visitor = request(old)
    await visitor.session.get('username')
    await world.process(schema).sessions.revoke(session.id as string)
    await expect(visitor.session.get('username')).rejects.toMatchObject({ code: 'SESSION_GONE' })
    expect(visitor.changes).toEqual([])
  })
})

describe('a hung store', () => {
  const calls: [what: string, limit: number, codes: RegExp, call: () => Promise<unknown>][] = [
    ['get', 500, /STORE_UNAVAILABLE/, () => session.get('username')],
    ['getAll', 500, /STORE_UNAVAILABLE/, () => session.getAll()],
    ['open', 500, /STORE_UNAVAILABLE/, () => web.sessions.open(old)],
    ['create', 500, /STORE_UNAVAILABLE/, () => web.sessions.create({ username: 'bob' })],
    ['set', 2_000, /OUTCOME_UNKNOWN/, () => session.set('username', 'bob')],
    ['set of a resumed token', 2_000, /STORE_UNAVAILABLE/, () => web.sessions.resume(old).set('username', 'bob')],
    ['update', 2_000, /STORE_UNAVAILABLE/, () => session.update('username', () => 'bob')],
    ['increment', 2_000, /STORE_UNAVAILABLE/, () => session.increment('visits')],
    ['take', 2_000, /STORE_UNAVAILABLE/, () => session.take('username')],
    ['delete', 2_000, /OUTCOME_UNKNOWN/, () => session.delete('username')],
    ['regenerate', 2_000, /STORE_UNAVAILABLE/, () => session.regenerate()],
    ['destroy', 2_000, /OUTCOME_UNKNOWN/, () => session.destroy()],
    ['revoke', 2_000, /OUTCOME_UNKNOWN/, () => web.sessions.revoke(session.id as string)],
  ]

  test.each(calls)('ends %s within %i ms', async (_what, limit, codes, call) => {
    web.store.outage = 'silent'
    const began = world.time.clock.now()
    await expect(world.time.run(call())).rejects.toMatchObject({ code: expect.stringMatching(codes) })
    expect(world.time.clock.now() - began).toBeLessThanOrEqual(limit + 10)
    web.store.outage = undefined
    await world.time.advance(10_000)
    expect(['ada', 'bob']).toContain(await session.get('username'))
  })
})
