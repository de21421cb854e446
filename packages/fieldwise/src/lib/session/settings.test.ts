import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { World } from '../../../../../test/support/world.js'
import { type BadConfigError, isFieldwiseError } from '../api/errors.js'
import { memoryStore } from '../memory/memory-store.js'
import { createSessions } from './sessions.js'
import type { SessionsOptions } from './settings.js'

const schema = z.object({ username: z.string(), otp: z.string(), visits: z.int().default(0) })

function make(options: object): unknown {
  return createSessions({ schema, ...options } as SessionsOptions<typeof schema>)
}

function refusalOf(work: () => unknown): BadConfigError {
  try {
    work()
  } catch (error) {
    if (isFieldwiseError(error, 'BAD_CONFIG')) return error
    throw error
  }
  throw new Error('it was taken')
}

const bad: [what: string, options: object, says: RegExp][] = [
  [
    'an absolute lifetime below the idle time',
    { lifetime: { idle: '2h', absolute: '1h' } },
    /write an absolute lifetime that is longer/,
  ],
  ['an idle time above the default absolute one', { lifetime: { idle: '13h' } }, /write an absolute lifetime that is longer/],
  ['a lifetime as a bare number', { lifetime: { idle: 1800 } }, /lifetime\.idle: .*'30m'/],
  ['a negative lifetime', { lifetime: { idle: '-5m' } }, /lifetime\.idle/],
  ['a hexadecimal lifetime', { lifetime: { absolute: '0x10m' } }, /lifetime\.absolute/],
  ['a lifetime of nothing', { lifetime: { idle: '0s' } }, /longer than nothing: write '1ms' or more/],
  ['a lifetime of two hundred years', { lifetime: { absolute: '73000d' } }, /100 years/],
  ['a life for a field that is not there', { expires: { opt: '5m' } }, /expires: .*"opt"; the schema has username, otp, visits/],
  ['a life for a field that no schema can have', { expires: { 'a b': '5m' } }, /expires: "a b" cannot name a field/],
  ['a life of nothing for a field', { expires: { otp: '0ms' } }, /expires\.otp is longer than nothing/],
  ['a bare number as the life of a field', { expires: { otp: 300 } }, /expires\.otp: .*'30s'/],
  ['lost: anything else', { lost: 'ignore' }, /lost is 'end' or 'absent'/],
  ['lost: anything else, for one field', { lost: { otp: 'ignore' } }, /lost\.otp is 'end' or 'absent'/],
  ['lost: for a field that is not there', { lost: { opt: 'absent' } }, /lost: .*"opt"; the schema has/],
  ['lost: for what every object inherits', { lost: { constructor: 'absent' } }, /lost: "constructor" cannot name a field/],
  ['lost: null', { lost: null }, /lost/],
  ['a prefix with a space', { prefix: 'my shop:' }, /visible ASCII characters only.*write one such as 'shop:'/],
  ['a prefix with a line end', { prefix: 'shop:\r\nflush_all\r\n' }, /visible ASCII characters only/],
  ['a prefix with a control character', { prefix: 'shop\u0000' }, /visible ASCII characters only/],
  ['a prefix in another script', { prefix: 'läden:' }, /visible ASCII characters only/],
  ['a prefix that leaves no room in a key', { prefix: 'x'.repeat(101) }, /has 101 characters; .*room for 100/],
  ['a prefix that is no text', { prefix: 5 }, /prefix is a string such as 'shop:'/],
  ['no attempts', { retry: { attempts: 0 } }, /whole number from 1 on/],
  ['half an attempt', { retry: { attempts: 1.5 } }, /whole number from 1 on/],
  ['attempts as text', { retry: { attempts: '3' } }, /whole number from 1 on/],
  ['endless attempts', { retry: { attempts: Number.POSITIVE_INFINITY } }, /whole number from 1 on/],
  ['a deadline of nothing', { retry: { deadline: '0s' } }, /retry\.deadline is longer than nothing/],
  ['a deadline as a bare number', { retry: { deadline: 2000 } }, /retry\.deadline: .*'500ms'/],
  ['sealing without keys', { sealing: {} }, /sealing\.keys is an array of keys/],
  ['sealing with no key', { sealing: { keys: [] } }, /leave `sealing` out/],
  [
    'sealing with a key that is not set',
    { sealing: { keys: [undefined] } },
    /sealing\.keys\[0\] is not set\. Make a key with: node -e/,
  ],
  ['a key of 31 bytes', { sealing: { keys: [randomBytes(31).toString('base64url')] } }, /has 31 bytes; 32 are the least/],
  ['a passphrase for a key', { sealing: { keys: ['correct-horse-battery-staple-correct-horse-battery'] } }, /Make a key with/],
  ['an address where a store belongs', { store: '127.0.0.1:11211' }, /write memcachedStore\('127\.0\.0\.1:11211'\)/],
  ['what is no store', { store: {} }, /store is a store, such as memcachedStore\('127\.0\.0\.1:11211'\) or memoryStore\(\)/],
  ['a clock that tells no time', { clock: {} }, /clock is an object with now\(\)/],
  ['sealing that is switched off by false', { sealing: false }, /sealing takes an object with keys, acceptUnsealed/],
  ['a misspelt part of sealing', { sealing: { keys: [], acceptUnsealled: true } }, /no option 'acceptUnsealled'; it has keys/],
  ['unsealed values accepted by a word', { sealing: { keys: [], acceptUnsealed: 'no' } }, /acceptUnsealed is true or false/],
  ['a misspelt part of retry', { retry: { attempt: 3 } }, /retry has no option 'attempt'; it has attempts, deadline/],
  ['a misspelt part of lifetime', { lifetime: { idel: '5m' } }, /lifetime has no option 'idel'; it has idle, absolute/],
  ['an option that there is not', { lifetimes: {} }, /no option 'lifetimes'; it has schema, store, lifetime/],
]

describe('BAD_CONFIG says what to write instead', () => {
  test.each(bad)('%s', (_what, options, says) => {
    expect(refusalOf(() => make(options)).message).toMatch(says)
  })

  test('no options, and options without a schema', () => {
    expect(refusalOf(() => createSessions(undefined as never)).message).toContain('schema')
    expect(refusalOf(() => createSessions({} as never)).message).toContain('schema')
    expect(refusalOf(() => createSessions({ schema: { username: z.string() } } as never)).message).toContain('z.object')
  })

  test('shows no more than an address of what stands where a store belongs', () => {
    const { message } = refusalOf(() => make({ store: 'memcached://ada:hunter2@cache' }))
    expect(message).toContain("memcachedStore('…')")
    expect(message).not.toContain('hunter2')
  })

  test('by memoryStore too', () => {
    expect(refusalOf(() => memoryStore({ limt: 5 } as never)).message).toBe(
      "memoryStore has no option 'limt'; it has clock, limit",
    )
    expect(refusalOf(() => memoryStore(5 as never)).message).toContain('memoryStore takes an object')
  })

  test('never shows a key', () => {
    const short = randomBytes(31).toString('base64url')
    expect(refusalOf(() => make({ sealing: { keys: [short] } })).message).not.toContain(short.slice(0, 8))
  })
})

describe('what can be configured', () => {
  test.each([
    ['nothing at all', {}],
    ['as long as it is idle, and no longer', { lifetime: { idle: '12h', absolute: '12h' } }],
    ['more than 30 days', { lifetime: { idle: '60d', absolute: '400d' } }],
    ['a millisecond', { lifetime: { idle: '1ms', absolute: '1ms' } }],
    ['the longest prefix', { prefix: 'x'.repeat(100) }],
    ['an empty prefix', { prefix: '' }],
    ['a life of a field that is longer than the session', { expires: { otp: '30d' } }],
    ['lost fields, all or some', { lost: 'absent' }],
    ['lost fields by name', { lost: { otp: 'absent', username: 'end' } }],
    ['one attempt', { retry: { attempts: 1, deadline: '1ms' } }],
  ])('%s', (_what, options) => {
    expect(() => make(options)).not.toThrow()
  })
})

describe('the terms of one session', () => {
  const world = new World()
  const { sessions, store } = world.process(schema)

  test.each([
    ['an absolute lifetime below the idle time', { lifetime: { idle: '2h', absolute: '1h' } }],
    ['an idle time above the absolute one of createSessions', { lifetime: { idle: '13h' } }],
  ] as const)('%s is refused before anything is stored', async (_what, options) => {
    store.takeLog()
    await expect(sessions.create({}, options)).rejects.toMatchObject({ code: 'BAD_CONFIG' })
    await expect(sessions.resume().regenerate(options)).rejects.toMatchObject({ code: 'BAD_CONFIG' })
    expect(store.log).toEqual([])
  })

  test('a grace above the idle time is refused, and the secret stays', async () => {
    const session = await sessions.create({})
    const { token } = session
    await expect(session.regenerate({ grace: '31m' })).rejects.toMatchObject({ code: 'BAD_CONFIG' })
    expect(session.token).toBe(token)
    expect(await sessions.open(token as string)).not.toBeNull()
  })

  test.each([
    ['a lifetime that is no duration', { lifetime: { idle: '5 minutes' } }],
    ['a lifetime that is a duration itself', { lifetime: '5m' }],
    ['a lifetime of nothing', { lifetime: { idle: '0s' } }],
    ['a persist that is neither true nor false', { persist: 'yes' }],
  ])('%s is BAD_ARGUMENT', async (_what, options) => {
    await expect(sessions.create({}, options as never)).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
  })

  test.each([['0s', '-1m', 5]])('a grace of %s is BAD_ARGUMENT', async (grace) => {
    const session = await sessions.create({})
    await expect(session.regenerate({ grace: grace as '5m' })).rejects.toMatchObject({ code: 'BAD_ARGUMENT' })
  })

  test('are measured against what the session has, where they are left out', async () => {
    const short = await sessions.create({}, { lifetime: { idle: '5m', absolute: '1h' } })
    await short.regenerate({ lifetime: { absolute: '20m' } })
    await expect(short.regenerate({ grace: '6m' })).rejects.toMatchObject({ code: 'BAD_CONFIG' })
    await expect(short.regenerate({ lifetime: { idle: '2h' } })).rejects.toMatchObject({ code: 'BAD_CONFIG' })
    const long = await sessions.create({}, { lifetime: { idle: '2h' } })
    await long.regenerate({ grace: '1h' })
  })
})
