import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as after } from 'node:timers/promises'
import { sessionOf } from '@fieldwise/http'
import { expressSession } from '@fieldwise/http/express'
import { memcachedStore } from '@fieldwise/memcached'
import express, { type ErrorRequestHandler } from 'express'
import { createSessions, isFieldwiseError } from 'fieldwise'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { Memcached } from '../../../test/support/memcached.js'
import { count, measured } from '../../../test/support/promise.js'
import { Chance, scaled } from '../../../test/support/scale.js'
import { Visitor } from '../../../test/support/visitor.js'

/** How long a login takes to compute the hash of a password, in milliseconds. */
const hashing = 50

test.for(['binary', 'meta'] as const)(
  'whoever plants a token and rotates at any moment of the login owns no login: two web servers, memcached (%s)',
  async (protocol, context) => {
    const chance = new Chance(`takeovers, ${protocol}`)
    const logins = scaled(100)
    await using memcached = await Memcached.start()
    await using one = await webServer(memcached.address, protocol)
    await using two = await webServer(memcached.address, protocol)
    const ports = [one.port, two.port]
    const told = { 'logged in': 0, refused: 0, takeovers: 0 }
    const attacked = async (order: Order) => {
      const attacker = new Visitor(chance.pick(ports))
      await attacker.get('/begin')
      const victim = attacker.clone()
      const twin = attacker.clone()
      const [login] = await order(
        () => victim.send('/login', { method: 'POST' }),
        () => attacker.send('/rotate', { method: 'POST' }),
      )
      const seen = await Promise.all([attacker, twin].map((each) => each.get('/')))
      if (seen.some((page) => page !== 'nobody')) told.takeovers++
      if (login.status === 200) expect(await victim.get('/')).toBe('victim')
      else expect([login.status, await login.text()]).toEqual([409, 'superseded'])
      told[login.status === 200 ? 'logged in' : 'refused']++
    }
    const atAnyMoment: Order = (login, rotate) => {
      const moment = chance.next() * hashing * 2
      return Promise.all([login(), after(moment).then(rotate)])
    }
    // Both come first at least once, or the attack is none.
    const orders = [loginFirst, rotationFirst, ...Array.from({ length: logins - 2 }, () => atAnyMoment)]
    for (let first = 0; first < logins; first += abreast) {
      await Promise.all(orders.slice(first, first + abreast).map(attacked))
    }
    measured(context, `${count(logins)} logins, ${told.refused} of them refused`, `${told.takeovers} takeovers`)
    expect(told.takeovers).toBe(0)
    expect(Math.min(told['logged in'], told.refused)).toBeGreaterThan(0)
    expect(told['logged in'] + told.refused).toBe(logins)
  },
)

/** Sends the login of the victim and the rotation of the attacker, and gives the answers in this order. */
type Order = (login: () => Promise<Response>, rotate: () => Promise<Response>) => Promise<readonly [Response, Response]>

const loginFirst: Order = async (login, rotate) => [await login(), await rotate()]

const rotationFirst: Order = async (login, rotate) => {
  const rotated = await rotate()
  return [await login(), rotated]
}

/** How many visitors log in at once. */
const abreast = 20

async function webServer(address: string, protocol: 'binary' | 'meta'): Promise<AsyncDisposable & { readonly port: number }> {
  const store = memcachedStore(address, { protocol, timeout: '20s' })
  const sessions = createSessions({ schema: z.object({ username: z.string(), seen: z.int().default(0) }), store })
  const app = express()
  app.use(expressSession(sessions))
  app.get('/begin', async (req, res) => {
    await sessionOf(req, sessions).set('seen', 1)
    res.send('begun')
  })
  app.get('/', async (req, res) => {
    res.send((await sessionOf(req, sessions).get('username')) ?? 'nobody')
  })
  app.post('/rotate', async (req, res) => {
    await sessionOf(req, sessions).regenerate()
    res.send('rotated')
  })
  app.post('/login', async (req, res) => {
    const session = sessionOf(req, sessions)
    await session.get('seen')
    await after(hashing)
    await session.regenerate()
    await session.set('username', 'victim')
    res.send('welcome')
  })
  const refuse: ErrorRequestHandler = (error, _req, res, next) => {
    if (isFieldwiseError(error, 'SESSION_GONE')) res.status(409).send(error.reason)
    else next(error)
  }
  app.use(refuse)
  const server = createServer(app)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((closed) => server.close(closed))
      await sessions.close()
    },
  }
}
