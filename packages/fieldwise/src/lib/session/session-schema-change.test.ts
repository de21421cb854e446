import { beforeEach, describe, expect, test } from 'vitest'
import * as z from 'zod'
import { turn } from '../../../../../test/support/virtual-time.js'
import { World } from '../../../../../test/support/world.js'

/** What a process of the version before knows, and one of the version after. */
const before = z.object({
  username: z.string(),
  visits: z.int().default(0),
  address: z.object({ street: z.string() }),
  flags: z.looseObject({ dark: z.boolean() }),
})
const after = z.object({
  username: z.string().max(8),
  visits: z.string().default('none'),
  address: z.object({ street: z.string(), city: z.string().optional() }),
  flags: z.looseObject({ dark: z.boolean(), large: z.boolean().optional() }),
  cart: z.array(z.string()).default([]),
})

let world: World
const setUp = async () => {
  world = new World()
  const older = world.process(before)
  const newer = world.process(after)
  const made = await older.sessions.create({
    username: 'ada',
    visits: 5,
    address: { street: 'secret lane' },
    flags: { dark: true },
  })
  const there = await newer.sessions.open(made.token as string)
  if (!there) throw new Error('the session is not there')
  return { older, newer, made, there }
}
let scene: Awaited<ReturnType<typeof setUp>>
beforeEach(async () => {
  scene = await setUp()
})

describe('a field that only one version knows', () => {
  test('is kept by the other, through reads, writes, rotations and renewals', async () => {
    const { made, there, newer } = scene
    await there.set('cart', ['tea'])
    expect(Object.keys(await made.getAll())).not.toContain('cart')
    await made.set({ username: 'bob', flags: { dark: false } })
    await made.regenerate()
    for (let use = 0; use < 8; use++) {
      await world.time.advance(29 * 60_000)
      await made.getAll()
      await turn()
    }
    expect(await (await newer.sessions.open(made.token as string))?.get('cart')).toEqual(['tea'])
  })

  test('has its default before it was ever stored', async () => {
    expect(await scene.there.get('cart')).toEqual([])
  })

  test('goes with the session, whoever ends it', async () => {
    const { made, there } = scene
    await there.set('cart', ['tea'])
    await made.destroy()
    expect(await world.stored(`${made.id}:cart`)).toBeUndefined()
  })

  test('is no field for the other one: BAD_ARGUMENT', async () => {
    await scene.there.set('cart', ['tea'])
    await expect(scene.made.get('cart' as never)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
  })
})

describe('a stored value that does not fit any more', () => {
  test('is FIELD_INVALID when that field is read, with codes and paths and without the value', async () => {
    const { there } = scene
    for (const read of [() => there.get('visits'), () => there.getMany(['username', 'visits']), () => there.getAll()]) {
      await expect(read()).rejects.toMatchObject({
        code: 'FIELD_INVALID',
        field: 'visits',
        issues: [{ code: 'invalid_type', path: [] }],
      })
    }
  })

  test('says where inside, and shows nothing of it', async () => {
    const strict = world.process(z.object({ address: z.object({ street: z.string().max(3) }) }))
    const one = await strict.sessions.open(scene.made.token as string)
    const error = await one?.get('address').catch((failure: unknown) => failure)
    expect(error).toMatchObject({ code: 'FIELD_INVALID', field: 'address', issues: [{ code: 'too_big', path: ['street'] }] })
    expect(`${(error as Error).message}${(error as Error).stack}${JSON.stringify(error)}`).not.toContain('secret')
    expect((error as Error).cause).toBeUndefined()
  })

  test('leaves the stored bytes as they are, and the other fields working', async () => {
    const { made, there } = scene
    const bytes = await world.stored(`${made.id}:visits`)
    for (const use of [() => there.get('visits'), () => there.update('visits', (visits) => visits), () => there.take('visits')]) {
      await expect(use()).rejects.toMatchObject({ code: 'FIELD_INVALID' })
    }
    expect(await world.stored(`${made.id}:visits`)).toEqual(bytes)
    expect(await there.get('username')).toBe('ada')
    expect(await there.has('visits')).toBe(true)
    await there.set('cart', ['tea'])
    expect(await made.get('visits')).toBe(5)
  })

  test('can be replaced and deleted', async () => {
    const { there } = scene
    await there.set('visits', 'many')
    expect(await there.get('visits')).toBe('many')
    const again = await setUp()
    await again.there.delete('visits')
    expect(await again.there.get('visits')).toBe('none')
  })

  test('is what the schema’s catch says', async () => {
    const lenient = world.process(z.object({ visits: z.string().catch('unreadable') }))
    const one = await lenient.sessions.open(scene.made.token as string)
    expect(await one?.get('visits')).toBe('unreadable')
    expect(await one?.update('visits', (visits) => `${visits}!`)).toBe('unreadable!')
  })

  test('of another type on both sides: each reads what it wrote, until the other writes', async () => {
    const { made, there } = scene
    await there.set('visits', 'many')
    await expect(made.get('visits')).rejects.toMatchObject({ code: 'FIELD_INVALID' })
    await made.set('visits', 7)
    await expect(there.get('visits')).rejects.toMatchObject({ code: 'FIELD_INVALID' })
    expect(await made.get('visits')).toBe(7)
  })

  test('that is preloaded fails when it is asked for', async () => {
    const opened = await scene.newer.sessions.open(scene.made.token as string, { preload: ['username', 'visits'] })
    expect(await opened?.get('username')).toBe('ada')
    await expect(opened?.get('visits')).rejects.toMatchObject({ code: 'FIELD_INVALID' })
  })
})

describe('a nested object', () => {
  test('loses the keys that an older process does not know when that one writes it: it needs looseObject', async () => {
    const { made, there } = scene
    await there.set('address', { street: 'lane', city: 'Bath' })
    await made.update('address', (address) => ({ street: `${address?.street} 5` }))
    expect(await there.get('address')).toEqual({ street: 'lane 5' })
  })

  test('that is a looseObject keeps them', async () => {
    const { made, there } = scene
    await there.set('flags', { dark: true, large: true })
    await made.update('flags', (flags) => {
      if (flags) flags.dark = false
    })
    expect(await there.get('flags')).toEqual({ dark: false, large: true })
  })

  test('is not written, and so loses nothing, by an update that changes nothing', async () => {
    const { made, there } = scene
    await there.set('flags', { dark: true, large: true })
    await made.update('flags', () => {})
    expect(await there.get('flags')).toEqual({ dark: true, large: true })
  })
})
