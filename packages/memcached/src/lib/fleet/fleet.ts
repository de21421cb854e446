import { type FieldwiseError, isFieldwiseError, StoreUnavailableError } from 'fieldwise'
import type { Flight, Store, StoreHost, StoreRequest, StoreTraits } from 'fieldwise/store-contract'
import { unsent } from '../connection/refusal.js'
import type { ProtocolName } from './options.js'
import { chooseServer } from './rendezvous.js'
import type { Server } from './server.js'

/**
 * The servers that a store spreads sessions over. A session's id carries the label of the server that holds it, so a change of the
 * fleet moves no session, and no session is ever served from another server.
 */
export class Fleet implements Store {
  readonly name = 'memcached'
  readonly traits: StoreTraits
  readonly #servers: readonly Server[]
  readonly #byLabel: ReadonlyMap<string, Server>
  readonly #useHost: (host: StoreHost) => void

  constructor(servers: readonly Server[], protocol: ProtocolName, useHost: (host: StoreHost) => void) {
    this.#servers = servers
    this.#byLabel = new Map(servers.map((server) => [server.config.label, server]))
    this.#useHost = useHost
    const timeout = Math.max(...servers.map((server) => server.config.timeout))
    // With 'auto' a server may speak binary, which compares no versions and reports no ttl. It answers a compare as a get.
    const traits = { reportsTtl: protocol === 'meta', comparesVersions: protocol !== 'binary' }
    this.traits = { ...traits, shared: true, timeout, ttlStep: 1_000 }
  }

  start(host: StoreHost): void {
    this.#useHost(host)
  }

  place(uuid: string): string {
    return `${uuid}~${this.#chooseFor(uuid).config.label}`
  }

  placeById(uuid: string): string {
    return `${uuid}~${choose(uuid, this.#takers).config.label}`
  }

  servers(): readonly string[] {
    return this.#servers.map(({ config }) => `~${config.label}`)
  }

  holds(sid: string): boolean {
    return this.#serverOf(sid) !== undefined
  }

  largestValue(sid: string, keyLength: number): number {
    return (this.#serverOf(sid) ?? (this.#servers[0] as Server)).largestValue(keyLength)
  }

  async now(sid: string, deadline: number): Promise<number> {
    const server = this.#serverOf(sid)
    if (server === undefined) throw notHeld()
    return server.now(deadline)
  }

  flight(sid: string, requests: readonly StoreRequest[], deadline: number): Promise<Flight> {
    const server = this.#serverOf(sid)
    if (server !== undefined) return server.flight(requests, deadline)
    return Promise.resolve({ answers: requests.map(() => unsent(notHeld())), serverTime: undefined })
  }

  async check(deadline: number, least: 'all' | 'one' = 'all'): Promise<void> {
    if (least === 'one' && (await this.#anyTakes(deadline))) return
    const results = await Promise.allSettled(this.#servers.map((server) => server.check(deadline)))
    const errors = results.filter((result) => result.status === 'rejected').map((result) => result.reason as FieldwiseError)
    const closed = errors.find((error) => isFieldwiseError(error, 'CLOSED'))
    if (closed !== undefined) throw closed
    if (errors.length > 0) throw new StoreUnavailableError(errors.map((error) => error.message).join('; '), errors[0]?.cause)
  }

  async close(): Promise<void> {
    for (const server of this.#servers) server.close()
  }

  /** Resolves with true as soon as one server that takes new sessions has answered, and with false if none does. */
  #anyTakes(deadline: number): Promise<boolean> {
    return Promise.any(this.#takers.map((server) => server.check(deadline))).then(
      () => true,
      () => false,
    )
  }

  /** The servers that new sessions may be placed on. */
  get #takers(): readonly Server[] {
    return this.#servers.filter((server) => server.config.weight > 0)
  }

  #serverOf(sid: string): Server | undefined {
    return this.#byLabel.get(sid.slice(sid.indexOf('~') + 1))
  }

  /** A server that is up. If all are down, one that may be tried again, or else any: its flights then fail at once and say what is wrong. */
  #chooseFor(uuid: string): Server {
    const takers = this.#takers
    const up = takers.filter((server) => server.up)
    if (up.length === takers.length) return choose(uuid, takers)
    const due = takers.filter((server) => server.dueForTrial)
    if (up.length === 0) return choose(uuid, due.length > 0 ? due : takers)
    // A server that holds no sessions would not be asked by anybody, and would be taken to be down for ever.
    for (const server of due) server.tryAgain()
    return choose(uuid, up)
  }
}

function choose(uuid: string, servers: readonly Server[]): Server {
  const candidates = servers.map((server) => ({ label: server.config.label, weight: server.config.weight, server }))
  return chooseServer(uuid, candidates).server
}

function notHeld(): FieldwiseError {
  return new StoreUnavailableError('The server that this session names is not among the servers of this store')
}
