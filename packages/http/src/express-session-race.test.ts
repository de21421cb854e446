import { Agent, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { memcachedStore } from '@fieldwise/memcached'
import { createSessions } from 'fieldwise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Memcached } from '../../../test/support/memcached.js'
import { report, scaled } from '../../../test/support/scale.js'
import { Store } from './express-session.js'
import { type AppSession, expressSession, middleware } from './testing/express-session.js'
import { startApp } from './testing/express-session-app.js'

const connections = 32
/** Each of these connections counts in a property of its own; all others count in the one that they share. */
const parts = 8
const requests = scaled(1_600)

const schema = z.object({ cookie: z.json(), visits: z.int() }).catchall(z.json())

let memcached: Memcached
let sessions: ReturnType<typeof openSessions>

beforeAll(async () => {
  memcached = await Memcached.start()
  sessions = openSessions()
})

afterAll(async () => {
  await sessions.close()
  await memcached[Symbol.asyncDispose]()
})

function openSessions() {
  return createSessions({ schema, store: memcachedStore(memcached.address, { timeout: '5s' }), retry: { deadline: '10s' } })
}

describe(`one visitor on ${connections} connections, a count that all share and ${parts} of their own beside it`, () => {
  test("express-session's MemoryStore loses most of it", async () => {
    const { shared, own } = await race('MemoryStore', new expressSession.MemoryStore())
    expect(shared.kept).toBeLessThan(shared.sent)
    expect(own.kept).toBeLessThan(own.sent)
  })

  test('without merge functions no write to another property is lost', async () => {
    const { own } = await race('Fieldwise', new Store(sessions))
    expect(own.kept).toBe(own.sent)
  })

  test('with a merge function nothing is lost', async () => {
    const merge = { visits: (base = 0, mine: number, stored = 0) => stored + mine - base }
    const { shared, own } = await race('Fieldwise with merge', new Store(sessions, { merge }))
    expect(shared.kept).toBe(shared.sent)
    expect(own.kept).toBe(own.sent)
  })
})

async function race(name: string, store: object) {
  const app = await startApp([middleware(store)], (req) => {
    const session = req.session as unknown as AppSession
    const property = req.url.slice(1)
    if (property !== '') session[property] = Number(session[property] ?? 0) + 1
    return JSON.stringify(session)
  })
  const visitor = app.visitor()
  await visitor.get('/visits')
  const cookie = `connect.sid=${visitor.cookies.get('connect.sid')}`
  const sent = await sendAll(app.port, cookie)
  const kept = JSON.parse((await visitor.get('/')).body)
  await app.close()
  const counted = (of: (property: string) => boolean, counts: Record<string, number>) =>
    Object.keys(sent)
      .filter(of)
      .reduce((sum, property) => sum + Number(counts[property] ?? 0), 0)
  const isShared = (property: string) => property === 'visits'
  const isOwn = (property: string) => !isShared(property)
  const shared = { sent: counted(isShared, sent), kept: counted(isShared, kept) - 1 }
  const own = { sent: counted(isOwn, sent), kept: counted(isOwn, kept) }
  report(`${name.padEnd(20)} shared: sent ${shared.sent}, kept ${shared.kept}; own: sent ${own.sent}, kept ${own.kept}`)
  return { shared, own }
}

/** Resolves with how often each property was counted up. */
async function sendAll(port: number, cookie: string): Promise<Record<string, number>> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const sent: Record<string, number> = {}
  const work = Array.from({ length: connections }, async (_, connection) => {
    const property = connection < parts ? `part${connection}` : 'visits'
    for (let left = requests / connections; left > 0; left--) {
      await get(port, `/${property}`, cookie, agent)
      sent[property] = (sent[property] ?? 0) + 1
    }
  })
  await Promise.all(work)
  agent.destroy()
  return sent
}

function get(port: number, path: string, cookie: string, agent: Agent): Promise<void> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, agent, headers: { cookie } })
    sent.on('error', reject).on('response', async (response) => {
      const body = await text(response)
      if (response.statusCode === 200) resolve()
      else reject(new Error(`${response.statusCode} ${body}`))
    })
    sent.end()
  })
}
