import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import type { Flight, Store, StoreAnswer, StoreRequest, Version } from '../api/store.js'
import type { ContractCase, ContractHarness } from './harness.js'

/**
 * A case that is handed its scene.
 *
 * @internal
 */
export interface SceneCase extends Omit<ContractCase, 'run'> {
  run(scene: Scene): Promise<void>
}

/**
 * The case as the contract has it, with a scene of its own for each run.
 *
 * @internal
 */
export function inScene({ run, ...told }: SceneCase): ContractCase {
  return { ...told, run: (harness) => run(new Scene(harness)) }
}

/** @internal */
export const minute = 60_000

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
    return this.store.traits.ttlStep
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

  async read(name: string): Promise<{ value: Buffer; version: Version; ttl?: number | undefined }> {
    const [answer] = await this.answers(this.get(name))
    assert.ok(answer?.result === 'found', `'${name}' is found, not ${told(answer)}`)
    return answer
  }

  async holds(name: string, value: string): Promise<void> {
    assert.equal((await this.read(name)).value.toString('latin1'), value)
  }

  /** The store may learn its server's limit by connecting, so it is asked after a first flight. */
  async largestFor(name: string): Promise<number> {
    await this.answers(this.get(name))
    const largest = this.store.largestValue(this.sid, this.key(name).length)
    assert.ok(Number.isSafeInteger(largest) && largest > 0)
    return largest
  }

  /** Asserts that the item `a` is there, in another version than this one. */
  async isAnother(version: Version): Promise<void> {
    const [answer] = await this.answers(this.compare('a', version))
    assert.match(told(answer), /^(found|changed)$/)
  }

  /** Asserts that a write over this version stores nothing: the item has another version, or the version's connection is gone. */
  async isRefused(name: string, version: Version): Promise<void> {
    const [answer] = await this.answers(this.replace(name, 'stale', version))
    assert.match(told(answer), /^(conflict|stale)$/)
  }

  get(name: string): StoreRequest {
    return { op: 'get', key: this.key(name) }
  }

  /** A read by a client that has the value of `knownVersion`. */
  compare(name: string, knownVersion: Version): StoreRequest {
    return { op: 'compare', key: this.key(name), knownVersion }
  }

  add(name: string, value: string | Buffer, ttl = minute): StoreRequest {
    return { op: 'add', key: this.key(name), value: bytes(value), ttl }
  }

  replace(name: string, value: string | Buffer, version?: Version, ttl = minute): StoreRequest {
    const request = { op: 'replace', key: this.key(name), value: bytes(value), ttl } as const
    return version === undefined ? request : { ...request, version }
  }

  delete(name: string): StoreRequest {
    return { op: 'delete', key: this.key(name) }
  }

  getAndTouch(name: string, ttl: number): StoreRequest {
    return { op: 'getAndTouch', key: this.key(name), ttl }
  }

  touch(name: string, ttl: number): StoreRequest {
    return { op: 'touch', key: this.key(name), ttl }
  }
}

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
