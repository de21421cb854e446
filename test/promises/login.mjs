// A web server that logs one user in, for users.test.ts. Its first message says how; it answers with the tokens, or the codes of errors.
import { memcachedStore } from '@fieldwise/memcached'
import { createSessions, isFieldwiseError } from 'fieldwise'
import { z } from 'zod'

/**
 * @typedef {object} Task
 * @property {readonly string[]} servers
 * @property {'binary' | 'meta'} protocol
 * @property {string} user
 * @property {number} logins all under way at once
 * @property {import('fieldwise').UsersOptions} users
 *
 * @typedef {object} Told
 * @property {string[]} tokens
 * @property {Record<string, number>} failures by their codes
 */

process.once('message', async (message) => {
  const { servers, protocol, user, logins, users } = /** @type {Task} */ (message)
  // Not a test of time: a busy machine may take long to answer.
  const store = memcachedStore(servers, { protocol, timeout: '20s' })
  const sessions = createSessions({ schema: z.object({}), store, users, retry: { deadline: '30s' } })
  /** @type {Told} */
  const told = { tokens: [], failures: {} }
  const logIn = async () => {
    try {
      told.tokens.push((await sessions.create({}, { user })).token)
    } catch (error) {
      if (!isFieldwiseError(error)) throw error
      told.failures[error.code] = (told.failures[error.code] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: logins }, logIn))
  await sessions.close()
  process.send?.(told, () => process.disconnect())
})
