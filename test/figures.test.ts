import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { root } from './support/packages.js'

/** A cell of `RESULTS.md`: the benchmark, the bold title of its table, the row by its first cell, the column by its head. */
type Cell = readonly [benchmark: string, title: string, row: string, column: string]

/** What a document says was measured. When the benchmarks are run anew, the failures here say what to write. */
interface Report {
  readonly document: string
  /** The part of it that holds the figures. */
  readonly part: RegExp
  /** Its tables: the first cell of a row, and where its other cells come from. */
  readonly rows: Readonly<Record<string, readonly Cell[]>>
  /** Its sentences, and where the first number of each comes from. */
  readonly sentences: Readonly<Record<string, Cell>>
  /** Numbers that were not measured: under which conditions it was, versions, limits. */
  readonly given: readonly string[]
}

const kept = (row: string): Cell => ['servers', 'writing route, one visitor on 32 connections', row, 'kept']
const rate = (row: string): Cell => ['servers', 'writing route, one visitor on 32 connections', row, 'requests/s']
const read64 = (row: string): Cell => ['size', 'read one field, session of 64 KB', row, 'bytes each']
const memory = (fields: string, column: string): Cell => ['memory', 'bytes for each of 5,000 sessions', fields, column]
const hot = (row: string, column: string): Cell => ['hot-field', '64 updaters in one process', row, column]

const reports: readonly Report[] = [
  {
    document: 'README.md',
    part: /^## Figures\n(.*?)^## /ms,
    rows: {
      'one visitor adds to a counter over 32 connections: increments kept': [
        kept('express-session, connect-memcached'),
        kept('Fieldwise, binary'),
      ],
      'the same requests, answered per second': [rate('express-session, connect-memcached'), rate('Fieldwise, binary')],
      'read one field of 20 in a session of 64 KB: bytes on the wire': [
        read64('connect-memcached'),
        read64('Fieldwise binary, the small field'),
      ],
      'a session of 5 short fields: bytes in memcached': [memory('5', 'connect-memcached'), memory('5', 'Fieldwise')],
    },
    sentences: {
      'one process makes 114,000 of them a second': hot('Fieldwise binary', 'updates/s'),
      '33.5 times as many as a naive compare-and-swap loop': hot('Fieldwise binary', 'against the naive loop'),
    },
    given: ['Up to 64 concurrent updates'],
  },
  {
    document: 'packages/fieldwise/guides/choosing-a-store.md',
    part: /^## What gets lost.*/ms,
    rows: {
      'express-session, its MemoryStore': [kept('express-session, MemoryStore'), rate('express-session, MemoryStore')],
      'express-session, connect-memcached': [
        kept('express-session, connect-memcached'),
        rate('express-session, connect-memcached'),
      ],
      'express-session, connect-redis': [kept('express-session, connect-redis'), rate('express-session, connect-redis')],
      'Fieldwise, in memory': [kept('Fieldwise, memory'), rate('Fieldwise, memory')],
      'Fieldwise, memcached': [kept('Fieldwise, binary'), rate('Fieldwise, binary')],
      'Redis, `WATCH` and `MULTI`': [hot('Redis WATCH/MULTI', 'updates/s'), hot('Redis WATCH/MULTI', 'slowest ms')],
      "Redis, a lock as PHP's session handler takes it": [
        hot('Redis lock (SET NX)', 'updates/s'),
        hot('Redis lock (SET NX)', 'slowest ms'),
      ],
      'memcached, a compare-and-swap loop on a bare socket': [
        hot('naive loop, raw socket', 'updates/s'),
        hot('naive loop, raw socket', 'slowest ms'),
      ],
      'memcached, Fieldwise': [hot('Fieldwise binary', 'updates/s'), hot('Fieldwise binary', 'slowest ms')],
    },
    sentences: {
      'takes 3,890 bytes in memcached': memory('20', 'Fieldwise'),
      'as one value it takes 1,360': memory('20', 'connect-memcached'),
    },
    given: [
      'one visitor, 32 connections',
      '64 concurrent updates of one value',
      '4,096 bytes for a cookie',
      'RFC 8725',
      'A session of 20 short fields',
      'Node 20, memcached 1.6.18, Redis 7.0.15',
      'medians of 7 repeats',
    ],
  },
]

const results = readFileSync(join(root, 'packages/bench/RESULTS.md'), 'utf8')

describe.each(reports)('of the figures in $document', ({ document, part, rows, sentences, given }) => {
  const text = part.exec(readFileSync(join(root, document), 'utf8'))?.[0] ?? ''
  const lines = text.split('\n')

  test.each(Object.entries(rows))('those of “%s” are the ones that were measured', (name, cells) => {
    const row = cellsOf(lines.find((line) => line.startsWith(`| ${name} |`)) ?? '')
    expect(row.slice(1).map(numberIn)).toEqual(cells.map((cell) => numberIn(cellOf(...cell))))
  })

  test.each(Object.entries(sentences))('that of “%s” is the one that was measured', (sentence, cell) => {
    expect(text).toContain(sentence)
    expect(numberIn(sentence)).toBe(numberIn(cellOf(...cell)))
  })

  test('none is without a measurement', () => {
    const measured = lines.filter((line) => Object.keys(rows).some((name) => line.startsWith(`| ${name} |`)))
    const told = [...measured, ...Object.keys(sentences), ...given]
    const rest = told.reduce((left, said) => left.replaceAll(said, ''), withoutTargets(text))
    expect(rest.match(/\d[\d.,]*/g) ?? []).toEqual([])
  })
})

/** The first number as it is written, whatever its unit and however many places it has. */
function numberIn(text: string): number {
  return Number((/\d[\d.,]*\d|\d/.exec(text)?.[0] ?? 'none').replaceAll(',', ''))
}

function cellOf(...[benchmark, title, row, column]: Cell): string {
  const ofBenchmark = between(results, `<!-- table: ${benchmark} -->`, '<!-- end -->')
  const [heads = [], ...rows] = tableUnder(`**${title}**`, ofBenchmark)
  const cell = rows.find(([first]) => first === row)?.[heads.indexOf(column)]
  if (cell === undefined) throw new Error(`RESULTS.md has no '${row}', '${column}' in '${title}' of ${benchmark}`)
  return cell.replace(/ ±.*/, '')
}

function tableUnder(title: string, text: string): string[][] {
  const [, table = ''] = text.slice(text.indexOf(title)).split('\n\n')
  return table.split('\n').map(cellsOf)
}

function cellsOf(line: string): string[] {
  const cells = line.split('|').slice(1, -1)
  return cells.map((cell) => cell.trim())
}

function between(text: string, start: string, end: string): string {
  const from = text.indexOf(start)
  return from === -1 ? '' : text.slice(from, text.indexOf(end, from))
}

/** The targets of links may hold numbers. */
function withoutTargets(text: string): string {
  return text.replace(/^\[.*\]: .*$/gm, '').replace(/\]\([^)]*\)|\]\[[^\]]*\]/g, ']')
}
