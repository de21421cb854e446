import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { type Process, World } from '../../../../../test/support/world.js'
import type { SessionOf } from '../api/sessions.js'
import type { Store } from '../api/store.js'
import { decodeHeader, encodeHeader } from '../format/header.js'
import { encodeItem } from '../format/item.js'
import { inspectSession } from './inspection.js'

const schema = z.object({ username: z.string(), visits: z.int().default(0), otp: z.string() })

let world: World
let web: Process<typeof schema>
let session: SessionOf<typeof web.sessions>
let sid: string

beforeEach(async () => {
  world = new World()
  web = world.process(schema, { expires: { otp: '5m' } })
  session = await web.sessions.create({ username: 'canary' }, { persist: true })
  sid = session.id as string
})

const inspect = (options = {}, what = sid) => inspectSession(world.shared, what, options)
const fieldOf = async (name: string, options = {}) => (await inspect(options)).fields.find((field) => field.name === name)

describe('the inspection of a session', () => {
  test('tells what its header says, in the time of the store', async () => {
    const begun = world.time.clock.now()
    const { state, header, at, secret } = await inspect()
    expect({ state, at, secret }).toEqual({ state: 'living', at: begun, secret: undefined })
    expect(header).toMatchObject({ key: `${sid}:@`, sealed: false, format: 1, ttl: 33 * 60_000 + 2_000 })
    expect(header?.says).toMatchObject({ persist: true, createdAt: begun, endsAt: begun + 12 * 3_600_000, idle: 30 * 60_000 })
    expect(header?.says?.rotatedAt).toBeUndefined()
  })

  test('tells the size, the newest write and the remaining time to live of each listed field', async () => {
    const { fields } = await inspect()
    expect(fields).toHaveLength(1)
    expect(fields[0]).toMatchObject({ name: 'username', state: 'set', bytes: 13 + 8, valueBytes: 8, earlierWrites: [] })
    expect(fields[0]?.writeId).toMatch(/^[0-9a-f]{16}$/)
    expect(fields[0]?.ttl).toBeGreaterThan(90 * 60_000)
  })

  test('tells which other process wrote before, and until when its value stood', async () => {
    const before = await fieldOf('username')
    const other = await world.process(schema).sessions.open(session.token as string)
    await other?.update('username', () => 'ada')
    const after = await fieldOf('username')
    expect(after?.writeId).not.toBe(before?.writeId)
    expect(after?.earlierWrites).toEqual([{ id: before?.writeId, until: expect.any(Number) }])
  })

  test('gives values when asked, and otherwise nothing of them', async () => {
    expect(JSON.stringify(await inspect())).not.toContain('canary')
    expect((await fieldOf('username', { values: true }))?.json).toBe('"canary"')
  })

  test('never gives the secret or its hash', async () => {
    const all = JSON.stringify(await inspect({ values: true }, session.token as string))
    const secret = (session.token as string).slice(sid.length + 1)
    const hash = (await world.stored(`${sid}:@`))?.subarray(1, 33) as Buffer
    for (const text of [secret, hash.toString('hex'), hash.toString('base64url')]) expect(all).not.toContain(text)
  })

  test('tells what the secret of a token is to the session', async () => {
    const before = session.token as string
    const judged = async (token: string) => (await inspect({}, token)).secret
    expect(await judged(before)).toBe('current')
    expect(await judged(`${sid}.${randomBytes(32).toString('base64url')}`)).toBe('unknown')
    await session.regenerate()
    expect(await judged(before)).toBe('superseded')
    expect(await judged(session.token as string)).toBe('current')
    expect((await inspect()).header?.says?.rotatedAt).toBe(world.time.clock.now())
  })

  test('tells a field that was deleted, one whose own lifetime is over, and one that was evicted', async () => {
    await session.set({ visits: 1, otp: '1234' })
    await session.delete('visits')
    expect(await fieldOf('visits')).toMatchObject({ state: 'deleted', valueBytes: undefined })
    expect(await fieldOf('otp')).toMatchObject({ state: 'set', expiresAt: world.time.clock.now() + 5 * 60_000 })
    await world.time.advance(5 * 60_000)
    expect(await fieldOf('otp', { values: true })).toMatchObject({ state: 'expired', json: undefined })
    await world.evict(`${sid}:username`)
    expect(await fieldOf('username')).toMatchObject({ state: 'missing', bytes: 0 })
  })

  test('tells an item that is not the listed one, and one that is no item at all', async () => {
    const stranger = { id: { process: 1, count: 2 }, birth: 3, earlier: [], deadline: 0, json: '"canary"' }
    await world.plant(`${sid}:username`, encodeItem(stranger))
    expect(await fieldOf('username', { values: true })).toMatchObject({ state: 'replaced', json: undefined })
    await world.plant(`${sid}:username`, Buffer.from('canary'))
    const broken = await fieldOf('username', { values: true })
    expect(broken).toMatchObject({ state: 'unreadable', bytes: 6, format: undefined, json: undefined })
    expect(broken?.problem).toMatch(/not in a format that this version reads/)
    expect(broken?.problem).not.toContain('canary')
  })

  test('reads what seems to be missing a second time, since a first write may have come in between', async () => {
    const key = `${sid}:username`
    const bytes = Buffer.from((await world.stored(key)) as Buffer)
    let flights = 0
    const passing: Store = Object.assign(Object.create(world.shared), {
      async flight(...args: Parameters<Store['flight']>) {
        // The first flight asks for the header alone.
        if (++flights !== 2) return world.shared.flight(...args)
        await world.evict(key)
        const missed = await world.shared.flight(...args)
        await world.plant(key, bytes)
        return missed
      },
    })
    expect((await inspectSession(passing, sid)).fields[0]?.state).toBe('set')
    expect(flights).toBe(3)
  })

  test('survives a header that lists what cannot be a field', async () => {
    const header = decodeHeader((await world.stored(`${sid}:@`)) as Buffer)
    const manifest = new Map([...header.manifest, ['two words\r\n', 1], ['__proto__', 2]])
    await world.plant(`${sid}:@`, encodeHeader({ ...header, manifest }))
    expect((await inspect()).fields.map(({ state }) => state)).toEqual(['set', 'missing', 'missing'])
  })

  test('tells one that is over, and one that was never there or has ended', async () => {
    await session.destroy()
    expect(await inspect()).toMatchObject({ state: 'missing', header: undefined, fields: [] })
    const short = await web.sessions.create({}, { lifetime: { idle: '1s', absolute: '1s' } })
    await world.time.advance(1_000)
    expect((await inspect({}, short.id)).state).toBe('expired')
  })

  test('reads under a prefix', async () => {
    const shop = await world.process(schema, { prefix: 'shop:' }).sessions.create({ username: 'ada' })
    expect((await inspect({}, shop.id)).state).toBe('missing')
    const { header } = await inspect({ prefix: 'shop:' }, shop.id)
    expect(header?.key).toBe(`shop:${shop.id}:@`)
  })

  test('opens what is sealed with the key, and without it says so and no more', async () => {
    const key = randomBytes(32).toString('base64url')
    const sealed = await world.process(schema, { sealing: { keys: [key] } }).sessions.create({ username: 'canary' })
    const opened = await inspect({ sealing: { keys: [key] }, values: true }, sealed.id)
    expect(opened).toMatchObject({ state: 'living', header: { sealed: true, format: 1 } })
    expect(opened.fields[0]).toMatchObject({ sealed: true, bytes: 13 + 8 + 33, valueBytes: 8, json: '"canary"' })
    const closed = await inspect({ values: true }, sealed.id)
    expect(closed).toMatchObject({ state: 'unreadable', fields: [], header: { sealed: true, says: undefined } })
    expect(closed.header?.problem).toMatch(/sealed, but no sealing.keys/)
    const otherKey = { sealing: { keys: [randomBytes(32).toString('base64url')] } }
    expect((await inspect(otherKey, sealed.id)).header?.problem).toMatch(/key that is not among/)
  })

  test('opens what is not sealed too, where a key is given', async () => {
    const keys = [randomBytes(32).toString('base64url')]
    expect(await inspect({ sealing: { keys } })).toMatchObject({ state: 'living', header: { sealed: false } })
  })

  test('changes nothing', async () => {
    const life = await world.life(`${sid}:@`)
    await world.time.advance(20 * 60_000)
    for (const what of [sid, session.token as string]) await inspect({ values: true }, what)
    expect(await world.life(`${sid}:@`)).toBe((life as number) - 20 * 60_000)
  })

  test('is refused for what is neither a sid nor a token, without repeating it', async () => {
    for (const text of ['', 'canary', `${sid}.canary`, `${sid}:username`]) {
      const error = await inspect({}, text).catch((refused) => refused)
      expect(error).toMatchObject({ code: 'BAD_ARGUMENT' })
      expect(String(error)).not.toContain('canary')
    }
    await expect(inspect({ prefix: 'two words' })).rejects.toMatchObject({ code: 'BAD_CONFIG' })
    await expect(inspect({ sealing: { keys: ['short'] } })).rejects.toMatchObject({ code: 'BAD_CONFIG' })
  })

  test('fails where the store does not answer', async () => {
    await world.shared.close()
    await expect(inspect()).rejects.toMatchObject({ code: 'CLOSED' })
  })
})
