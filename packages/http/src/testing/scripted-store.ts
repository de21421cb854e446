import { memoryStore, StoreUnavailableError } from 'fieldwise'
import type { Flight, Store, StoreHost, StoreRequest } from 'fieldwise/store-contract'

/** The memory store, watched and made to fail or to wait as a test says. */
export class ScriptedStore implements Store {
  readonly name = 'scripted'
  readonly #store = memoryStore()
  readonly traits = this.#store.traits
  /** Every flight so far, by the operations in it. */
  readonly flights: string[][] = []
  #down = false
  #held: Promise<void> | undefined

  start(host: StoreHost): void {
    this.#store.start?.(host)
  }

  place(uuid: string): string {
    return this.#store.place(uuid)
  }

  servers(): readonly string[] {
    return this.#store.servers()
  }

  holds(sid: string): boolean {
    return this.#store.holds(sid)
  }

  largestValue(sid: string, keyLength: number): number {
    return this.#store.largestValue(sid, keyLength)
  }

  async now(sid: string, deadline: number): Promise<number> {
    if (this.#down) throw outage()
    return this.#store.now(sid, deadline)
  }

  async flight(sid: string, requests: readonly StoreRequest[], deadline: number): Promise<Flight> {
    this.flights.push(requests.map((request) => request.op))
    await this.#held
    if (this.#down) return { answers: requests.map(() => ({ result: 'unsent', error: outage() })), serverTime: Number.NaN }
    return this.#store.flight(sid, requests, deadline)
  }

  async check(deadline: number): Promise<void> {
    if (this.#down) throw outage()
    return this.#store.check(deadline)
  }

  close(): Promise<void> {
    return this.#store.close()
  }

  /** From now on nothing answers, until {@link mend}. */
  fail(): void {
    this.#down = true
  }

  mend(): void {
    this.#down = false
  }

  /** Flights wait from now on, until what is returned is called. */
  hold(): () => void {
    const { promise, open } = gate()
    this.#held = promise
    return () => {
      this.#held = undefined
      open()
    }
  }

  /** How many requests changed something or could have. */
  get writes(): number {
    return this.flights.flat().filter((op) => !reading.includes(op)).length
  }
}

const reading = ['get', 'compare']

/** What no visitor is to see. */
export const serverAddress = '10.1.2.3:11211'

/** A promise that a test opens. */
export function gate(): { promise: Promise<void>; open: () => void } {
  let open = () => {}
  const promise = new Promise<void>((resolve) => {
    open = resolve
  })
  return { promise, open }
}

function outage(): StoreUnavailableError {
  return new StoreUnavailableError(`memcached 'n53c' (${serverAddress}) refuses connections`)
}
