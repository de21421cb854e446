import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { betterAuthStorage } from '@fieldwise/http/better-auth'
import { betterAuth, type SecondaryStorage } from 'better-auth'
import { memoryAdapter } from 'better-auth/adapters/memory'
import { toNodeHandler } from 'better-auth/node'
import { magicLink } from 'better-auth/plugins'
import { memoryStore, type Store } from 'fieldwise'
import { counter, createShared, value } from 'fieldwise/shared'
import { afterEach, expect, test } from 'vitest'
import * as z from 'zod'
import { World } from '../../../test/support/world.js'

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

const kinds = { auth: value(z.string()), authLimits: counter({ window: '1m' }) }

function storageOn(store: Store): SecondaryStorage {
  const { auth, authLimits } = createShared({ kinds, store })
  return betterAuthStorage({ values: auth, limits: authLimits })
}

/** Web servers with better-auth, one database and one store. */
async function startServers(options: { readonly limit?: number } = {}) {
  const database = { user: [], session: [], account: [], verification: [] }
  const store = memoryStore()
  const links: string[] = []
  const start = async () => {
    const auth = betterAuth({
      baseURL: 'http://auth.example',
      secret: 'of this test, and of nothing else',
      trustedOrigins: ['http://auth.example'],
      database: memoryAdapter(database),
      secondaryStorage: storageOn(store),
      emailAndPassword: { enabled: true },
      plugins: [magicLink({ sendMagicLink: async ({ token }) => void links.push(token) })],
      rateLimit: { enabled: options.limit !== undefined, storage: 'secondary-storage', window: 60, max: options.limit ?? 100 },
      advanced: { ipAddress: { ipAddressHeaders: ['x-client'] } },
    })
    const server = createServer(toNodeHandler(auth)).listen(0, '127.0.0.1')
    ends.push(() => server.close())
    await new Promise((resolve) => server.once('listening', resolve))
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/auth`
    return async (path: string, { body, cookie = '' }: { body?: object; cookie?: string } = {}) =>
      fetch(url + path, {
        method: body === undefined ? 'GET' : 'POST',
        headers: { 'content-type': 'application/json', origin: 'http://auth.example', 'x-client': '203.0.113.7', cookie },
        redirect: 'manual',
        ...(body && { body: JSON.stringify(body) }),
      })
  }
  return { one: await start(), other: await start(), links }
}

function cookieOf(response: Response): string {
  return response.headers
    .getSetCookie()
    .map((line) => line.split(';')[0])
    .join('; ')
}

const ada = { email: 'ada@example.org', password: 'a long password', name: 'Ada' }

test('who logs in on one server is logged in on the other, until they log out', async () => {
  const { one, other } = await startServers()
  const signedUp = await one('/sign-up/email', { body: ada })
  expect(signedUp.status).toBe(200)
  const cookie = cookieOf(signedUp)
  expect(await (await other('/get-session', { cookie })).json()).toMatchObject({ user: { email: ada.email } })
  expect((await other('/sign-out', { body: {}, cookie })).status).toBe(200)
  expect(await (await one('/get-session', { cookie })).json()).toBeNull()
})

test('a magic link logs in once, however many servers it is opened on at once', async () => {
  const { one, other, links } = await startServers()
  expect((await one('/sign-in/magic-link', { body: { email: ada.email, name: ada.name } })).status).toBe(200)
  const path = `/magic-link/verify?token=${links[0]}`
  const opened = await Promise.all([one, other, one, other].map((ask) => ask(path)))
  expect(opened.filter((response) => cookieOf(response).includes('session_token'))).toHaveLength(1)
})

test('a limit holds for all servers together', async () => {
  const { one, other } = await startServers({ limit: 4 })
  const statuses: number[] = []
  for (let request = 0; request < 6; request++) statuses.push((await (request % 2 === 0 ? one : other)('/get-session')).status)
  expect(statuses).toEqual([200, 200, 200, 200, 429, 429])
})

test('keeps the contract of a secondary storage: lives in seconds, windows that do not grow, values taken once', async () => {
  const world = new World()
  const [one, other] = [world.sharing(kinds), world.sharing(kinds)].map(({ shared }) =>
    betterAuthStorage({ values: shared.auth, limits: shared.authLimits }),
  ) as [SecondaryStorage, SecondaryStorage]
  await one.set('a', 'kept')
  await one.set('b', 'short', 10)
  await one.set('c', 'over', 10)
  await one.set('c', 'over', 0)
  expect(await Promise.all([other.get('a'), other.get('b'), other.get('c'), other.get('d')])).toEqual([
    'kept',
    'short',
    null,
    null,
  ])
  expect(await one.increment('n', 10)).toBe(1)
  await world.time.advance(9_999)
  expect([await other.get('b'), await other.increment('n', 10)]).toEqual(['short', 2])
  await world.time.advance(1)
  expect([await other.get('b'), await other.increment('n', 10), await one.get('a')]).toEqual([null, 1, 'kept'])
  const taking = [one, other, one].map((storage) => storage.getAndDelete('a'))
  expect((await world.time.run(Promise.all(taking))).filter((taken) => taken !== null)).toEqual(['kept'])
  await one.set('a', 'again')
  await other.delete('a')
  expect(await one.get('a')).toBeNull()
})
