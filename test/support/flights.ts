import { randomUUID } from 'node:crypto'
import type { Flight, Store, StoreAnswer, StoreRequest } from '../../packages/fieldwise/src/store-contract.js'

/** One session of a store, for tests below the session core. */
export class Flyer {
  readonly store: Store
  readonly sid: string

  constructor(store: Store, sid = store.place(randomUUID())) {
    this.store = store
    this.sid = sid
  }

  key(name: string): string {
    return `${this.sid}:${name}`
  }

  fly(requests: readonly StoreRequest[], deadline = Number.POSITIVE_INFINITY): Promise<Flight> {
    return this.store.flight(this.sid, requests, deadline)
  }

  /** What a flight's answers say, in words. */
  async told(...requests: readonly StoreRequest[]): Promise<string[]> {
    return (await this.fly(requests)).answers.map(told)
  }

  get(name: string): StoreRequest {
    return { op: 'get', key: this.key(name) }
  }

  add(name: string, value: string | Buffer = 'x', ttl = 60_000): StoreRequest {
    return { op: 'add', key: this.key(name), value: Buffer.from(value), ttl }
  }

  replace(name: string, value: string | Buffer = 'x', version?: object): StoreRequest {
    const request = { op: 'replace', key: this.key(name), value: Buffer.from(value), ttl: 60_000 } as const
    return version === undefined ? request : { ...request, version }
  }

  delete(name: string): StoreRequest {
    return { op: 'delete', key: this.key(name) }
  }

  touch(name: string, ttl = 60_000): StoreRequest {
    return { op: 'touch', key: this.key(name), ttl }
  }
}

/** `found VALUE`, `stored`, `unanswered STORE_UNAVAILABLE`, … */
export function told(answer: StoreAnswer | undefined): string {
  if (answer === undefined) return 'no answer'
  if ('error' in answer) return `${answer.result} ${answer.error.code}`
  return answer.result === 'found' ? `found ${answer.value.toString('latin1')}` : answer.result
}

/** The message of the error in an answer, or nothing. */
export function complaint(answer: StoreAnswer | undefined): string {
  return answer !== undefined && 'error' in answer ? answer.error.message : ''
}
