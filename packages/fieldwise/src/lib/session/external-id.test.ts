import { beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { type Process, World } from '../../../../../test/support/world.js'
import {
  canCreateWithExternalId,
  createWithExternalId,
  isSid,
  keepFor,
  parseToken,
  storedJson,
  tokenOfExternalId,
  valueOfJson,
} from '../../adapter.js'
import { createSessions } from '../../index.js'
import type { Store } from '../api/store.js'
import { decodeHeader } from '../format/header.js'
import { memoryStore } from '../memory/memory-store.js'

const schema = z.object({ username: z.string(), visits: z.int().default(0) }).catchall(z.json())
const id = 'an id that another library made'

let world: World
let web: Process<typeof schema>
beforeEach(() => {
  world = new World()
  web = world.process(schema)
})

describe('the token of an id', () => {
  test('is the same in every process, and another for every id', () => {
    const token = tokenOfExternalId(web.sessions, id)
    expect(tokenOfExternalId(world.process(schema).sessions, id)).toBe(token)
    expect(isSid(parseToken(token)?.sid)).toBe(true)
    expect(tokenOfExternalId(web.sessions, `${id} `)).not.toBe(token)
  })

  test('is of use to nobody who sees what is stored', async () => {
    const session = await createWithExternalId(web.sessions, id, { username: 'ada' })
    const header = (await world.stored(`${session?.id}:@`)) as Buffer
    const { hash } = decodeHeader(header)
    expect(await web.sessions.open(`${session?.id}.${hash.toString('base64url')}`)).toBeNull()
    expect(await web.sessions.open(tokenOfExternalId(web.sessions, session?.id as string))).toBeNull()
    expect(`${session?.id}${header.toString('latin1')}`).not.toContain(id)
  })

  test('names the server that the store calls the home of the id, whatever is placed where at the moment', () => {
    const inner = memoryStore()
    const store: Store = Object.assign(Object.create(inner), {
      start: () => {},
      place: (uuid: string) => `${uuid}~b`,
      placeById: (uuid: string) => `${uuid}~a`,
    })
    const sessions = createSessions({ schema, store })
    expect(parseToken(tokenOfExternalId(sessions, id))?.sid).toMatch(/~a$/)
    expect(canCreateWithExternalId(sessions, id)).toBe(false)
    expect(canCreateWithExternalId(web.sessions, id)).toBe(true)
  })

  test('needs an id', () => {
    for (const none of ['', undefined, 7]) {
      expect(() => tokenOfExternalId(web.sessions, none as string)).toThrow(expect.objectContaining({ code: 'BAD_ARGUMENT' }))
    }
  })
})

describe('a session under an id of the caller', () => {
  test('is found by its id', async () => {
    const session = await createWithExternalId(web.sessions, id, { username: 'ada' }, { lifetime: { idle: '2h' } })
    expect(session?.state).toBe('stored')
    expect(await web.sessions.resume(tokenOfExternalId(web.sessions, id)).get('username')).toBe('ada')
    expect(decodeHeader((await world.stored(`${session?.id}:@`)) as Buffer).idle).toBe(7_200_000)
  })

  test('is not begun anew where there is one, which stays as it is', async () => {
    const session = await createWithExternalId(web.sessions, id, { username: 'ada' })
    const other = world.process(schema)
    expect(await createWithExternalId(other.sessions, id, { username: 'eve', visits: 7 })).toBeNull()
    expect(await session?.getAll()).toEqual({ username: 'ada', visits: 0 })
  })

  test('is tried once, since what is under way for the same id might revive it later', async () => {
    web.store.holding = true
    const creation = createWithExternalId(web.sessions, id, { username: 'ada' })
    await (await world.next(web, 'add @')).loseAnswer()
    await (await world.next(web, 'delete @')).deliver()
    await expect(world.time.run(creation)).rejects.toMatchObject({ code: 'STORE_UNAVAILABLE' })
    expect(web.store.log.filter((words) => words === 'add @')).toHaveLength(1)
    web.store.holding = false
    expect(await web.sessions.open(tokenOfExternalId(web.sessions, id))).toBeNull()
  })

  test('is refused with a value that does not fit', async () => {
    const creation = createWithExternalId(web.sessions, id, { visits: 1.5 })
    await expect(creation).rejects.toMatchObject({ code: 'FIELD_INVALID' })
    expect(web.store.log).toEqual([])
  })
})

describe('the stored JSON of a session', () => {
  test('holds what is stored and no default, and costs a second round trip for fields of the catchall only', async () => {
    const session = await web.sessions.create({ username: 'ada' })
    web.store.takeLog()
    expect([...(await storedJson(session))]).toEqual([['username', '"ada"']])
    expect(web.store.flights).toHaveLength(1)
    await session.set('colour', ['blue'])
    web.store.takeLog()
    expect(Object.fromEntries(await storedJson(session))).toEqual({ username: '"ada"', colour: '["blue"]' })
    expect(web.store.flights).toHaveLength(2)
  })

  test('is not held against the schema, so that one value that does not fit any more hides no other', async () => {
    const session = await web.sessions.create({ username: 'ada', visits: 3 })
    const later = world.process(z.object({ visits: z.string() }).catchall(z.json())).sessions.resume(session.token)
    expect(Object.fromEntries(await storedJson(later))).toEqual({ username: '"ada"', visits: '3' })
  })

  test('gives the value that the schema makes of it', () => {
    expect(valueOfJson(web.sessions, 'visits', '7')).toBe(7)
    expect(() => valueOfJson(web.sessions, 'visits', '"7"')).toThrow(expect.objectContaining({ code: 'FIELD_INVALID' }))
  })
})

describe('the idle time of a stored session', () => {
  test('can be changed, and its fields live by the new one', async () => {
    const session = await web.sessions.create({ username: 'ada' })
    await keepFor(session, '2h')
    expect(await world.life(`${session.id}:@`)).toBe(7_922_000)
    expect(await world.life(`${session.id}:username`)).toBeGreaterThan(3 * 7_200_000)
    await keepFor(session)
    expect(await world.life(`${session.id}:@`)).toBe(1_982_000)
    expect(session.expiresAt?.getTime()).toBe(world.time.clock.now() + 1_800_000)
  })

  test('costs nothing where it is that long already', async () => {
    const session = await web.sessions.create({ username: 'ada' })
    web.store.takeLog()
    await keepFor(session, '30m')
    expect(web.store.log).toEqual([])
  })

  test('is not longer than the absolute lifetime', async () => {
    const session = await web.sessions.create()
    await expect(keepFor(session, '13h')).rejects.toMatchObject({ code: 'BAD_CONFIG' })
  })

  test('of a session that has ended cannot be changed', async () => {
    const session = await web.sessions.create()
    await web.sessions.revoke(session.id as string)
    await expect(keepFor(session, '2h')).rejects.toMatchObject({ code: 'SESSION_GONE' })
  })
})
