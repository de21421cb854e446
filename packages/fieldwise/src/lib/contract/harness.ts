import type { Store, StoreTraits } from '../api/store.js'

/** A store as its author presents it to the contract cases: what it can do, told beforehand, and a way to make it. */
export interface ContractSubject {
  readonly traits: StoreTraits
  /** Whether {@link ContractHarness.elapse} moves a clock of the test's own. If not, it really waits, and the long cases are left out. */
  readonly skipsTime: boolean
  /** Whether the harnesses have {@link ContractHarness.outages}. */
  readonly breaks: boolean
  /** Whether the harnesses can {@link ContractHarness.exhaust} the memory of the store's server. */
  readonly exhausts?: boolean | undefined
  /** A fresh store for one case. Cases share nothing and may run at the same time, if what `make` gives shares nothing either. */
  make(): Promise<ContractHarness>
}

/** One case's store and the world around it. */
export interface ContractHarness {
  /** Started, with nothing of this case in it. It may use a server that holds other items: each case draws sids of its own. */
  readonly store: Store
  /** Another client of the same items, as another process would have it. A store that is not shared gives itself. */
  another(): Promise<Store>
  /** Lets time pass, for the store's items too. */
  elapse(milliseconds: number): Promise<void>
  /** The clock of the store's deadlines, as given to `store.start`. */
  running(): number
  /** What time it is for the store's server. */
  readonly clock: { now(): number }
  /** The ways in which this store can be cut off, such as its server stopped, or silent. */
  readonly outages?: readonly Outage[] | undefined
  /** Uses the memory of the store's server up: from now on it refuses items for lack of it. What it holds, it keeps. */
  exhaust?(): Promise<void>
  /** Closes all stores that were made, and stops what was started for them. */
  end(): Promise<void>
}

/** One way to cut a store off. What it held may be lost by it. */
export interface Outage {
  readonly title: string
  /** From now on the store cannot be reached. */
  begin(): Promise<void>
  /** From now on it can be reached again. */
  end(): Promise<void>
}

/** One thing that every store does. It fails by rejecting, as any test runner understands it. */
export interface ContractCase {
  /** What is promised, as one sentence. Unique among the cases. */
  readonly title: string
  /** The words of the contract that this case checks. */
  readonly requirement: string
  /** Why this case is left out for that store, or `undefined` if it is to be run. */
  needs?(subject: Pick<ContractSubject, 'traits' | 'skipsTime' | 'breaks' | 'exhausts'>): string | undefined
  /** Rejects where the store does not do it. {@link runContractCase} makes and ends the harness. */
  run(harness: ContractHarness): Promise<void>
}

/**
 * Runs one case on a fresh store and ends the store, whatever happens.
 *
 * @example
 * for (const contractCase of contractCases) {
 *   const reason = contractCase.needs?.(subject)
 *   test(contractCase.title, { skip: reason ?? false }, () => runContractCase(contractCase, subject))
 * }
 */
export async function runContractCase(contractCase: ContractCase, subject: Pick<ContractSubject, 'make'>): Promise<void> {
  const harness = await subject.make()
  try {
    await contractCase.run(harness)
  } finally {
    await harness.end()
  }
}
