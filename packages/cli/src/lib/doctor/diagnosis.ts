import type { ServerConfig } from '@fieldwise/memcached/servers'
import { addressOf } from '../address.js'
import { connectionLimit } from './checks/connections.js'
import { checks } from './checks.js'
import { type Examination, figure, type Intentions } from './examination.js'
import { examine } from './examine.js'
import type { Finding } from './finding.js'
import { findingOf } from './trouble-finding.js'

/** What is known of one server, and what is wrong with it. This is what `--json` prints. */
export interface Diagnosis {
  /** As the label and address say: `127.0.0.1:11211`. */
  readonly server: string
  readonly label: string
  /** Absent where the server could not be examined. */
  readonly facts?: Facts
  readonly findings: readonly Finding[]
}

/** Sizes in bytes, times in milliseconds. */
export interface Facts {
  readonly version: string
  readonly protocols: readonly ('meta' | 'binary')[]
  readonly roundTrip: number
  readonly clockAhead: number
  readonly uptime: number
  readonly itemSize: number
  readonly memory: { readonly limit: number; readonly used: number }
  readonly connections: { readonly limit: number; readonly used: number }
  readonly evictions: number
}

export async function diagnose(server: ServerConfig, intentions: Intentions): Promise<Diagnosis> {
  const examination = await examine(server, intentions)
  const named = { server: addressOf(server), label: server.label }
  if ('trouble' in examination) return { ...named, findings: [findingOf(examination, intentions)] }
  const findings = checks.map((check) => check(examination, intentions)).filter((finding) => finding !== undefined)
  return { ...named, facts: factsOf(examination), findings }
}

function factsOf(examination: Examination): Facts {
  const { general, settings, speaks, version, roundTrip, clockAhead } = examination
  return {
    version,
    protocols: (['meta', 'binary'] as const).filter((protocol) => speaks[protocol]),
    roundTrip: Math.round(roundTrip * 1_000) / 1_000,
    clockAhead,
    uptime: figure(general, 'uptime') * 1_000,
    itemSize: figure(settings, 'item_size_max'),
    memory: { limit: figure(general, 'limit_maxbytes'), used: figure(general, 'bytes') },
    connections: { limit: connectionLimit(examination), used: figure(general, 'curr_connections') },
    evictions: figure(general, 'evictions'),
  }
}
