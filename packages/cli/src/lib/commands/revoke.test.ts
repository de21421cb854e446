import { randomBytes } from 'node:crypto'
import { memcachedStore } from '@fieldwise/memcached'
import { createSessions } from 'fieldwise'
import { afterAll, beforeAll, expect, test } from 'vitest'
import * as z from 'zod'
import { freePorts } from '../../../../../test/support/free-port.js'
import { Memcached, textCommand } from '../../../../../test/support/memcached.js'
import { fieldwise } from '../../testing/command-line.js'

const schema = z.object({ username: z.string() })
const key = randomBytes(32).toString('base64url')

let server: Memcached

beforeAll(async () => {
  server = await Memcached.start()
})

afterAll(() => server[Symbol.asyncDispose]())

function open(options = {}) {
  return createSessions({ schema, store: memcachedStore(server.address, { timeout: '5s' }), ...options })
}

const itemsLeft = async () => Number(/curr_items (\d+)/.exec(await textCommand(server, 'stats', 'END\r\n'))?.[1])

test('a session ends for everybody, with all its fields', async () => {
  await using sessions = open()
  const session = await sessions.create({ username: 'ada' })
  const ended = await fieldwise(['revoke', server.address, session.id as string])
  expect(ended).toMatchObject({ code: 0, output: `${session.id} has ended.\n` })
  expect(await sessions.open(session.token as string)).toBeNull()
  expect(await itemsLeft()).toBe(0)
})

test('one that is not there is said not to have been, which is no failure', async () => {
  await using sessions = open()
  const { id } = await sessions.create()
  await sessions.revoke(id as string)
  expect(await fieldwise(['revoke', server.address, id as string, '--json'])).toMatchObject({
    code: 0,
    output: `${JSON.stringify({ sid: id, ended: false })}\n`,
  })
})

test.each([
  ['with its key', { FIELDWISE_KEYS: key }, 0],
  ['without its key', {}, 1],
])('a sealed one under a prefix ends %s', async (_, env, left) => {
  await using sessions = open({ prefix: 'shop:', sealing: { keys: [key] } })
  const session = await sessions.create({ username: 'ada' })
  const before = await itemsLeft()
  const args = ['revoke', server.address, session.token as string, '--prefix', 'shop:', '--json']
  expect(await fieldwise(args, { env })).toMatchObject({ code: 0, output: expect.stringContaining('"ended":true') })
  expect(await sessions.open(session.token as string)).toBeNull()
  expect(await itemsLeft()).toBe(before - 2 + left)
})

test('a server that does not answer is a failure', async () => {
  await using sessions = open()
  const { id } = await sessions.create()
  const [port] = await freePorts(1)
  const { code, output, said } = await fieldwise(['revoke', `${id?.slice(id.indexOf('~') + 1)}=127.0.0.1:${port}`, id as string])
  expect({ code, output }).toEqual({ code: 3, output: '' })
  expect(said).toMatch(/^error: .*refuses connections/)
})

test('all sessions of a user end, and inspect lists them before', async () => {
  await using sessions = open({ prefix: 'shop:', sealing: { keys: [key] } })
  const ours = [await sessions.create({}, { user: 'ada' }), await sessions.create({}, { user: 'ada' })]
  const other = await sessions.create({}, { user: 'bob' })
  const args = [server.address, '--user', 'ada', '--prefix', 'shop:']
  const env = { FIELDWISE_KEYS: key }
  const listed = await fieldwise(['inspect', ...args], { env })
  expect(listed.code).toBe(0)
  for (const { id } of ours) expect(listed.output).toContain(id)
  expect(await fieldwise(['revoke', ...args], { env })).toMatchObject({ code: 0, output: '2 sessions have ended.\n' })
  for (const { token } of ours) expect(await sessions.open(token)).toBeNull()
  expect(await sessions.open(other.token)).not.toBeNull()
  expect(await fieldwise(['inspect', ...args, '--json'], { env })).toMatchObject({ code: 1, output: '[]\n' })
})

test.each(['revoke', 'inspect'])('%s takes a session or a user, and not both', async (command) => {
  expect(await fieldwise([command, server.address])).toMatchObject({ code: 2 })
  expect(await fieldwise([command, server.address, 'x', '--user', 'ada'])).toMatchObject({ code: 2 })
})
