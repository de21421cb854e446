// A web server that counts in one field of one session, for parallel-updates.test.ts. Its first message says how; it answers with the results.
import { memcachedStore } from '@fieldwise/memcached'
import { createSessions, isFieldwiseError } from 'fieldwise'
import { z } from 'zod'

/**
 * @typedef {object} Task
 * @property {string} address
 * @property {'binary' | 'meta'} protocol
 * @property {string} token
 * @property {number} updates
 * @property {number} abreast how many requests are under way at once, each with a session of its own
 * @property {{ attempts?: number, deadline?: import('fieldwise').Duration }} retry
 *
 * @typedef {object} Told
 * @property {number[]} results of the updates that were acknowledged
 * @property {Record<string, number>} failures by their codes
 */

process.once('message', async (message) => {
  const { address, protocol, token, updates, abreast, retry } = /** @type {Task} */ (message)
  const schema = z.object({ visits: z.int().default(0) })
  // Not a test of time: a busy machine may take long to answer.
  const sessions = createSessions({ schema, store: memcachedStore(address, { protocol, timeout: '20s' }), retry })
  /** @type {Told} */
  const told = { results: [], failures: {} }
  let begun = 0
  const visitor = async () => {
    while (begun++ < updates) {
      try {
        told.results.push(await sessions.resume(token).update('visits', (visits) => visits + 1))
      } catch (error) {
        if (!isFieldwiseError(error)) throw error
        told.failures[error.code] = (told.failures[error.code] ?? 0) + 1
      }
    }
  }
  await Promise.all(Array.from({ length: abreast }, visitor))
  await sessions.close()
  process.send?.(told, () => process.disconnect())
})
