import type { Terminal } from '../terminal.js'
import type { Diagnosis, Facts } from './diagnosis.js'
import type { Finding } from './finding.js'
import { bytes, count, percent, time } from './units.js'

export interface Report {
  readonly servers: readonly Diagnosis[]
  readonly cookie: { readonly findings: readonly Finding[] }
  readonly dangers: number
  readonly warnings: number
}

export function reportOf(servers: readonly Diagnosis[], cookie: readonly Finding[]): Report {
  const findings = [...servers.flatMap((server) => server.findings), ...cookie]
  const dangers = findings.filter(({ severity }) => severity === 'danger').length
  return { servers, cookie: { findings: cookie }, dangers, warnings: findings.length - dangers }
}

/** The report for people: a block for each server, and the totals. */
export function printReport({ servers, cookie, dangers, warnings }: Report, terminal: Terminal): void {
  for (const { server, facts, findings } of servers) printBlock(server, facts && factsLine(facts), findings, terminal)
  if (cookie.findings.length > 0) printBlock('cookie', undefined, cookie.findings, terminal)
  terminal.write(`${sum(dangers, warnings, terminal)}\n`)
}

function printBlock(title: string, facts: string | undefined, findings: readonly Finding[], terminal: Terminal): void {
  terminal.write(`${terminal.paint('bold', title)}${facts === undefined ? '' : terminal.paint('dim', `  ${facts}`)}\n`)
  if (findings.length === 0) terminal.write(`  ${terminal.paint('green', 'good')}\n`)
  for (const finding of findings) printFinding(finding, terminal)
  terminal.write('\n')
}

function printFinding({ code, severity, message, remedy }: Finding, { write, paint }: Terminal): void {
  const word = paint(severity === 'danger' ? 'red' : 'yellow', severity.padEnd(7))
  write(`  ${word}  ${paint('bold', code)}\n           ${message}\n           ${paint('cyan', 'Remedy:')} ${remedy}\n`)
}

/** What a server does not tell is not shown. */
function factsLine({ version, protocols, roundTrip, memory, connections, uptime }: Facts): string {
  const parts = [
    `memcached ${version}`,
    protocols.join(' and ') || 'no protocol',
    `${time(roundTrip)} away`,
    memory.limit && memory.used !== undefined && `${percent(memory.used / memory.limit)} of ${bytes(memory.limit)} used`,
    connections.used !== undefined && `${count(connections.used)}${ofLimit(connections.limit)} connections`,
    uptime !== undefined && `up ${time(uptime)}`,
  ]
  return parts.filter(Boolean).join(', ')
}

function ofLimit(limit: number | undefined): string {
  return limit === undefined ? '' : ` of ${count(limit)}`
}

function sum(dangers: number, warnings: number, { paint }: Terminal): string {
  if (dangers + warnings === 0) return paint('green', 'Nothing found.')
  const parts = [plural(dangers, 'danger'), plural(warnings, 'warning')]
  return paint(dangers > 0 ? 'red' : 'yellow', parts.join(', '))
}

function plural(figure: number, word: string): string {
  return `${count(figure)} ${word}${figure === 1 ? '' : 's'}`
}
