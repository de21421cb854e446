import { createSessions, memoryStore } from 'fieldwise'
import { measure } from '../lib/meter.js'
import { serve } from '../lib/remote.js'
import { patientRetry, patientStore, type StoreProtocol } from '../lib/store.js'
import { profile, schema, visited } from '../lib/values.js'

export type HeapStore = 'memory' | StoreProtocol

/** Bytes in use before and after something was done. */
export interface Heaps {
  readonly before: number
  readonly after: number
}

const api = {
  /** Opens `count` sessions, reads a field of each, and holds on to them. */
  async open({ storeName, address, count }: { storeName: HeapStore; address: string; count: number }): Promise<Heaps> {
    const sessions = open(storeName, address)
    const tokens: string[] = []
    while (tokens.length < count) tokens.push((await sessions.create({ profile })).token as string)
    for (const token of tokens) await sessions.resume(token).get('profile')
    const before = used()
    const held = tokens.map((token) => sessions.resume(token))
    for (const session of held) await session.get('profile')
    const after = used()
    await held[0]?.get('profile')
    return { before, after }
  },
  /** Gets and updates under load, after enough of them that everything has its size. */
  async work({ storeName, address, count }: { storeName: HeapStore; address: string; count: number }): Promise<Heaps> {
    const sessions = open(storeName, address)
    const all = await Promise.all(Array.from({ length: 256 }, () => sessions.create({ profile })))
    let done = 0
    const operate = (slot: number, turn: number) => {
      done++
      const session = all[(slot * 4 + turn) % all.length]
      return turn % 4 === 0 ? session?.update('profile', (value) => visited(value ?? profile)) : session?.get('profile')
    }
    const run = async (until: number) => {
      while (done < until) await measure(64, 100, async (slot, turn) => operate(slot, turn))
    }
    await run(count / 5)
    const before = used()
    await run(done + count)
    return { before, after: used() }
  },
}

export type HeapApi = typeof api

serve(api)

function open(storeName: HeapStore, address: string) {
  const store = storeName === 'memory' ? memoryStore() : patientStore(address, storeName)
  return createSessions({ schema, store, retry: patientRetry })
}

/** What is still in use when everything is collected that can be. */
function used(): number {
  for (let round = 0; round < 3; round++) globalThis.gc?.()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}
