import type { FlightEvent, SessionEvent } from 'fieldwise'
import type { Health } from './frame.js'

/** What this process's own traffic tells of one server. */
export interface Traffic {
  readonly flights: number
  readonly health: Health
  readonly says: string
}

/** The servers that this process has talked to, by their labels. A store without labels, such as memory, is one server by its name. */
export class ServersSeen {
  readonly #servers = new Map<string, Seen>()

  flight(event: FlightEvent): void {
    const seen = this.#seen(labelOf(event))
    if (seen === undefined) return
    seen.flights++
    seen.answered = event.answered
  }

  /** A call may fail without a flight: a server that is known to be down is not asked. */
  unavailable(event: SessionEvent): void {
    // Without a label it is about all servers: none could take a new session.
    const seen = event.server === undefined ? this.#servers.get(event.store) : this.#seen(event.server)
    if (seen !== undefined) seen.answered = false
  }

  /** In the order in which they were met. */
  all(): Map<string, Traffic> {
    return new Map([...this.#servers].map(([label, { flights, answered }]) => [label, { flights, ...verdict(answered) }]))
  }

  #seen(label: string): Seen | undefined {
    let seen = this.#servers.get(label)
    if (seen !== undefined || this.#servers.size >= mostServers) return seen
    seen = { flights: 0, answered: undefined }
    this.#servers.set(label, seen)
    return seen
  }
}

/** What stands for the server of a session that has no label. */
export function labelOf({ server, store }: Pick<SessionEvent, 'server' | 'store'>): string {
  return server ?? store
}

interface Seen {
  flights: number
  answered: boolean | undefined
}

function verdict(answered: boolean | undefined): Pick<Traffic, 'health' | 'says'> {
  if (answered === undefined) return { health: 'unknown', says: 'not asked yet' }
  return answered ? { health: 'answers', says: 'by the last round trip' } : { health: 'silent', says: 'by the last round trip' }
}

/** Labels come from tokens, which anybody can write, though a store knows its own. */
const mostServers = 256
