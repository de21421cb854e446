import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Flight, Store, StoreAnswer, StoreRequest, StoreTraits, Version } from '../api/store.js'

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

/**
 * One session of one store, with short names for what the cases do to it.
 *
 * @internal
 */
export class Scene {
  readonly sid: string
  readonly store: Store
  readonly harness: ContractHarness

  constructor(harness: ContractHarness, sid = harness.store.place(randomUUID()), store = harness.store) {
    this.harness = harness
    this.sid = sid
    this.store = store
  }

  /** The same session, seen by another client. */
  async elsewhere(): Promise<Scene> {
    return new Scene(this.harness, this.sid, await this.harness.another())
  }

  /** The whole key of the item `name`. */
  key(name: string): string {
    return `${this.sid}:${name}`
  }

  get deadline(): number {
    return this.harness.running() + this.store.traits.timeout
  }

  get step(): number {
    return this.store.traits.lifeStep
  }

  async fly(requests: readonly StoreRequest[]): Promise<Flight> {
    const flight = await this.store.flight(this.sid, requests, this.deadline).catch(() => assert.fail('a flight never rejects'))
    assert.equal(flight.answers.length, requests.length, 'a flight has one answer for each request')
    return flight
  }

  async answers(...requests: readonly StoreRequest[]): Promise<readonly StoreAnswer[]> {
    return (await this.fly(requests)).answers
  }

  /** Sends `requests` as one flight and checks how each was answered. */
  async expect(requests: readonly StoreRequest[], expected: readonly string[]): Promise<void> {
    assert.deepEqual((await this.answers(...requests)).map(told), expected)
  }

  async read(name: string): Promise<{ value: Buffer; version: Version; life?: number | undefined }> {
    const [answer] = await this.answers(this.get(name))
    assert.ok(answer?.result === 'found', `'${name}' is found, not ${told(answer)}`)
    return answer
  }

  async holds(name: string, value: string): Promise<void> {
    assert.equal((await this.read(name)).value.toString('latin1'), value)
  }

  get(name: string): StoreRequest {
    return { op: 'get', key: this.key(name) }
  }

  /** A get by one who has the value of `known`. */
  compare(name: string, known: Version): StoreRequest {
    return { op: 'get', key: this.key(name), known }
  }

  add(name: string, value: string | Buffer, life = minute): StoreRequest {
    return { op: 'add', key: this.key(name), value: bytes(value), life }
  }

  replace(name: string, value: string | Buffer, version?: Version, life = minute): StoreRequest {
    const request = { op: 'replace', key: this.key(name), value: bytes(value), life } as const
    return version === undefined ? request : { ...request, version }
  }

  delete(name: string): StoreRequest {
    return { op: 'delete', key: this.key(name) }
  }

  renew(name: string, life: number): StoreRequest {
    return { op: 'renew', key: this.key(name), life }
  }

  touch(name: string, life: number): StoreRequest {
    return { op: 'touch', key: this.key(name), life }
  }
}

const minute = 60_000

/**
 * An answer in one word, or with the error that came instead, so that a failed case says what happened.
 *
 * @internal
 */
export function told(answer: StoreAnswer | undefined): string {
  if (answer === undefined) return 'no answer'
  return 'error' in answer ? `${answer.result} ${answer.error.code}` : answer.result
}

function bytes(value: string | Buffer): Buffer {
  return typeof value === 'string' ? Buffer.from(value, 'latin1') : value
}
