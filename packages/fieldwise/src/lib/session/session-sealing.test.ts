import { randomBytes } from 'node:crypto'
import { beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { measured } from '../../../../../test/support/promise.js'
import { Chance, scaled } from '../../../../../test/support/scale.js'
import { turn } from '../../../../../test/support/virtual-time.js'
import { type Process, World } from '../../../../../test/support/world.js'
import type { SessionOf } from '../api/sessions.js'
import type { SealingOptions } from '../format/sealing.js'

const schema = z.object({ username: z.string(), visits: z.int().default(0), note: z.string() })
type Web = Process<typeof schema>

const newKey = () => randomBytes(32).toString('base64url')
const [first, second, third] = [newKey(), newKey(), newKey()]

let world: World
let web: Web
let session: SessionOf<Web['sessions']>
beforeEach(async () => {
  world = new World()
  web = sealing({ keys: [first] })
  session = await web.sessions.create({ username: 'canary', note: 'canary' })
})

function sealing(options: SealingOptions): Web {
  return world.process(schema, { sealing: options })
}

const key = (name: string) => `${session.id}:${name}`
const bytesOf = async (name: string) => (await world.stored(key(name))) as Buffer

/** Reads by a request of its own. */
const get = (field: 'username' | 'note', process = web) => process.sessions.resume(session.token).get(field)

describe('sealed sessions', () => {
  test('work as plain ones do', async () => {
    expect(await session.increment('visits')).toBe(1)
    expect(await session.take('note')).toBe('canary')
    await session.regenerate()
    const other = await sealing({ keys: [first] }).sessions.open(session.token as string, { preload: ['username'] })
    expect(await other?.getAll()).toEqual({ username: 'canary', visits: 1, note: undefined })
    await other?.destroy()
    expect(await web.sessions.open(session.token as string)).toBeNull()
  })

  test('are changed by a request that has found them broken before, once they are whole again', async () => {
    const [whole, broken] = [await bytesOf('note'), await bytesOf('username')]
    await world.plant(key('note'), broken)
    const request = web.sessions.resume(session.token)
    await expect(request.get('note')).rejects.toMatchObject({ code: 'SEAL_BROKEN' })
    await world.plant(key('note'), whole)
    expect(await request.update('note', (note) => `${note}!`)).toBe('canary!')
  })

  test('hold nothing in the store that could be read, neither values nor field names', async () => {
    for (const name of ['@', 'username', 'note']) {
      const bytes = await bytesOf(name)
      expect(bytes[0]).toBe(0x81)
      for (const word of ['canary', 'username', 'note']) expect(bytes.includes(word)).toBe(false)
    }
  })

  test('cannot be read without the key, nor with another one, nor under another prefix', async () => {
    for (const other of [world.process(schema), sealing({ keys: [second] })]) {
      await expect(other.sessions.open(session.token as string)).rejects.toMatchObject({ code: 'SEAL_BROKEN', field: 'header' })
    }
    const shop = world.process(schema, { sealing: { keys: [first] }, prefix: 'shop:' })
    for (const name of ['@', 'username']) await world.plant(`shop:${key(name)}`, await bytesOf(name))
    await expect(shop.sessions.open(session.token as string)).rejects.toMatchObject({ code: 'SEAL_BROKEN' })
  })
})

describe('a sealed value', () => {
  test('of which any one bit was flipped is refused, and the session is otherwise usable', async (context) => {
    const bytes = await bytesOf('username')
    let refused = 0
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes)
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
      await world.plant(key('username'), changed)
      await get('username').catch((error) => {
        if (error.code === 'SEAL_BROKEN' && error.field === 'username') refused++
      })
      if ((await get('note')) !== 'canary') throw new Error('the rest is not usable')
    }
    measured(context, `${bytes.length * 8} flipped bits`, `${refused} refused`)
    expect(refused).toBe(bytes.length * 8)
  })

  test('under the name of another field is refused', async () => {
    const [username, note] = [await bytesOf('username'), await bytesOf('note')]
    await world.plant(key('username'), note)
    await world.plant(key('note'), username)
    for (const field of ['username', 'note'] as const)
      await expect(get(field)).rejects.toMatchObject({ code: 'SEAL_BROKEN', field })
    await world.plant(key('username'), await bytesOf('@'))
    await expect(get('username')).rejects.toMatchObject({ code: 'SEAL_BROKEN' })
  })

  test('of another session is refused, the header too', async () => {
    const other = await web.sessions.create({ username: 'mallory', note: 'mallory' })
    for (const field of ['username', 'note'] as const) {
      await world.plant(key(field), (await world.stored(`${other.id}:${field}`)) as Buffer)
      await expect(get(field)).rejects.toMatchObject({ code: 'SEAL_BROKEN', field })
    }
    await world.plant(key('@'), (await world.stored(`${other.id}:@`)) as Buffer)
    const stolen = `${session.id}.${other.token?.slice(37)}`
    await expect(web.sessions.open(stolen)).rejects.toMatchObject({ code: 'SEAL_BROKEN', field: 'header' })
  })

  test('with a tag of 4 to 15 bytes is refused', async () => {
    const bytes = await bytesOf('username')
    for (let cut = 1; cut <= 12; cut++) {
      await world.plant(key('username'), bytes.subarray(0, bytes.length - cut))
      await expect(get('username')).rejects.toMatchObject({ code: 'SEAL_BROKEN' })
    }
  })

  test('that is plain is refused: nobody who can write to the store can put values there', async () => {
    const plain = world.process(schema)
    const theirs = await plain.sessions.create({ username: 'mallory' })
    await world.plant(key('username'), (await world.stored(`${theirs.id}:username`)) as Buffer)
    await expect(get('username')).rejects.toMatchObject({ code: 'SEAL_BROKEN' })
    await expect(web.sessions.open(theirs.token as string)).rejects.toMatchObject({ code: 'SEAL_BROKEN', field: 'header' })
  })

  test('that is broken can be replaced', async () => {
    await world.plant(key('note'), randomBytes(100))
    await session.set('note', 'new')
    expect(await get('note')).toBe('new')
  })

  test('counts with what sealing adds against the limit of an item', async () => {
    const limit = world.shared.largestValue(session.id as string, key('note').length)
    const most = limit - 33 - 13 - '""'.length
    await session.set('note', 'x'.repeat(most))
    await expect(session.set('note', 'x'.repeat(most + 1))).rejects.toMatchObject({ code: 'VALUE_TOO_LARGE', size: limit + 1 })
    expect(await get('note')).toHaveLength(most)
  })
})

describe('a header of which any one bit was flipped', () => {
  test('opens nothing', async () => {
    const bytes = await bytesOf('@')
    let refused = 0
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes)
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
      await world.plant(key('@'), changed)
      await web.sessions.open(session.token as string).catch((error) => {
        if (error.code === 'SEAL_BROKEN') refused++
      })
    }
    expect(refused).toBe(bytes.length * 8)
  })
})

describe('a change of keys', () => {
  const keyOf = async (name: string) => (await bytesOf(name)).toString('hex', 1, 5)

  test('seals with the first key what is written next, and reads both', async () => {
    const old = await keyOf('username')
    const both = sealing({ keys: [second, first] })
    const one = await both.sessions.open(session.token as string)
    expect(await one?.get('username')).toBe('canary')
    await one?.set('username', 'new')
    expect(await keyOf('username')).not.toBe(old)
    expect(await keyOf('note')).toBe(old)
    await one?.update('note', (note) => `${note}!`)
    await one?.regenerate()
    expect([await keyOf('note'), await keyOf('@')]).not.toContain(old)
    const onlyNew = sealing({ keys: [second] })
    expect(await (await onlyNew.sessions.open(one?.token as string))?.getAll()).toEqual({
      username: 'new',
      visits: 0,
      note: 'canary!',
    })
  })

  test('leaves a value of a dropped key unreadable, and the rest of the session usable', async () => {
    const both = sealing({ keys: [second, first] })
    const one = await both.sessions.open(session.token as string)
    await one?.regenerate()
    await one?.set('username', 'new')
    const dropped = sealing({ keys: [second] })
    const late = await dropped.sessions.open(one?.token as string)
    expect(await late?.get('username')).toBe('new')
    await expect(late?.get('note')).rejects.toMatchObject({ code: 'SEAL_BROKEN', field: 'note' })
  })

  test('in a rolling deploy of four processes with three keys fails no read', async (context) => {
    const chance = new Chance('rolling keys')
    // Every step reaches one process after the other. A key seals only after all processes can open what it seals.
    const steps = [[first], [first, second], [second, first], [second, first, third], [third, second, first]]
    const processes = Array.from({ length: 4 }, () => ({ step: 0, web: sealing({ keys: [first] }) }))
    const reads = scaled(2_000)
    let failed = 0
    for (let read = 0; read < reads; read++) {
      const process = chance.pick(processes)
      const slowest = Math.min(...processes.map(({ step }) => step))
      const next = steps[process.step + 1]
      if (next && process.step === slowest && chance.next() < 0.02) {
        process.step++
        process.web = sealing({ keys: next })
      }
      const one = process.web.sessions.resume(session.token)
      const write = chance.next()
      if (write < 0.3) await one.set('note', `${read}`)
      else if (write < 0.5) await one.increment('visits')
      await one.getAll().catch(() => {
        failed++
      })
      await world.time.advance(20_000)
      await turn()
    }
    measured(context, `${reads} reads`, `${failed} failed`)
    expect(failed).toBe(0)
  })
})

describe('sealing that is turned on for living sessions', () => {
  test('takes plain values while the option says so, and seals them at their next write', async () => {
    const plain = world.process(schema)
    session = await plain.sessions.create({ username: 'ada', note: 'plain' })
    await expect(web.sessions.open(session.token as string)).rejects.toMatchObject({ code: 'SEAL_BROKEN' })
    const moving = sealing({ keys: [first], acceptUnsealed: true })
    const one = await moving.sessions.open(session.token as string)
    expect(await one?.get('note')).toBe('plain')
    await one?.set('note', 'sealed')
    expect((await bytesOf('note'))[0]).toBe(0x81)
    expect((await bytesOf('username'))[0]).toBe(0x10)
    await one?.regenerate()
    await one?.update('username', (username) => `${username}!`)
    expect(await (await web.sessions.open(one?.token as string))?.getAll()).toMatchObject({ username: 'ada!', note: 'sealed' })
  })
})
