import type { ContractHarness, Store } from 'fieldwise/store-contract'
import { describe } from 'vitest'
import { testContract } from '../../../../test/support/contract.js'
import { host } from '../../../../test/support/host.js'
import { Memcached, textCommand } from '../../../../test/support/memcached.js'
import { memcachedStore } from '../index.js'
import type { MemcachedOptions } from './fleet/options.js'

const keepsAll = ['-m', '8', '-M']
const subjects: readonly { readonly options: MemcachedOptions; readonly flags: readonly string[] }[] = [
  { options: { protocol: 'auto' }, flags: [] },
  { options: { protocol: 'meta' }, flags: [] },
  { options: { protocol: 'binary' }, flags: keepsAll },
  { options: { protocol: 'meta' }, flags: keepsAll },
]

describe.concurrent.each(subjects)(
  'the store contract over $options.protocol on a real memcached $flags',
  ({ options, flags }) => {
    const { traits } = memcachedStore('127.0.0.1', patient(options))
    const exhausts = flags === keepsAll
    testContract({ traits, skipsTime: false, breaks: true, exhausts, make: () => harnessOf(options, flags) })
  },
)

/** Four suites at once leave little time for each on a small machine. */
function patient(options: MemcachedOptions): MemcachedOptions {
  return { ...options, timeout: '1500ms' }
}

async function harnessOf(options: MemcachedOptions, flags: readonly string[]): Promise<ContractHarness> {
  const server = await Memcached.start({ flags })
  const stores: Store[] = []
  const make = (): Store => {
    const store = memcachedStore(server.address, patient(options))
    store.start?.(host)
    stores.push(store)
    return store
  }
  return {
    store: make(),
    another: async () => make(),
    elapse: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
    running: host.running,
    clock: Date,
    outages: [
      { title: 'the server is stopped', begin: () => server.stop(), end: () => server.start() },
      { title: 'the server is frozen', begin: () => server.freeze(), end: async () => server.thaw() },
    ],
    exhaust: () => fill(server),
    end: async () => {
      await Promise.all(stores.map((store) => store.close()))
      await server[Symbol.asyncDispose]()
    },
  }
}

async function fill(server: Memcached): Promise<void> {
  const value = 'x'.repeat(300_000)
  for (let stored = 0; ; stored++) {
    const answer = await textCommand(server, `set filler${stored} 0 0 ${value.length}\r\n${value}`)
    if (!answer.startsWith('STORED')) return
  }
}
