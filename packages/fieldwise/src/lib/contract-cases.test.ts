import { describe, test } from 'vitest'
import { contractCases } from './contract-cases.js'
import { type ContractHarness, type ContractSubject, runContractCase } from './contract-harness.js'
import { memoryStore } from './memory-store.js'

const subject: ContractSubject = {
  traits: memoryStore().traits,
  skipsTime: true,
  breaks: false,
  async make(): Promise<ContractHarness> {
    let time = Date.UTC(2026, 0, 1)
    const clock = { now: () => time }
    const monotonic = () => time
    const store = memoryStore()
    store.start?.({ clock, monotonic })
    return {
      store,
      clock,
      monotonic,
      another: async () => store,
      elapse: async (milliseconds) => {
        time += milliseconds
      },
      end: () => store.close(),
    }
  },
}

describe('memoryStore keeps the store contract', () => {
  for (const contractCase of contractCases) {
    const reason = contractCase.needs?.(subject)
    if (reason === undefined) test(contractCase.title, () => runContractCase(contractCase, subject))
    else test.skip(`${contractCase.title} (left out: ${reason})`)
  }
})
