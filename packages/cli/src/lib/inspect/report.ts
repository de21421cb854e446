import type { FieldInspection, HeaderContents, SessionInspection } from 'fieldwise/adapter'
import { bytes, time } from '../doctor/units.js'
import { printable } from '../printable.js'
import { table } from '../table.js'
import type { Terminal } from '../terminal.js'

/** What `--json` prints: the inspection, with the server's address, and values as data. */
export function inspectionAsJson(inspection: SessionInspection, server: string): string {
  const fields = inspection.fields.map(({ json, ...field }) => (json === undefined ? field : { ...field, value: parsed(json) }))
  return printable(JSON.stringify({ server, ...inspection, fields }))
}

/** The inspection for people: what the header says, and a row a field. */
export function printInspection(inspection: SessionInspection, server: string, terminal: Terminal): void {
  const { sid, state, header, at } = inspection
  const style = state === 'living' ? 'green' : 'red'
  terminal.write(`${terminal.paint('bold', sid)}  ${terminal.paint(style, state)}\n\n`)
  const facts = [['server', server], ...secretLines(inspection), ...(header?.says ? headerLines(header.says, at) : [])]
  if (header) facts.push(['header', itemLine(header)])
  if (header?.problem) facts.push(['problem', printable(header.problem)])
  terminal.write(`${facts.map(([name, what]) => `  ${terminal.paint('dim', (name as string).padEnd(8))}  ${what}`).join('\n')}\n`)
  if (inspection.fields.length > 0) terminal.write(`\n${indented(fieldsTable(inspection))}\n`)
  if (inspection.fields.some((field) => field.problem)) terminal.write(`\n${indented(problems(inspection.fields))}\n`)
}

function secretLines({ secret }: SessionInspection): string[][] {
  if (secret === undefined) return []
  const means = {
    current: 'the current one: this token opens the session',
    superseded: 'an older one: a newer token was issued less than a minute ago',
    unknown: 'an unknown one: this token opens nothing',
  }
  return [['secret', means[secret]]]
}

function headerLines({ createdAt, endsAt, idle, rotatedAt, graceUntil, persist, fieldsUntil }: HeaderContents, at: number) {
  const lines = [
    ['created', moment(createdAt, at)],
    ['ends', `${moment(endsAt, at)}, or after ${time(idle)} without use`],
    ['fields', `kept until ${moment(fieldsUntil, at)} at least`],
    ['rotated', rotatedAt === undefined ? 'never' : moment(rotatedAt, at)],
    ['persist', persist ? 'yes' : 'no'],
  ]
  if (graceUntil !== undefined && graceUntil > at) lines.push(['grace', `the token before works until ${moment(graceUntil, at)}`])
  return lines
}

function itemLine({ bytes: size, sealed, ttl, format }: NonNullable<SessionInspection['header']>): string {
  const parts = [bytes(size), sealed ? 'sealed' : 'not sealed']
  if (format !== undefined) parts.push(`format ${format}`)
  if (ttl !== undefined) parts.push(`kept for ${time(ttl)} more`)
  return parts.join(', ')
}

function fieldsTable({ fields, at }: SessionInspection): string {
  const withValues = fields.some((field) => field.json !== undefined)
  const head = ['field', 'state', 'stored', 'JSON', 'kept for', 'last write', 'writer changed']
  const rows = fields.map((field) => [...fieldRow(field, at), ...(withValues ? [shown(field.json)] : [])])
  return table(withValues ? [...head, 'value'] : head, rows, [2, 3])
}

function fieldRow({ name, state, bytes: size, valueBytes, ttl, writeId, earlierWrites }: FieldInspection, at: number): string[] {
  const superseded = earlierWrites.at(-1)?.until
  return [
    printable(name),
    state,
    size === 0 ? '-' : `${size} B`,
    valueBytes === undefined ? '-' : `${valueBytes} B`,
    ttl === undefined ? '-' : time(ttl),
    writeId ?? '-',
    superseded === undefined ? '-' : `${time(Math.max(0, at - superseded))} ago`,
  ]
}

function problems(fields: readonly FieldInspection[]): string {
  return fields
    .filter(({ problem }) => problem !== undefined)
    .map(({ name, problem }) => `${printable(name)}: ${printable(problem as string)}`)
    .join('\n')
}

const longestShown = 100

function shown(json: string | undefined): string {
  const text = printable(json ?? '')
  return text.length > longestShown ? `${text.slice(0, longestShown)}…` : text
}

/** memcached tells its time in whole seconds, so that two moments within two of them cannot be told apart. */
const resolution = 2_000

function moment(at: number, now: number): string {
  const date = new Date(at)
    .toISOString()
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC')
  if (Math.abs(at - now) < resolution) return `${date}, just now`
  return at < now ? `${date}, ${time(now - at)} ago` : `${date}, in ${time(at - now)}`
}

function indented(text: string): string {
  return text.replace(/^/gm, '  ')
}

function parsed(json: string): unknown {
  try {
    return JSON.parse(json)
  } catch {
    return json
  }
}
