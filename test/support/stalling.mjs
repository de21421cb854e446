// A web server that stands still again and again: `node stalling.mjs ADDRESS PROTOCOL STALLS`, the last as JSON. Its parent lets it go on when it
// has stopped itself. It prints what became of the calls around each stall.
import { writeSync } from 'node:fs'
import { memcachedStore } from '@fieldwise/memcached'
import { createSessions } from 'fieldwise'
import { z } from 'zod'

const [address = '', protocol = '', list = '[]'] = process.argv.slice(2)
/** @type {readonly { where: string, how: 'stopped' | 'busy', length: number }[]} */
const stalls = JSON.parse(list)
const schema = z.object({ visits: z.int().default(0) })
const open = () =>
  createSessions({ schema, store: memcachedStore(address, { protocol: protocol === 'meta' ? 'meta' : 'binary' }) })
const turn = () => new Promise((resolve) => setImmediate(resolve))
const sessions = open()
const session = await sessions.create()

for (const stall of stalls) {
  const outcomes = await Promise.allSettled([around(stall), ...(stall.where === 'among others' ? others() : [])])
  // The server is not held to be down either.
  outcomes.push(...(await Promise.allSettled([session.get('visits')])))
  const failed = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [String(outcome.reason)] : []))
  say({ ...stall, failed })
}
await sessions.close()

/** @param {{ where: string, how: 'stopped' | 'busy', length: number }} stall */
async function around(stall) {
  const stand = () => standStill(stall)
  switch (stall.where) {
    case 'connecting':
      return connecting(0, stand)
    case 'greeting':
      return connecting(2 + (stall.length % 4), stand)
    case 'between call and flush':
      return meanwhile(session.get('visits'), stand)
    case 'between flush and answer': {
      const call = session.get('visits')
      // The flight leaves with the next turn of the event loop.
      for (let hop = 0; hop < 20; hop++) await undefined
      await turn()
      return meanwhile(call, stand)
    }
    case 'between round trips': {
      let hasStood = false
      return session.update('visits', (visits) => {
        if (!hasStood) stand()
        hasStood = true
        return visits + 1
      })
    }
    default:
      await turn()
      return meanwhile(session.increment('visits'), stand)
  }
}

/**
 * @param {number} turns
 * @param {() => void} stand
 */
async function connecting(turns, stand) {
  const fresh = open()
  const call = fresh.check()
  call.catch(() => {})
  for (let left = turns; left > 0; left--) await turn()
  await meanwhile(call, stand).finally(() => fresh.close())
}

/**
 * @param {Promise<unknown>} call
 * @param {() => void} stand
 */
async function meanwhile(call, stand) {
  call.catch(() => {})
  stand()
  await call
}

function others() {
  return Array.from({ length: 24 }, async () => {
    const other = await sessions.create()
    await other.increment('visits')
    return other.get('visits')
  })
}

/** @param {{ how: 'stopped' | 'busy', length: number }} stall */
function standStill({ how, length }) {
  if (how === 'stopped') {
    say({ stopped: length })
    process.kill(process.pid, 'SIGSTOP')
    return
  }
  const end = performance.now() + length
  while (performance.now() < end);
}

/** Written at once: a stopped process passes nothing on. @param {unknown} what */
function say(what) {
  writeSync(1, `${JSON.stringify(what)}\n`)
}
