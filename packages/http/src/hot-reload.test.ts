import { readFileSync } from 'node:fs'
import ts from 'typescript'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import * as z from 'zod'
import { Memcached, textCommand } from '../../../test/support/memcached.js'

const guide = readFileSync(new URL('../guides/fetch.md', import.meta.url), 'utf8')
const [, shown = ''] = /^```ts\n(\/\/ sessions\.ts\n.*?)^```/ms.exec(guide) ?? []

let server: Memcached

beforeEach(async () => {
  server = await Memcached.start()
})

afterEach(async () => {
  Reflect.deleteProperty(globalThis, 'shopSessions')
  await server[Symbol.asyncDispose]()
})

test('the module of the guide, evaluated 30 times, makes sessions once and keeps one connection', async () => {
  const modules = await newCopies()
  const before = await connections()
  const all = Array.from({ length: 30 }, () => evaluate(modules))
  expect(new Set(all).size).toBe(1)
  await Promise.all(all.map((sessions) => sessions.create()))
  expect((await connections()) - before).toBe(1)
  await all[0]?.close()
})

test('a page and a route, each with copies of our packages of its own, share a session', async () => {
  const page = await newCopies()
  const route = await newCopies()
  expect(page.fieldwise.createSessions).not.toBe(route.fieldwise.createSessions)
  const [pageSessions, routeSessions] = [evaluate(page), evaluate(route)]
  const login = page.http.withSession(pageSessions, async (_, session) => {
    await session.regenerate()
    await session.set('username', 'ada')
    return new Response()
  })
  const whoami = route.http.withSession(routeSessions, async (_, session) => new Response(await session.get('username')))
  const [cookie = ''] = (await login(new Request('https://shop.example/login'))).headers.getSetCookie()
  const answer = await whoami(new Request('https://shop.example/', { headers: { cookie: cookie.split(';')[0] as string } }))
  expect(await answer.text()).toBe('ada')
  await pageSessions.close()
})

/** Our packages, as a bundler copies them into each of its bundles. */
async function newCopies() {
  vi.resetModules()
  return {
    fieldwise: await import('fieldwise'),
    memcached: await import('@fieldwise/memcached'),
    http: await import('@fieldwise/http/fetch'),
  }
}

type Copies = Awaited<ReturnType<typeof newCopies>>
type ShopSessions = ReturnType<typeof shopSessions>

/** What the guide's module exports, evaluated anew. */
function evaluate({ fieldwise, memcached }: Copies): ShopSessions {
  const modules: Readonly<Record<string, object>> = { fieldwise, '@fieldwise/memcached': memcached, zod: z }
  const { outputText } = ts.transpileModule(shown.replace('127.0.0.1:11211', server.address), {
    compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
  })
  const exported: { sessions?: ShopSessions } = {}
  new Function('require', 'exports', outputText)((name: string) => modules[name], exported)
  return exported.sessions as ShopSessions
}

/** What the guide makes, for its type. */
declare function shopSessions(): ReturnType<
  typeof import('fieldwise').createSessions<z.ZodObject<{ username: z.ZodString; cart: z.ZodDefault<z.ZodArray<z.ZodString>> }>>
>

async function connections(): Promise<number> {
  const stats = await textCommand(server, 'stats', 'END\r\n')
  return Number(/curr_connections (\d+)/.exec(stats)?.[1])
}
