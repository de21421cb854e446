import { once } from 'node:events'
import { createServer, type IncomingMessage, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { createSessions, type Session, type Sessions } from 'fieldwise'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { FaultProxy } from './support/fault-proxy.js'
import { freePorts } from './support/free-port.js'
import { GuideProgram } from './support/guide-program.js'
import { Memcached } from './support/memcached.js'

describe('the program of the guide to deploying', () => {
  test('counts every visit, whichever worker of the cluster answers, and ends when it is told to', async () => {
    await using memcached = await Memcached.start()
    await using program = new GuideProgram('packages/fieldwise/guides/deploying.md')
    const [port] = await freePorts(1)
    const url = `http://127.0.0.1:${port}`
    const primary = program.run('main.js', { MEMCACHE_SERVERS: patiently(memcached.address), PORT: String(port) })
    while ((await statusOf(`${url}/readyz`)) !== 200) await wait(50)

    const first = await fetch(url, { headers: { connection: 'close' } })
    const cookie = first.headers.getSetCookie()[0]?.split(';')[0] as string
    const visit = () => fetch(url, { headers: { cookie, connection: 'close' } })
    const answers = await Promise.all(Array.from({ length: 20 }, visit))
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200))
    expect(await (await visit()).text()).toBe('Visit 22')

    primary.kill('SIGTERM')
    expect(await once(primary, 'exit')).toEqual([0, null])
  })

  test('answers the request that is under way when it is told to end', async () => {
    await using memcached = await Memcached.start()
    let isHeld = false
    await using network = await FaultProxy.start({
      target: memcached.address,
      protocol: 'binary',
      judge: ({ key }) => {
        isHeld ||= key.endsWith(':visits')
        return isHeld ? 'hold' : 'pass'
      },
    })
    await using program = new GuideProgram('packages/fieldwise/guides/deploying.md')
    const [port] = await freePorts(1)
    const url = `http://127.0.0.1:${port}`
    const server = program.run('server.js', { MEMCACHE_SERVERS: patiently(network.address), PORT: String(port) })
    while ((await statusOf(`${url}/readyz`)) !== 200) await wait(50)

    const visit = fetch(url)
    while (!isHeld) await wait(10)
    server.kill('SIGTERM')
    while ((await statusOf(`${url}/readyz`)) !== undefined) await wait(50)
    network.release()
    expect(await (await visit).text()).toBe('Visit 1')
    expect(await once(server, 'exit')).toEqual([0, null])
  })
})

describe('the program of the guide to CSRF', () => {
  test('takes a change from a page of its own, and from no other', async () => {
    await using program = new GuideProgram('packages/http/guides/csrf.md')
    const [port] = await freePorts(1)
    program.run('app.js', { PORT: String(port) })
    const url = `http://127.0.0.1:${port}/cart/tea`
    const post = async (headers: Record<string, string>) => (await fetch(url, { method: 'POST', headers })).status
    while ((await statusOf(url)) === undefined) await wait(50)

    expect(await post({ origin: 'https://www.example.com' })).toBe(200)
    expect(await post({ origin: 'https://blog.example.com' })).toBe(403)
    expect(await post({ origin: 'null' })).toBe(403)
    expect(await post({})).toBe(403)
  })
})

test('the token of the guide to CSRF is one for all parallel requests of a session, and that of no other', async () => {
  await using program = new GuideProgram('packages/http/guides/csrf.md')
  const { csrfToken, isCsrfToken } = await program.import<{
    csrfToken(session: Session<{ csrf: string }>): Promise<string>
    isCsrfToken(session: Session<{ csrf: string }>, sent: string): Promise<boolean>
  }>('csrf.js')
  await using sessions = createSessions({ schema: z.object({ csrf: z.string() }) })
  const [session, other] = [await sessions.create(), await sessions.create()]

  expect(await isCsrfToken(session, '')).toBe(false)
  const tokens = await Promise.all([csrfToken(session), csrfToken(session), csrfToken(session)])
  expect(new Set(tokens).size).toBe(1)
  expect(await isCsrfToken(session, tokens[0] as string)).toBe(true)
  expect(await isCsrfToken(session, await csrfToken(other))).toBe(false)
  await session.delete('csrf')
  expect(await isCsrfToken(session, tokens[0] as string)).toBe(false)
})

describe('the program of the guide to WebSockets', () => {
  interface Sockets {
    admit(request: IncomingMessage): Promise<string | undefined>
    answer(token: string, item: string): Promise<string[] | undefined>
  }
  type Fields = { username: string; cart: string[] }

  test('admits who is logged in and comes from a page of its own', async () => {
    await using program = new GuideProgram('packages/http/guides/websockets.md')
    const { admit } = await program.import<Sockets>('sockets.js')
    const { sessions } = await program.import<{ sessions: Sessions<Fields> }>('sessions.js')
    const { token: ada } = await sessions.create({ username: 'ada' })
    const { token: nobody } = await sessions.create()
    const request = (token?: string, origin = 'https://www.example.com') =>
      ({ headers: { origin, cookie: token && `session=${token}` } }) as IncomingMessage

    expect(await admit(request(ada))).toBe(ada)
    expect(await admit(request(ada, 'https://evil.example'))).toBeUndefined()
    expect(await admit(request(nobody))).toBeUndefined()
    expect(await admit(request())).toBeUndefined()
    await sessions.close()
  })

  test('answers until the session ends or has a newer secret, and never begins one', async () => {
    await using program = new GuideProgram('packages/http/guides/websockets.md')
    const { answer } = await program.import<Sockets>('sockets.js')
    const { sessions } = await program.import<{ sessions: Sessions<Fields> }>('sessions.js')
    const session = await sessions.create({ username: 'ada' })
    const before = session.token as string

    expect(await answer(before, 'tea')).toEqual(['tea'])
    await session.regenerate()
    expect(await answer(before, 'milk')).toBeUndefined()
    const after = session.token as string
    expect(await answer(after, 'milk')).toEqual(['tea', 'milk'])
    await session.destroy()
    expect(await answer(after, 'honey')).toBeUndefined()
    await sessions.close()
  })
})

describe('the program of the guide to what servers share', () => {
  interface Elsewhere {
    readonly mails: string[]
    readonly loads: string[]
    readonly passwords: ReadonlyMap<string, string>
  }

  /** Two web servers, with one database and one mailer. */
  async function start(memcached: Memcached) {
    process.env.MEMCACHE_SERVERS = patiently(memcached.address)
    const program = new GuideProgram('packages/fieldwise/guides/shared.md')
    const { app } = await program.import<{ app: RequestListener }>('app.js')
    const { shared } = await program.import<{ shared: AsyncDisposable }>('shared.js')
    const elsewhere = await program.import<Elsewhere>('elsewhere.js')
    const server = createServer(app).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
    const end = async () => {
      server.closeAllConnections()
      server.close()
      await shared[Symbol.asyncDispose]()
      await program[Symbol.asyncDispose]()
    }
    return { url, elsewhere, [Symbol.asyncDispose]: end }
  }

  test('logs in by a link once, not when a mail program looks at it, and limits how often links are asked for', async () => {
    await using memcached = await Memcached.start()
    await using guide = await start(memcached)
    const asked = await fetch(`${guide.url}/login?email=ada@example.org`, { method: 'POST' })
    expect(asked.headers.get('ratelimit-policy')).toBe('"logins";q=5;w=60')
    const link = guide.url + new URL(guide.elsewhere.mails[0] as string).pathname
    expect(await (await fetch(link)).text()).toContain('<form method="post">')
    const used = await Promise.all([1, 2].map(async () => (await fetch(link, { method: 'POST' })).status))
    expect(used.sort()).toEqual([200, 410])
    const last = await fetch(`${guide.url}/login?email=ada@example.org`, { method: 'POST' })
    expect([last.status, last.headers.get('ratelimit')]).toEqual([200, expect.stringMatching(/^"logins";r=0;t=\d+$/)])
    const refused = await fetch(`${guide.url}/login?email=ada@example.org`, { method: 'POST' })
    expect([refused.status, Number(refused.headers.get('retry-after'))]).toEqual([429, expect.any(Number)])
  })

  test('sets a new password by a link once, and logs out whoever was logged in as that user', async () => {
    await using memcached = await Memcached.start()
    await using guide = await start(memcached)
    const post = (path: string, body?: URLSearchParams) => fetch(`${guide.url}${path}`, { method: 'POST', body: body ?? null })
    const pathIn = (mail: string | undefined) => new URL(mail as string).pathname
    await post('/login?email=ada@example.org')
    const cookie = (await post(pathIn(guide.elsewhere.mails[0]))).headers.getSetCookie()[0]?.split(';')[0] as string
    const here = async () => (await fetch(`${guide.url}/here`, { headers: { cookie } })).headers.getSetCookie()
    expect(await here()).toEqual([])

    await post('/forgotten?email=nobody@example.org')
    await post('/forgotten?email=ada@example.org')
    expect(guide.elsewhere.mails).toHaveLength(2)
    const link = pathIn(guide.elsewhere.mails[1])
    const reset = () => post(link, new URLSearchParams({ password: 'analytical' }))
    expect(await (await reset()).text()).toBe('Log in with your new password')
    expect((await reset()).status).toBe(410)
    expect(guide.elsewhere.passwords.get('ada@example.org')).toBe('analytical')
    expect(await here()).toEqual([expect.stringContaining('session=')])
  })

  test('counts everybody who is here once', async () => {
    await using memcached = await Memcached.start()
    await using guide = await start(memcached)
    const here = async (cookie = '') => fetch(`${guide.url}/here`, { headers: { cookie } })
    const first = await here()
    expect(await first.text()).toBe('1 here now')
    expect(await (await here()).text()).toBe('2 here now')
    const cookie = first.headers.getSetCookie()[0]?.split(';')[0] as string
    expect(await (await here(cookie)).text()).toBe('2 here now')
  })

  test('loads a price once, and again when it was changed, and says how often', async () => {
    await using memcached = await Memcached.start()
    await using guide = await start(memcached)
    const price = async () => (await fetch(`${guide.url}/price/tea`)).text()
    expect(await Promise.all([price(), price(), price()])).toEqual(Array(3).fill('not for sale'))
    await fetch(`${guide.url}/price/tea?price=4`, { method: 'PUT' })
    expect([await price(), await price()]).toEqual(['costs 4', 'costs 4'])
    expect(guide.elsewhere.loads).toEqual(['tea', 'tea'])
    const metrics = await (await fetch(`${guide.url}/metrics`)).json()
    expect(metrics).toMatchObject({ loads: 2, failedLoads: 0 })
    expect(metrics.fresh + metrics.loaded).toBe(5)
  })
})

/** However busy the machine is, a slow answer is none that is missing. */
function patiently(address: string): string {
  return `tcp://${address}?timeout=30`
}

async function statusOf(url: string): Promise<number | undefined> {
  return fetch(url).then(
    ({ status }) => status,
    () => undefined,
  )
}
