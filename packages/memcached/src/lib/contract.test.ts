import type { ContractHarness, Store } from 'fieldwise/store-contract'
import { describe } from 'vitest'
import { testContract } from '../../../../test/support/contract.js'
import { Memcached } from '../../../../test/support/memcached.js'
import { memcachedStore } from '../index.js'
import type { MemcachedOptions } from './options.js'

const protocols: readonly MemcachedOptions[] = [{ protocol: 'binary' }, { protocol: 'meta' }]

describe.concurrent.each(protocols)('the store contract over the $protocol protocol on a real memcached', (options) => {
  const { traits } = memcachedStore('127.0.0.1', options)
  testContract({ traits, skipsTime: false, breaks: true, make: () => harnessOf(options) })
})

async function harnessOf(options: MemcachedOptions): Promise<ContractHarness> {
  const server = await Memcached.start()
  const stores: Store[] = []
  const make = (): Store => {
    const store = memcachedStore(server.address, options)
    store.start?.({ monotonic, clock: Date })
    stores.push(store)
    return store
  }
  return {
    store: make(),
    another: async () => make(),
    elapse: (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds)),
    monotonic,
    clock: Date,
    outages: [
      { title: 'the server is stopped', begin: () => server.stop(), end: () => server.start() },
      { title: 'the server is frozen', begin: () => server.freeze(), end: async () => server.thaw() },
    ],
    end: async () => {
      await Promise.all(stores.map((store) => store.close()))
      await server[Symbol.asyncDispose]()
    },
  }
}

function monotonic(): number {
  return performance.now()
}
