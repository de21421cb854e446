// A web server that updates one field of one session, for writers.test.ts. It is told what to do by its first message and reports its calls.
import { memcachedStore } from '@fieldwise/memcached'
import { createSessions, isFieldwiseError } from 'fieldwise'
import { z } from 'zod'

/**
 * @typedef {import('../support/history.ts').Call} Call
 * @typedef {import('../support/history.ts').Versioned} Versioned
 * @typedef {object} Task
 * @property {string} name of this process
 * @property {string} address
 * @property {'binary' | 'meta'} protocol
 * @property {string} token
 * @property {number} updates
 * @property {number} abreast how many calls are under way at once
 * @property {number} remembered how many tags a value carries
 */

const schema = z.object({
  chain: z.object({ version: z.int(), recent: z.array(z.string()) }).default({ version: 0, recent: [] }),
})

process.once('message', async (message) => {
  const task = /** @type {Task} */ (message)
  const { address, protocol, updates, abreast } = task
  const store = memcachedStore({ main: address }, { protocol, timeout: '300ms', retryInterval: '50ms' })
  const sessions = createSessions({ schema, store, retry: { deadline: '4s' } })
  /** @type {Call[]} */
  const calls = []
  let begun = 0
  let done = 0
  const visitors = Array.from({ length: abreast }, async () => {
    while (done < updates) if ((await update(sessions.resume(task.token), task, begun++, calls)) !== 'failed') done++
  })
  await Promise.all(visitors)
  await sessions.close()
  process.send?.(calls, () => process.disconnect())
})

/**
 * @param {import('fieldwise').Session<{ chain: Versioned }, 'chain'>} session
 * @param {Task} task
 * @param {number} index
 * @param {Call[]} calls
 * @returns {Promise<Call['outcome']>}
 */
async function update(session, { name, remembered }, index, calls) {
  const id = `${name}-${index}`
  if (index % 10 === 0) await record(`${id}-get`, 'get', calls, () => session.get('chain'))
  let run = 0
  /** @type {{ write?: number }} */
  const carrier = {}
  const call = () =>
    session.update('chain', ({ version, recent }) => {
      carrier.write = currentWrite()
      return { version: version + 1, recent: [...recent, `${id}#${++run}`].slice(-remembered) }
    })
  return record(id, 'update', calls, call, carrier)
}

let writes = 0
let isWriting = false

/** The number of the combined write for which update functions run now: they run one after another, without a pause. */
function currentWrite() {
  if (isWriting) return writes
  isWriting = true
  queueMicrotask(() => {
    isWriting = false
  })
  return ++writes
}

/**
 * @param {string} id
 * @param {Call['kind']} kind
 * @param {Call[]} calls
 * @param {() => Promise<Versioned>} call
 * @param {{ readonly write?: number }} carrier the combined write that carried it, known when it has ended
 * @returns {Promise<Call['outcome']>}
 */
async function record(id, kind, calls, call, carrier = {}) {
  const began = moment()
  try {
    const value = await call()
    calls.push({ id, kind, began, ended: moment(), outcome: 'ok', value, ...carrier })
    return 'ok'
  } catch (error) {
    if (!isFieldwiseError(error)) throw error
    if (!['OUTCOME_UNKNOWN', 'UPDATE_CONFLICT', 'STORE_UNAVAILABLE'].includes(error.code)) throw error
    const outcome = error.code === 'OUTCOME_UNKNOWN' ? 'unknown' : 'failed'
    calls.push({ id, kind, began, ended: moment(), outcome, ...carrier })
    // A server that is known to be down fails calls without any waiting.
    await new Promise((resolve) => setTimeout(resolve, 5))
    return outcome
  }
}

/** A clock that all processes of this machine share. */
function moment() {
  return Number(process.hrtime.bigint()) / 1e6
}
