// A web server that counts, or asks for a cached value, for sharing.test.ts. Its first message says what; it answers with what came of it.
import { memcachedStore } from '@fieldwise/memcached'
import { isFieldwiseError } from 'fieldwise'
import { cached, counter, createShared } from 'fieldwise/shared'
import { z } from 'zod'

/**
 * @typedef {object} Task
 * @property {string} address
 * @property {'binary' | 'meta'} protocol
 * @property {'count' | 'load'} what
 * @property {number} calls
 * @property {number} abreast how many of them are under way at once
 * @property {`${number}ms`} timeout
 *
 * @typedef {object} Told
 * @property {number[]} results of the calls that were acknowledged
 * @property {Record<string, number>} failures by their codes
 * @property {string[]} loaded which keys were loaded here
 */

process.once('message', async (message) => {
  const { address, protocol, what, calls, abreast, timeout } = /** @type {Task} */ (message)
  const shared = createShared({
    store: memcachedStore({ main: address }, { protocol, timeout, connectTimeout: '5s', retryInterval: '50ms' }),
    // Nobody stops after a few attempts: what is tested is that no increment is lost, not that eight processes are quick.
    retry: { attempts: 1_000, deadline: '30s' },
    kinds: { visits: counter({ window: '1h' }), price: cached(z.int(), { expires: '1h', lease: '1m' }) },
  })
  /** @type {Told} */
  const told = { results: [], failures: {}, loaded: [] }
  /** @param {number} call */
  const makeOne = async (call) => {
    if (what === 'count') return (await shared.visits.increment('site')).count
    const key = `key ${Math.floor(call / abreast)}`
    return shared.price.get(key, async () => {
      told.loaded.push(key)
      await new Promise((resolve) => setTimeout(resolve, 20))
      return told.loaded.length
    })
  }
  let begun = 0
  const caller = async () => {
    for (let call = begun++; call < calls; call = begun++) {
      // A call of which nothing was stored is made again.
      while (!(await hasEnded(call)));
    }
  }
  /** @param {number} call */
  const hasEnded = async (call) => {
    try {
      told.results.push(await makeOne(call))
      return true
    } catch (error) {
      if (!isFieldwiseError(error)) throw error
      told.failures[error.code] = (told.failures[error.code] ?? 0) + 1
      return error.code === 'OUTCOME_UNKNOWN'
    }
  }
  await Promise.all(Array.from({ length: abreast }, caller))
  await shared.close()
  process.send?.(told, () => process.disconnect())
})
