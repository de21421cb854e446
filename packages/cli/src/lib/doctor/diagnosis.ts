import type { ServerConfig } from '@fieldwise/memcached/servers'
import { addressOf } from '../address.js'
import { connectionLimit } from './checks/connections.js'
import { checks } from './checks.js'
import { type Examination, figure, type Intentions } from './examination.js'
import { examine } from './examine.js'
import { danger, type Finding } from './finding.js'
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

/** Sizes in bytes, times in milliseconds. What the server does not tell is left out. */
export interface Facts {
  readonly version: string
  readonly protocols: readonly ('meta' | 'binary')[]
  readonly roundTrip: number
  readonly clockAhead?: number
  readonly uptime?: number
  readonly itemSize?: number
  readonly memory: Share
  readonly connections: Share
  readonly evictions?: number
}

interface Share {
  readonly limit?: number
  readonly used?: number
}

export async function diagnose(server: ServerConfig, intentions: Intentions): Promise<Diagnosis> {
  const examination = await examine(server, intentions)
  const named = { server: addressOf(server), label: server.label }
  if ('trouble' in examination) return { ...named, findings: [findingOf(examination, intentions)] }
  return { ...named, facts: factsOf(examination), findings: findingsOf(examination, intentions) }
}

/** What the checks find, and the store's own refusal of the server where no check explains it. */
export function findingsOf(examination: Examination, intentions: Intentions): Finding[] {
  const findings = checks.map((check) => check(examination, intentions)).filter((finding) => finding !== undefined)
  const { refusal } = examination
  if (refusal === undefined || findings.some(({ severity }) => severity === 'danger')) return findings
  return [danger('refused', `memcachedStore cannot use it: it ${refusal}.`, refusedRemedy), ...findings]
}

const refusedRemedy = 'Change what the message names. Until then, every call to it fails with STORE_UNAVAILABLE.'

function factsOf(examination: Examination): Facts {
  const { general, settings, speaks, version, roundTrip, clockAhead } = examination
  const uptime = figure(general, 'uptime')
  return {
    version,
    protocols: (['meta', 'binary'] as const).filter((protocol) => speaks[protocol]),
    roundTrip: Math.round(roundTrip * 1_000) / 1_000,
    ...told({
      clockAhead,
      uptime: uptime && uptime * 1_000,
      itemSize: figure(settings, 'item_size_max'),
      evictions: figure(general, 'evictions'),
    }),
    memory: told({ limit: figure(general, 'limit_maxbytes'), used: figure(general, 'bytes') }),
    connections: told({ limit: connectionLimit(examination), used: figure(general, 'curr_connections') }),
  }
}

/** Leaves out what the server does not tell. */
function told<T extends Readonly<Record<string, number | undefined>>>(figures: T): { readonly [K in keyof T]?: number } {
  return Object.fromEntries(Object.entries(figures).filter(([, figure]) => figure !== undefined)) as { [K in keyof T]?: number }
}
