// A web server that dies in the middle of a login or an end, for user-kills.test.ts. Its first message says where; if it survives, it says so.
import { memcachedStore } from '@fieldwise/memcached'
import { createSessions } from 'fieldwise'
import { z } from 'zod'

/**
 * @typedef {object} Task
 * @property {Record<string, string>} servers
 * @property {'binary' | 'meta'} protocol
 * @property {string} user
 * @property {'create' | 'regenerate' | 'end' | 'end the others'} act
 * @property {string} token of the session that is regenerated or spared
 * @property {number} flight the one at which it dies, from 1 on
 * @property {'before' | 'after'} when it leaves, or its answer has come
 */

process.once('message', async (message) => {
  const { servers, protocol, user, act, token, flight, when } = /** @type {Task} */ (message)
  const store = dyingAt(memcachedStore(servers, { protocol, timeout: '20s' }), flight, when)
  const sessions = createSessions({
    schema: z.object({}).catchall(z.json()),
    store,
    users: { max: 2 },
    retry: { deadline: '30s' },
  })
  if (act === 'create') await sessions.create({}, { user })
  if (act === 'regenerate') await sessions.resume(token).regenerate({ user })
  if (act === 'end') await sessions.user(user).end()
  if (act === 'end the others') await sessions.user(user).end({ except: sessions.resume(token) })
  await sessions.close()
  process.send?.('survived', () => process.disconnect())
})

/**
 * @param {import('fieldwise').Store} store
 * @param {number} fatal
 * @param {Task['when']} when
 * @returns {import('fieldwise').Store}
 */
function dyingAt(store, fatal, when) {
  let flights = 0
  const flight = /** @type {typeof store.flight} */ (
    async (...args) => {
      const isFatal = ++flights === fatal
      if (isFatal && when === 'before') process.kill(process.pid, 'SIGKILL')
      const answered = await store.flight(...args)
      if (isFatal) process.kill(process.pid, 'SIGKILL')
      return answered
    }
  )
  return new Proxy(store, {
    get(target, name) {
      if (name === 'flight') return flight
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
