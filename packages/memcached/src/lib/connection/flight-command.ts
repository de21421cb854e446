import type { FieldwiseError } from 'fieldwise'
import type { Flight, StoreAnswer, StoreRequest, Version } from 'fieldwise/store-contract'
import { keyLength } from './key.js'
import type { Outbox } from './outbox.js'
import type { Command, Fate, ProtocolHost } from './protocol.js'
import { refusalOf } from './refusal.js'

/** The requests of one flight and their replies, whatever the protocol. */
export abstract class FlightCommand implements Command {
  calledAt = 0
  sentAt = 0
  settled = false
  readonly isDated = true
  deadline: number
  protected readonly host: ProtocolHost
  readonly #requests: readonly StoreRequest[]
  /** One for each request. Requests that must not be sent are answered before the others leave. */
  readonly #answers: StoreAnswer[]
  readonly #resolve: (flight: Flight) => void
  /** The request whose reply is due. */
  #due = 0

  constructor(host: ProtocolHost, requests: readonly StoreRequest[], deadline: number, resolve: (flight: Flight) => void) {
    this.host = host
    this.deadline = deadline
    this.#requests = requests
    this.#answers = new Array(requests.length)
    this.#resolve = resolve
  }

  get complete(): boolean {
    return this.#due === this.#requests.length
  }

  encode(out: Outbox): void {
    for (let index = 0; index < this.#requests.length; index++) {
      const request = this.#requests[index] as StoreRequest
      const length = keyLength(request.key)
      const refusal = refusalOf(request, length, this.host.itemSizeMax) ?? this.#refuseStale(request)
      if (refusal === undefined) this.encodeRequest(request, length, out)
      else this.#answers[index] = refusal
    }
    this.#skipRefused()
  }

  read(bytes: Buffer, start: number): number {
    const end = this.readReply(this.#requests[this.#due] as StoreRequest, bytes, start)
    if (end > 0) this.#skipRefused()
    return end
  }

  settle(at: number): void {
    if (!this.settled) this.finish(undefined, at)
  }

  fail(fate: Fate, error: FieldwiseError): void {
    if (this.settled) return
    const failure: StoreAnswer = { result: fate, error }
    // All is answered, but without the server's time nobody can tell whether the session is past its end.
    if (this.complete) this.#answers.fill(failure)
    this.finish(failure, this.host.serverTime())
  }

  /** `keyLength` is in bytes, so it equals the number of characters exactly when the key is ASCII. */
  protected abstract encodeRequest(request: StoreRequest, keyLength: number, out: Outbox): void

  /** Reads the reply to `request` and passes what it says to {@link answer}. Returns what {@link read} returns. */
  protected abstract readReply(request: StoreRequest, bytes: Buffer, start: number): number

  /** Whether `version` was read over this connection. */
  protected abstract isCurrent(version: Version): boolean

  protected answer(answer: StoreAnswer): void {
    this.#answers[this.#due++] = answer
  }

  /**
   * Answers the caller. Requests without an answer get `failure`. A failed flight is answered with a copy, since replies that come after
   * the caller gave up are still read and noted, to keep the order.
   */
  protected finish(failure: StoreAnswer | undefined, at: number): void {
    this.settled = true
    const answers = failure === undefined ? this.#answers : Array.from(this.#answers, (answer) => answer ?? failure)
    this.#resolve({ answers, serverTime: at })
  }

  #refuseStale(request: StoreRequest): StoreAnswer | undefined {
    if (request.op !== 'replace' || request.version === undefined) return undefined
    return this.isCurrent(request.version) ? undefined : stale
  }

  #skipRefused(): void {
    while (this.#answers[this.#due] !== undefined) this.#due++
  }
}

export const stored: StoreAnswer = Object.freeze({ result: 'stored' })
export const done: StoreAnswer = Object.freeze({ result: 'done' })
export const missing: StoreAnswer = Object.freeze({ result: 'missing' })
const stale: StoreAnswer = Object.freeze({ result: 'stale' })
export const conflict: StoreAnswer = Object.freeze({ result: 'conflict' })
