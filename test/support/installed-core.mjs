// Runs where the packages are installed: the packed core does what its source does.
import { createSessions, memoryStore } from 'fieldwise'
import { contractCases, runContractCase } from 'fieldwise/store-contract'
import { z } from 'zod'

const subject = { traits: memoryStore().traits, skipsTime: true, breaks: false, make }
const cases = contractCases.filter((contractCase) => contractCase.needs?.(subject) === undefined)
for (const contractCase of cases) await runContractCase(contractCase, subject)
console.log(`${cases.length} cases kept`)

const sessions = createSessions({ schema: z.object({ visits: z.int().default(0) }) })
const session = await sessions.create()
console.log((await Promise.all([session.increment('visits'), session.increment('visits')])).sort().join())
await sessions.close()

async function make() {
  let now = Date.now()
  const start = now
  const clock = { now: () => now }
  const running = () => now - start
  const store = memoryStore()
  store.start?.({ clock, running, sleep: async () => {} })
  const elapse = async (/** @type {number} */ milliseconds) => {
    now += milliseconds
  }
  return { store, another: async () => store, elapse, running, clock, end: () => store.close() }
}
