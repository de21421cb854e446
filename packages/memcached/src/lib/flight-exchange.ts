import type { FieldwiseError } from 'fieldwise'
import type { Flight, StoreAnswer, StoreRequest, Version } from 'fieldwise/store-contract'
import { keyLength } from './key.js'
import { refusalOf } from './refusal.js'
import type { Bytes, Exchange, Fate, WireHost } from './wire.js'

/** The requests of one flight and their replies, whatever the protocol. */
export abstract class FlightExchange implements Exchange {
  calledAt = 0
  sentAt = 0
  settled = false
  deadline: number
  protected readonly host: WireHost
  readonly #requests: readonly StoreRequest[]
  /** As far as they have come. */
  readonly #answers: StoreAnswer[] = []
  /** What must not be sent is answered before anything is, each in its place. */
  #refusals: Map<number, StoreAnswer> | undefined
  readonly #resolve: (flight: Flight) => void

  constructor(host: WireHost, requests: readonly StoreRequest[], deadline: number, resolve: (flight: Flight) => void) {
    this.host = host
    this.deadline = deadline
    this.#requests = requests
    this.#resolve = resolve
  }

  get complete(): boolean {
    return this.#answers.length === this.#requests.length
  }

  encode(out: Bytes[]): void {
    for (let index = 0; index < this.#requests.length; index++) {
      const request = this.#requests[index] as StoreRequest
      const length = keyLength(request.key)
      const refusal = refusalOf(request, length, this.host.itemSizeMax) ?? this.#refuseStale(request)
      if (refusal === undefined) this.encodeRequest(request, length, out)
      else this.#refuse(index, refusal)
    }
    this.#skipRefused()
  }

  read(bytes: Buffer, start: number): number {
    const end = this.readReply(this.#requests[this.#answers.length] as StoreRequest, bytes, start)
    if (end > 0) this.#skipRefused()
    return end
  }

  settle(at: number): void {
    if (!this.settled) this.finish(undefined, at)
  }

  fail(fate: Fate, error: FieldwiseError): void {
    if (!this.settled) this.finish({ result: fate, error }, this.host.serverTime())
  }

  /** `keyLength` is in bytes, so it equals the number of characters exactly when the key is ASCII. */
  protected abstract encodeRequest(request: StoreRequest, keyLength: number, out: Bytes[]): void

  /** Reads the reply to `request` and hands what it says to {@link answer}. Gives what {@link read} gives. */
  protected abstract readReply(request: StoreRequest, bytes: Buffer, start: number): number

  /** Whether `version` was read over this connection. */
  protected abstract isCurrent(version: Version): boolean

  protected answer(answer: StoreAnswer): void {
    this.#answers.push(answer)
  }

  /**
   * Answers whoever asked; requests without an answer get `failure`. Replies that come after the caller gave up are still read, to keep
   * the order, so a failed flight is answered with a copy.
   */
  protected finish(failure: StoreAnswer | undefined, at: number): void {
    this.settled = true
    this.#resolve({ answers: failure === undefined ? this.#answers : this.#answersOr(failure), at })
  }

  #answersOr(failure: StoreAnswer): StoreAnswer[] {
    return this.#requests.map((_request, index) => this.#answers[index] ?? this.#refusals?.get(index) ?? failure)
  }

  #refuseStale(request: StoreRequest): StoreAnswer | undefined {
    if (request.op !== 'replace' || request.version === undefined) return undefined
    return this.isCurrent(request.version) ? undefined : conflict
  }

  #refuse(index: number, refusal: StoreAnswer): void {
    this.#refusals ??= new Map()
    this.#refusals.set(index, refusal)
  }

  #skipRefused(): void {
    if (this.#refusals === undefined) return
    for (let next = this.#nextRefusal; next !== undefined; next = this.#nextRefusal) this.#answers.push(next)
  }

  get #nextRefusal(): StoreAnswer | undefined {
    return this.#refusals?.get(this.#answers.length)
  }
}

export const stored: StoreAnswer = Object.freeze({ result: 'stored' })
export const done: StoreAnswer = Object.freeze({ result: 'done' })
export const missing: StoreAnswer = Object.freeze({ result: 'missing' })
export const conflict: StoreAnswer = Object.freeze({ result: 'conflict' })
