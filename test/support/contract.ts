import { test } from 'vitest'
import { contractCases } from '../../packages/fieldwise/src/lib/contract/cases.js'
import { type ContractSubject, runContractCase } from '../../packages/fieldwise/src/lib/contract/harness.js'

/** A test for each case of the store contract; a case that this subject is excused from says why. */
export function testContract(subject: ContractSubject): void {
  for (const contractCase of contractCases) {
    const reason = contractCase.needs?.(subject)
    if (reason === undefined) test(contractCase.title, () => runContractCase(contractCase, subject))
    else test.skip(`${contractCase.title} (left out: ${reason})`)
  }
}
