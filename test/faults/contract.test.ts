import { memcachedStore } from '@fieldwise/memcached'
import type { ContractHarness, Store } from 'fieldwise/store-contract'
import { describe } from 'vitest'
import { testContract } from '../support/contract.js'
import { FaultProxy, type Link } from '../support/fault-proxy.js'
import { host } from '../support/host.js'
import { Memcached } from '../support/memcached.js'
import { Chance } from '../support/scale.js'
import type { Protocol } from '../support/scripted-server.js'
import { protocols } from './stage.js'

const chance = new Chance('the contract through a faulty network')

describe.concurrent.each(protocols)(
  'the store contract over the %s protocol, through a network that slices and delays',
  (protocol) => {
    const { traits } = memcachedStore('127.0.0.1', { protocol })
    testContract({ traits, skipsTime: false, breaks: true, make: () => harnessOf(protocol) })
  },
)

async function harnessOf(protocol: Protocol): Promise<ContractHarness> {
  const server = await Memcached.start()
  const proxy = await FaultProxy.start({ target: server.address, plan: sliceAndDelay })
  const stores: Store[] = []
  const make = (): Store => {
    // Byte by byte, and several cases at once: a busy machine needs more than a second for an answer.
    const store = memcachedStore({ main: proxy.address }, { protocol, timeout: '4s', connectTimeout: '4s' })
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
      { title: 'connections are reset', begin: async () => proxy.cutOff('reset'), end: async () => proxy.heal() },
      { title: 'a black hole', begin: async () => proxy.cutOff('black-hole'), end: async () => proxy.heal() },
      { title: 'connections are cut at some byte', begin: async () => cutAtSomeByte(proxy), end: async () => proxy.heal() },
      { title: 'the server is stopped', begin: () => server.stop(), end: () => server.start() },
    ],
    end: async () => {
      await Promise.all(stores.map((store) => store.close()))
      await proxy[Symbol.asyncDispose]()
      await server[Symbol.asyncDispose]()
    },
  }
}

/** The greeting and what follows it come byte by byte, later bytes in pieces, some of them late. */
function sliceAndDelay(link: Link): void {
  for (const pipe of [link.requests, link.replies]) {
    pipe.singly = 1_000 + chance.below(2_000)
    pipe.delay = () => (chance.next() < 0.05 ? 1 + chance.next() * 3 : 0)
  }
}

/** What is under way breaks off within the first request, or the first answer; whoever comes then is reset. */
function cutAtSomeByte(proxy: FaultProxy): void {
  const links = proxy.living
  for (const link of links) link.trap(chance.pick(['requests', 'replies']), chance.below(20), chance.pick(['cut', 'reset']))
  proxy.refuseOthers()
}
