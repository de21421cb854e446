import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { measured } from '../../../../../test/support/promise.js'
import { scaled } from '../../../../../test/support/scale.js'
import { type Process, World } from '../../../../../test/support/world.js'
import { createSessions } from './sessions.js'

const canary = 'canary-value-7d0f'
const schema = z.object({
  username: z.string().max(100),
  visits: z.int().default(0),
  profile: z.looseObject({ name: z.string() }),
  tags: z.record(z.string(), z.number()),
  anything: z.unknown(),
})
type Web = Process<typeof schema>

async function newSession(world: World, web: Web) {
  const session = await web.sessions.create({ username: canary, profile: { name: canary }, tags: { [canary]: 1 }, visits: 1 })
  return { world, web, session, secret: session.token?.slice(37) as string, token: session.token as string }
}
type Scene = Awaited<ReturnType<typeof newSession>>

/** Every way in which a call can fail, as far as this process can bring it about. */
const failures: [what: string, fail: (scene: Scene) => unknown][] = [
  ['FIELD_INVALID on a write', ({ session }) => session.set('username', canary.repeat(20))],
  ['FIELD_INVALID on a write of another type', ({ session }) => session.set('visits', canary as never)],
  ['FIELD_INVALID inside of an object', ({ session }) => session.set('profile', { name: 5, [canary]: canary } as never)],
  ['FIELD_INVALID under a key of a record', ({ session }) => session.set('tags', { [canary]: canary as never })],
  ['FIELD_INVALID of what is not JSON', ({ session }) => session.set('anything', { [canary]: 5n })],
  [
    'FIELD_INVALID of a cycle',
    ({ session }) => {
      const cycle: Record<string, unknown> = { canary }
      cycle.self = cycle
      return session.set('anything', cycle)
    },
  ],
  ['FIELD_INVALID from an update', ({ session }) => session.update('visits', () => canary as never)],
  ['FIELD_INVALID from a creation', ({ web }) => web.sessions.create({ visits: canary as never, username: canary })],
  [
    'FIELD_INVALID on a read',
    async ({ world, token }) => {
      const strict = world.process(z.object({ username: z.int() }))
      return (await strict.sessions.open(token))?.get('username')
    },
  ],
  [
    'FIELD_INVALID from a refinement that speaks',
    async ({ world, token }) => {
      const speaking = z.object({ username: z.string().refine(() => false, { error: ({ input }) => `${input} is not right` }) })
      return (await world.process(speaking).sessions.open(token))?.get('username')
    },
  ],
  [
    'FIELD_INVALID from a refinement that throws',
    async ({ world, token }) => {
      const throwing = z.object({
        username: z.string().refine((value) => {
          throw new Error(value)
        }),
      })
      return (await world.process(throwing).sessions.open(token))?.get('username')
    },
  ],
  ['VALUE_TOO_LARGE', ({ session }) => session.set('profile', { name: canary.repeat(100_000) })],
  ['BAD_ARGUMENT: undefined', ({ session }) => session.set('username', undefined as never)],
  ['BAD_ARGUMENT: a promise', ({ session }) => session.update('username', (async () => canary) as never)],
  ['BAD_ARGUMENT: no number', ({ session }) => session.increment('visits', canary as never)],
  ['BAD_ARGUMENT: no field', ({ session }) => session.get('unknown' as never)],
  ['BAD_ARGUMENT: an id that is a token', ({ web, token }) => web.sessions.revoke(token)],
  ['BAD_ARGUMENT: values that are a text', ({ web }) => web.sessions.create(canary as never)],
  [
    'SEAL_BROKEN',
    async ({ world, session }) => {
      await world.plant(`${session.id}:username`, Buffer.from(`\x90${canary}`))
      return session.get('username')
    },
  ],
  [
    'SEAL_BROKEN in the header',
    async ({ world, web, session, token }) => {
      await world.plant(`${session.id}:@`, Buffer.from(`\x90${canary}`))
      return web.sessions.open(token)
    },
  ],
  [
    'SESSION_GONE: lost',
    async ({ world, session }) => {
      await world.evict(`${session.id}:username`)
      return session.get('username')
    },
  ],
  [
    'SESSION_GONE: destroyed',
    async ({ web, session }) => {
      await web.sessions.revoke(session.id as string)
      return session.set('username', canary)
    },
  ],
  [
    'SESSION_GONE: expired',
    async ({ world, session }) => {
      await world.time.advance(12 * 3_600_000)
      return session.get('username')
    },
  ],
  [
    'SESSION_GONE: superseded',
    async ({ web, session, token }) => {
      await session.regenerate()
      return web.sessions.resume(token).set('username', canary)
    },
  ],
  [
    'STORE_UNAVAILABLE on a read',
    ({ web, session }) => {
      web.store.outage = 'refused'
      return session.get('username')
    },
  ],
  [
    'STORE_UNAVAILABLE on a write',
    ({ web, session }) => {
      web.store.outage = 'refused'
      return session.set('username', canary)
    },
  ],
  [
    'STORE_UNAVAILABLE on opening',
    ({ web, token }) => {
      web.store.outage = 'refused'
      return web.sessions.open(token)
    },
  ],
  [
    'STORE_UNAVAILABLE on creation',
    ({ web }) => {
      web.store.outage = 'refused'
      return web.sessions.create({ username: canary })
    },
  ],
  [
    'STORE_UNAVAILABLE when it hangs',
    ({ world, web, session }) => {
      web.store.outage = 'silent'
      return world.time.run(session.update('username', () => canary))
    },
  ],
  [
    'OUTCOME_UNKNOWN of a write',
    ({ world, web, session }) => {
      web.store.outage = 'silent'
      return world.time.run(session.set('username', canary))
    },
  ],
  [
    'OUTCOME_UNKNOWN of an end',
    ({ world, web, session }) => {
      web.store.outage = 'silent'
      return world.time.run(session.destroy())
    },
  ],
  [
    'OUTCOME_UNKNOWN of a rotation',
    async ({ world, web, session }) => {
      web.store.holding = true
      const rotation = session.regenerate()
      rotation.catch(() => {})
      await (await world.next(web, 'get @')).deliver()
      await (await world.next(web, 'replace @')).loseAnswer()
      web.store.outage = 'refused'
      return world.time.run(rotation)
    },
  ],
  [
    'UPDATE_CONFLICT',
    async ({ world, session, token }) => {
      const once = world.process(schema, { retry: { attempts: 1 } })
      const one = await once.sessions.open(token)
      once.store.holding = true
      const update = one?.update('username', (username) => `${username}!`)
      update?.catch(() => {})
      await (await world.next(once, 'get username')).deliver()
      await session.set('username', `${canary}.`)
      await (await world.next(once, 'replace username')).deliver()
      return update
    },
  ],
  [
    'CLOSED',
    async ({ web, session }) => {
      await web.sessions.close()
      return session.set('username', canary)
    },
  ],
  ['BAD_CONFIG of a key', ({ secret }) => createSessions({ schema, sealing: { keys: [secret.slice(0, 40)] } })],
  ['BAD_CONFIG of a key given twice', ({ secret }) => createSessions({ schema, sealing: { keys: [secret, secret] } })],
]

describe('no error carries a token, a secret or a value', () => {
  test.each(failures)('%s', async (what, fail) => {
    const world = new World()
    const scene = await newSession(world, world.process(schema))
    const error = await (async () => fail(scene))().then(
      () => undefined,
      (thrown: unknown) => thrown,
    )
    expect(error).toMatchObject({ code: what.split(/[ :]/)[0] })
    expect(canariesIn(error, scene)).toEqual([])
    expect(canariesIn(scene.session, scene)).toEqual([])
    expect(canariesIn(scene.web.sessions, scene)).toEqual([])
  })

  test('in every code that there is', () => {
    const codes = new Set(failures.map(([what]) => what.split(/[ :]/)[0]))
    expect([...codes].sort()).toEqual([
      'BAD_ARGUMENT',
      'BAD_CONFIG',
      'CLOSED',
      'FIELD_INVALID',
      'OUTCOME_UNKNOWN',
      'SEAL_BROKEN',
      'SESSION_GONE',
      'STORE_UNAVAILABLE',
      'UPDATE_CONFLICT',
      'VALUE_TOO_LARGE',
    ])
  })
})

/** Where in an object, its causes and all that can be printed of it the canary value or the secret shows. */
function canariesIn(shown: unknown, { secret }: Scene): string[] {
  const forms: Record<string, string> = {
    text: String(shown),
    json: JSON.stringify(shown) ?? '',
    inspected: inspect(shown, { depth: 20, showHidden: true, maxStringLength: null, maxArrayLength: null }),
  }
  for (let error = shown; error instanceof Error; error = error.cause) {
    forms.message = `${forms.message ?? ''}${error.message}`
    forms.stack = `${forms.stack ?? ''}${error.stack}`
    forms.properties = `${forms.properties ?? ''}${JSON.stringify(Object.getOwnPropertyDescriptors(error))}`
  }
  const words = [canary, secret, Buffer.from(secret, 'base64url').toString('hex'), Buffer.from(canary).toString('base64')]
  return Object.entries(forms).flatMap(([form, text]) =>
    words.filter((word) => text.includes(word)).map((word) => `${word} in ${form}`),
  )
}

describe('prototype pollution', () => {
  const payloads = [
    '{"__proto__":{"polluted":1}}',
    '{"constructor":{"prototype":{"polluted":1}}}',
    '{"a":{"__proto__":{"polluted":1}}}',
    '{"a":[{"__proto__":{"polluted":1}}]}',
    '[{"__proto__":{"polluted":1}}]',
    '{"\\u005f_proto__":{"polluted":1}}',
    '{"__proto__":null}',
    '{"__proto__":[]}',
    '{"toString":null,"__proto__":{"toString":1}}',
    '{"prototype":{"polluted":1},"__defineGetter__":"x"}',
  ]
  const open = z.object({
    any: z.any(),
    unknown: z.unknown(),
    record: z.record(z.string(), z.unknown()),
    loose: z.looseObject({ name: z.string().optional() }),
    strict: z.object({ name: z.string().optional() }),
    list: z.array(z.looseObject({})),
    json: z.json(),
  })
  const fields = ['any', 'unknown', 'record', 'loose', 'strict', 'list', 'json'] as const

  test('by values, names, options and stored bytes reaches no prototype', async (context) => {
    const world = new World()
    const web = world.process(open)
    const session = await web.sessions.create()
    const before = Object.getOwnPropertyNames(Object.prototype).sort()
    let sent = 0
    const ignore = () => {}
    for (let round = 0; round < scaled(16); round++) {
      for (const payload of payloads) {
        const value = () => {
          sent++
          return JSON.parse(payload)
        }
        for (const field of fields) {
          await session.set(field, value()).catch(ignore)
          checkPlain(await session.get(field).catch(ignore))
          await session.update(field, value as never).catch(ignore)
          await session.update(field, ((old: object) => Object.assign(old ?? {}, value())) as never).catch(ignore)
          const stored = await world.stored(`${session.id}:${field}`)
          if (stored) await world.plant(`${session.id}:${field}`, Buffer.concat([stored.subarray(0, 13), Buffer.from(payload)]))
          checkPlain(await session.get(field).catch(ignore))
          checkPlain(await session.getAll().catch(ignore))
          checkPlain(await session.getMany([field]).catch(ignore))
          checkPlain(await session.take(field).catch(ignore))
        }
        await session.set(value() as object).catch(ignore)
        await web.sessions.create(value()).catch(ignore)
        await web.sessions.create({}, value()).catch(ignore)
        await session.regenerate(value()).catch(ignore)
        for (const name of ['__proto__', 'constructor', 'prototype', '__defineGetter__']) {
          await session.set(name as never, value() as never).catch(ignore)
          await session.get(name as never).catch(ignore)
          await web.sessions.open(session.token as string, { preload: [name as never] }).catch(ignore)
        }
        for (const option of ['lost', 'expires', 'lifetime', 'retry', 'sealing']) {
          try {
            createSessions({ schema: open, [option]: value() } as never)
          } catch {}
        }
      }
    }
    measured(context, `${sent} payloads`, 'prototypes unchanged')
    expect(Object.getOwnPropertyNames(Object.prototype).sort()).toEqual(before)
    expect(({} as { polluted?: number }).polluted).toBeUndefined()
    expect(([] as { polluted?: number }).polluted).toBeUndefined()
    expect((() => {}) as { polluted?: number }).not.toHaveProperty('polluted')
  })

  test('by a catchall has no name to go by', async () => {
    const web = new World().process(z.object({}).catchall(z.unknown()))
    const session = await web.sessions.create()
    for (const name of Object.getOwnPropertyNames(Object.prototype)) {
      await expect(session.set(name, { polluted: 1 })).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
      await expect(session.get(name)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
    }
    expect(await session.getAll()).toEqual({})
  })
})

/** Every object in it inherits what an object or an array does, and nothing else. */
function checkPlain(value: unknown): void {
  if (typeof value !== 'object' || value === null) return
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== Array.prototype && prototype !== null)
    throw new Error('a prototype was set')
  if ('polluted' in value && !Object.hasOwn(value, 'polluted')) throw new Error('a property is inherited')
  for (const part of Object.values(value)) checkPlain(part)
}
