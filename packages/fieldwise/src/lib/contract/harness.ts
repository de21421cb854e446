import type { Store, StoreTraits } from '../api/store.js'

/** A store under test: what the cases may do with it, and how to make one. Written by the store's author. */
export interface ContractSubject {
  readonly traits: StoreTraits
  /** Whether {@link ContractHarness.elapse} advances a fake clock. If not, it waits in real time, and the long cases are left out. */
  readonly skipsTime: boolean
  /** Whether {@link ContractHarness.outages} has any. */
  readonly breaks: boolean
  /** Whether the harnesses can {@link ContractHarness.exhaust} the memory of the store's server. */
  readonly exhausts?: boolean | undefined
  /** Makes a fresh store for one case. Cases may run concurrently if the stores that `make` returns share nothing. */
  make(): Promise<ContractHarness>
}

/** The store of one case, and control over what surrounds it. */
export interface ContractHarness {
  /** The store, already started. Its server may hold other items: each case draws session ids of its own. */
  readonly store: Store
  /** Another client of the same server, as another process would have it. The same store if it is not shared between processes. */
  another(): Promise<Store>
  /** Lets `milliseconds` pass, for the store's items too. */
  elapse(milliseconds: number): Promise<void>
  /** The clock of deadlines, as passed to `store.start`, in milliseconds. */
  running(): number
  /** The current time of the store's server, in milliseconds since 1970. */
  readonly clock: { now(): number }
  /** The ways in which this store can be cut off: for example, its server is stopped, or silent. */
  readonly outages?: readonly Outage[] | undefined
  /** Uses up the memory of the store's server, so that it refuses items from now on and keeps those that it holds. */
  exhaust?(): Promise<void>
  /** Closes all stores that were made, and stops whatever was started for them. */
  end(): Promise<void>
}

/** One way to cut a store off. The store may lose its items by it. */
export interface Outage {
  readonly title: string
  /** From now on the store cannot be reached. */
  begin(): Promise<void>
  /** From now on it can be reached again. */
  end(): Promise<void>
}

/** One promise of the contract, as a test that rejects when a store breaks it. */
export interface ContractCase {
  /** The promise, in one sentence. Unique among the cases. */
  readonly title: string
  /** The words of the contract that the case checks. */
  readonly requirement: string
  /** Why the case does not apply to a store; `undefined` if it is to be run. */
  needs?(subject: Pick<ContractSubject, 'traits' | 'skipsTime' | 'breaks' | 'exhausts'>): string | undefined
  /** Rejects if the store breaks the promise. Call it through {@link runContractCase}, which makes and ends the harness. */
  run(harness: ContractHarness): Promise<void>
}

/**
 * Runs one case on a fresh store, and closes the store whether the case passes or not. Rejects if the store breaks the promise.
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
