import { isFieldwiseError } from 'fieldwise'
import type { FleetFrame, Readiness, ServerSeen } from './frame.js'
import type { Probe, Probed } from './probe.js'
import type { Traffic } from './servers-seen.js'

/** What `createSessions` gives, as far as it is needed here. */
export interface Checkable {
  /** Resolves when every server answers. */
  check(): Promise<void>
}

export interface FleetSources {
  /** Undefined where nobody said what the servers are. */
  readonly probe: Probe | undefined
  readonly sessions: Checkable | undefined
  /** What the shares of the servers are counted in: sessions or, where none can be seen, items. */
  readonly sharesOf: FleetFrame['sharesOf']
}

/**
 * The health of the servers. They are asked only while somebody watches, and at most once in a while: what is shown is what they said
 * last, and nobody waits for a server that is silent.
 */
export class FleetWatch {
  readonly #sources: FleetSources
  readonly #monotonic: () => number
  #probed: readonly Probed[]
  #readiness: Readiness | null = null
  #asked = Number.NEGATIVE_INFINITY
  #isAsking = false

  constructor(sources: FleetSources, monotonic: () => number) {
    this.#sources = sources
    this.#monotonic = monotonic
    this.#probed = sources.probe?.unasked() ?? []
  }

  fleet(traffic: ReadonlyMap<string, Traffic>, sessions: ReadonlyMap<string, number>): FleetFrame {
    const isDue = this.#monotonic() - this.#asked >= pause
    if (isDue && !this.#isAsking) void this.ask()
    const { sharesOf } = this.#sources
    return { sharesOf, servers: this.#servers(traffic, sessions), readiness: this.#readiness }
  }

  async ask(): Promise<void> {
    this.#isAsking = true
    this.#asked = this.#monotonic()
    const { probe, sessions } = this.#sources
    const [probed, readiness] = await Promise.all([probe?.ask(), sessions && readinessOf(sessions)])
    this.#probed = probed ?? []
    this.#readiness = readiness ?? null
    this.#isAsking = false
  }

  #servers(traffic: ReadonlyMap<string, Traffic>, sessions: ReadonlyMap<string, number>): ServerSeen[] {
    const probed = new Map(this.#probed.map((server) => [server.label, server]))
    const labels = [...new Set([...probed.keys(), ...traffic.keys()])]
    const servers = labels.map((label) => merged(label, probed.get(label), traffic.get(label), sessions.get(label) ?? 0))
    return withShares(servers, ({ stats, sessions: held }) => (this.#sources.sharesOf === 'items' ? (stats?.items ?? 0) : held))
  }
}

/** In milliseconds. */
const pause = 3_000

function merged(label: string, probed: Probed | undefined, traffic: Traffic | undefined, sessions: number): ServerSeen {
  const { health, says } = probed ?? traffic ?? { health: 'unknown', says: 'not asked yet' }
  const flights = traffic?.flights ?? 0
  return { label, address: probed?.address, health, says, share: 0, sessions, flights, stats: probed?.stats }
}

function withShares(servers: readonly ServerSeen[], amountOf: (server: ServerSeen) => number): ServerSeen[] {
  const all = servers.reduce((sum, server) => sum + amountOf(server), 0)
  return servers.map((server) => ({ ...server, share: all === 0 ? 0 : amountOf(server) / all }))
}

async function readinessOf(sessions: Checkable): Promise<Readiness> {
  try {
    await sessions.check()
    return { ready: true, says: 'All servers answer.' }
  } catch (error) {
    // Messages of Fieldwise's own hold no secret; of others that is not known.
    return { ready: false, says: isFieldwiseError(error) ? error.message : 'The readiness check failed.' }
  }
}
