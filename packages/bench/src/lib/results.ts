import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { drawSvg } from './chart.js'
import type { Grid } from './grid.js'
import type { Section, Table } from './table.js'

const folder = fileURLToPath(new URL('../..', import.meta.url))
const file = `${folder}/RESULTS.md`

const introduction = `# Results

Written by \`npm run bench -- --write\`. Figures hold only for the run that their section describes.

In a run, all candidates have their turn in each repeat, and each repeat begins with another one.
A figure is the median of the repeats, and ± is half the distance between the least and the greatest.
A ratio is the median of the ratios within the repeats.
CPU time is that of the measured process, without the server behind it:
other work on the machine disturbs it less than it does the clock.`

/** Puts a table's section in the place of its last one, and leaves those of other tables as they are. */
export function writeSection(tables: readonly Table[], table: Table, section: Section, stamp: string): void {
  mkdirSync(`${folder}/charts`, { recursive: true })
  for (const chart of section.charts) writeFileSync(`${folder}/charts/${chart.name}.svg`, drawSvg(chart))
  const sections = new Map(sectionsIn(existsSync(file) ? readFileSync(file, 'utf8') : ''))
  sections.set(table.name, markdown(table, section, stamp))
  const ordered = tables.flatMap(({ name }) => sections.get(name) ?? [])
  writeFileSync(file, `${[introduction, ...ordered].join('\n\n')}\n`)
}

/** A section as Markdown, between marks by which it is found again. */
function markdown({ name, title }: Table, { text, grids, charts }: Section, stamp: string): string {
  const pictures = charts.map((chart) => `![${chart.title}](charts/${chart.name}.svg)`)
  const parts = [`## ${title}`, text, ...grids.map(markdownTable), ...pictures, stamp]
  return [begin(name), ...parts, endMark].join('\n\n')
}

/** The sections in a file that was written before, each with the name of its table. */
function sectionsIn(text: string): [name: string, section: string][] {
  return [...text.matchAll(/<!-- table: (\S+) -->.*?<!-- end -->/gs)].map(([section, name]) => [name as string, section])
}

function markdownTable({ caption, columns, rows }: Grid): string {
  const line = (cells: readonly string[]) => `| ${cells.join(' | ')} |`
  const rule = `|${columns.map((_, index) => (index === 0 ? '---' : '---:')).join('|')}|`
  return [`**${caption}**`, '', line(columns), rule, ...rows.map(line)].join('\n')
}

function begin(name: string): string {
  return `<!-- table: ${name} -->`
}

const endMark = '<!-- end -->'
