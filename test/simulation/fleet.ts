import type { Flight, Store, StoreHost, StoreRequest, StoreTraits } from '../../packages/fieldwise/src/lib/api/store.js'
import type { SimulatedStore } from './store.js'

/** The store of one process that spreads its sessions over several servers: `uuid~0`, `uuid~1` and so on. */
export class SimulatedFleet implements Store {
  readonly name = 'simulated'
  readonly traits: StoreTraits
  readonly #stores: readonly SimulatedStore[]

  constructor(stores: readonly SimulatedStore[]) {
    this.#stores = stores
    this.traits = (stores[0] as SimulatedStore).traits
  }

  start(host: StoreHost): void {
    for (const store of this.#stores) store.start(host)
  }

  place(uuid: string): string {
    return `${uuid}~${Number.parseInt(uuid.slice(0, 8), 16) % this.#stores.length}`
  }

  servers(): readonly string[] {
    return this.#stores.map((_store, index) => `~${index}`)
  }

  holds(sid: string): boolean {
    return this.#stores[indexIn(sid)] !== undefined
  }

  largestValue(sid: string): number {
    return this.#of(sid).largestValue()
  }

  now(sid: string, deadline: number): Promise<number> {
    return this.#of(sid).now(sid, deadline)
  }

  flight(sid: string, requests: readonly StoreRequest[], deadline: number): Promise<Flight> {
    return this.#of(sid).flight(sid, requests, deadline)
  }

  async check(deadline: number): Promise<void> {
    for (const store of this.#stores) await store.check(deadline)
  }

  async close(): Promise<void> {
    for (const store of this.#stores) await store.close()
  }

  #of(sid: string): SimulatedStore {
    return this.#stores[indexIn(sid)] as SimulatedStore
  }
}

function indexIn(sid: string): number {
  return Number(sid.slice(sid.indexOf('~') + 1))
}
