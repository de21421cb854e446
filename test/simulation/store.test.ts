import { describe, expect, test } from 'vitest'
import { contractCases } from '../../packages/fieldwise/src/lib/contract/cases.js'
import {
  type ContractCase,
  type ContractHarness,
  type ContractSubject,
  runContractCase,
} from '../../packages/fieldwise/src/lib/contract/harness.js'
import { calm } from './network.js'
import { SimulatedStore } from './store.js'
import { type Host, World } from './world.js'

const traits = { reportsTtl: true, comparesVersions: true, shared: true, timeout: 500, ttlStep: 1_000 }

// The simulation plays on what the contract promises, so the simulated store has to keep the contract.
describe.each(['keeps', 'deletes'] as const)('a server that %s what it has no memory to replace', (fate) => {
  for (const contractCase of contractCases) testCase(contractCase, fate)
})

function testCase(contractCase: ContractCase, fate: 'keeps' | 'deletes'): void {
  const world = new World({ seed: 7 })
  const make = async () => harnessIn(world, fate)
  const subject: ContractSubject = { traits, skipsTime: true, breaks: true, exhausts: true, make }
  const reason = contractCase.needs?.(subject)
  test.skipIf(reason !== undefined)(contractCase.title, async () => {
    world.setFaults({ ...calm, latency: 1, split: 0.3 })
    expect(await world.play(runContractCase(contractCase, subject))).toBe(true)
  })
}

function harnessIn(world: World, fate: 'keeps' | 'deletes'): ContractHarness {
  const hosts: Host[] = []
  const storeOn = (host: Host) => {
    hosts.push(host)
    host.store.start?.({ ...first.runtime, clock: host.clock })
    return host.store
  }
  const first = world.host({ traits })
  return {
    store: storeOn(first),
    another: async () => {
      const host = world.host({ traits })
      const store = new SimulatedStore(world.network, host, { traits })
      store.start({ ...first.runtime, clock: host.clock })
      return store
    },
    elapse: (milliseconds) => world.sleep(milliseconds),
    running: first.runtime.running,
    clock: { now: () => world.serverTime() },
    exhaust: async () => {
      world.network.server.outOfMemory = fate
    },
    outages: [
      {
        title: 'its server is stopped',
        begin: async () => world.network.restartServer(1e9),
        end: async () => {
          world.network.downUntil = 0
        },
      },
      {
        title: 'nothing passes',
        begin: async () => first.partition(1e9),
        end: async () => {
          first.partitionedUntil = 0
        },
      },
    ],
    end: async () => {
      for (const host of hosts) await host.store.close()
    },
  }
}
