import { randomBytes, randomUUID } from 'node:crypto'
import { memcachedStore } from '@fieldwise/memcached'
import { createSessions } from 'fieldwise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as z from 'zod'
import { freePorts } from '../../../../../test/support/free-port.js'
import { Memcached, textCommand } from '../../../../../test/support/memcached.js'
import { fieldwise } from '../../testing/command-line.js'

const schema = z.object({ username: z.string(), cart: z.array(z.string()).default([]), visits: z.int().default(0) })
const keys = [randomBytes(32).toString('base64url')] as const

let server: Memcached
let sessions: ReturnType<typeof open>
let sid: string
let token: string

function open(options = {}) {
  return createSessions({ schema, store: memcachedStore(server.address, { timeout: '5s' }), ...options })
}

beforeAll(async () => {
  server = await Memcached.start()
  sessions = open()
  const session = await sessions.create({ username: 'canary', cart: ['tea'] })
  await session.delete('cart')
  sid = session.id as string
  token = session.token as string
})

afterAll(async () => {
  await sessions.close()
  await server[Symbol.asyncDispose]()
})

const inspect = (...args: string[]) => fieldwise(['inspect', server.address, '--timeout', '5s', ...args])

test('a session is shown with its header, and its fields with sizes, lives and last writes', async () => {
  const { code, output } = await inspect(sid)
  expect(code).toBe(0)
  expect(output).toMatch(new RegExp(`^${sid}  living\n\n {2}server +${server.address}\n`))
  expect(output).toMatch(/ {2}created .* UTC, (just now|.* ago)\n/)
  expect(output).toMatch(/ {2}ends .*in \d+\.?\d* hours, or after 30 minutes without use\n/)
  expect(output).toMatch(/ {2}header +\d+ bytes, not sealed, format 1, kept for \d+ minutes more\n/)
  expect(output).toMatch(/ {2}username {2}set +21 B +8 B +\d+ minutes {2}[0-9a-f]{16} {2}-\n/)
  expect(output).toMatch(/ {2}cart +deleted +13 B +- /)
})

test('values are shown when asked for, and else nothing of them', async () => {
  const masked = await inspect(sid)
  expect(masked.output + (await inspect(sid, '--json')).output).not.toContain('canary')
  expect((await inspect(sid, '--values')).output).toMatch(/username.*"canary"\n/)
})

test('--json prints all of it', async () => {
  const { code, output } = await inspect(sid, '--json', '--values')
  expect(code).toBe(0)
  const inspection = JSON.parse(output)
  expect(inspection).toMatchObject({
    server: server.address,
    sid,
    state: 'living',
    header: { sealed: false, says: { idle: 1_800_000 } },
  })
  expect(inspection.fields).toMatchObject([
    { name: 'username', state: 'set', bytes: 21, valueBytes: 8, value: 'canary' },
    { name: 'cart', state: 'deleted' },
  ])
  expect(inspection.fields[1]).not.toHaveProperty('value')
})

test('a token is told what it opens, and its secret is never printed', async () => {
  const { output } = await inspect(token)
  expect(output).toMatch(/secret +the current one/)
  expect(output).not.toContain(token.slice(sid.length))
  const forged = await inspect(`${sid}.${randomBytes(32).toString('base64url')}`)
  expect(forged.output).toMatch(/secret +an unknown one: this token opens nothing/)
})

test('over the binary protocol lives are not told', async () => {
  const { code, output } = await inspect(sid, '--protocol', 'binary')
  expect(code).toBe(0)
  expect(output).toMatch(/username {2}set +21 B +8 B +- /)
})

test('nothing is written, touched or deleted', async () => {
  const written = async () =>
    (await textCommand(server, 'stats', 'END\r\n')).match(/(cmd_(set|touch|flush)|delete_\w+|touch_\w+) \d+/g)
  const before = await written()
  for (const what of [sid, token]) await inspect(what, '--values')
  expect(await written()).toEqual(before)
})

test('what is sealed is opened with FIELDWISE_KEYS, and without it said to be sealed', async () => {
  await using sealed = open({ sealing: { keys }, prefix: 'shop:' })
  const { id } = await sealed.create({ username: 'canary' })
  const args = ['inspect', server.address, id as string, '--prefix', 'shop:', '--values']
  const opened = await fieldwise(args, { env: { FIELDWISE_KEYS: `${randomBytes(32).toString('base64url')}, ${keys[0]}` } })
  expect(opened.code).toBe(0)
  expect(opened.output).toMatch(/sealed, format 1.*\n[\s\S]*username.*"canary"/)
  const closed = await fieldwise(args)
  expect(closed.code).toBe(3)
  expect(closed.output).toMatch(/unreadable[\s\S]*problem .*sealed, but no sealing\.keys/)
  const wrong = await fieldwise(args, { env: { FIELDWISE_KEYS: 'hunter2' } })
  expect(wrong.code).toBe(2)
  expect(wrong.said).toMatch(/^error: sealing\.keys\[0\] /)
  expect(wrong.said).not.toContain('hunter2')
})

test('a session that is not there, and one with a field that was evicted, end with 1', async () => {
  const gone = `${randomUUID()}${sid.slice(sid.indexOf('~'))}`
  expect(await inspect(gone)).toMatchObject({ code: 1, output: expect.stringMatching(/ {2}missing\n/) })
  const session = await sessions.create({ username: 'ada' })
  await textCommand(server, `delete ${session.id}:username`)
  expect(await inspect(session.id as string)).toMatchObject({
    code: 1,
    output: expect.stringMatching(/username {2}missing +- /),
  })
})

test('control characters in what was stored do not reach the terminal', async () => {
  const session = await sessions.create({ username: '\u009b31m\u202e' })
  const { output } = await inspect(session.id as string, '--values')
  expect(output).toContain('"\\u009b31m\\u202e"')
  const json = (await inspect(session.id as string, '--values', '--json')).output
  expect(json).toContain('\\u009b')
  expect(JSON.parse(json).fields[0].value).toBe('\u009b31m\u202e')
})

test('servers can have the names that the app gives them', async () => {
  await using named = createSessions({ schema, store: memcachedStore({ a: server.address }) })
  const { id } = await named.create({ username: 'ada' })
  expect((await fieldwise(['inspect', `a=${server.address}`, id as string])).code).toBe(0)
  const unnamed = await fieldwise(['inspect', server.address, id as string])
  expect(unnamed.code).toBe(2)
  expect(unnamed.said).toMatch(/names the server 'a'.*write a=host:port/)
})

test('what is no session is refused without being repeated', async () => {
  for (const text of ['canary', `${sid}.canary`, `${token}x`, randomUUID()]) {
    const { code, said } = await inspect(text)
    expect(code).toBe(2)
    expect(said).toMatch(/^error: (This is neither|The id names no memcached server)/)
    expect(said).not.toContain(text)
  }
})

test('a server that does not answer is named, without a stack trace', async () => {
  const [port] = await freePorts(1)
  const { code, said } = await fieldwise(['inspect', `${sid.slice(sid.indexOf('~') + 1)}=127.0.0.1:${port}`, sid])
  expect(code).toBe(3)
  expect(said).toMatch(/^error: memcached .*refuses connections: is memcached running there\?\n$/)
})
