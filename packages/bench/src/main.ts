import { clientsTable } from './clients/table.js'
import { growthTable } from './growth/table.js'
import { heapTable } from './heap/table.js'
import { hotFieldTable } from './hot-field/table.js'
import { leanTable } from './lean/table.js'
import { parseArguments } from './lib/arguments.js'
import { writeSection } from './lib/results.js'
import { Screen } from './lib/screen.js'
import { stamp } from './lib/stamp.js'
import type { Scale } from './lib/table.js'
import { memoryTable } from './memory/table.js'
import { serversTable } from './servers/table.js'
import { sharedTable } from './shared/table.js'
import { sizeTable } from './size/table.js'
import { typesTable } from './types/table.js'
import { usersTable } from './users/table.js'

const all = [
  clientsTable,
  leanTable,
  serversTable,
  hotFieldTable,
  usersTable,
  sharedTable,
  sizeTable,
  growthTable,
  memoryTable,
  heapTable,
  typesTable,
]

process.once('SIGINT', () => process.exit(130))
process.once('SIGTERM', () => process.exit(143))

const { tables, isQuick, writes, command } = parseArguments(process.argv.slice(2), all)
const screen = new Screen()
const scale: Scale = { isQuick, repeats: isQuick ? 3 : 7, screen }
for (const table of tables) {
  screen.say(`${table.name}: ${table.title}`)
  const begun = performance.now()
  const section = await table.run(scale)
  const seconds = (performance.now() - begun) / 1_000
  for (const grid of section.grids) screen.show(grid)
  if (writes) writeSection(all, table, section, stamp(command, scale, seconds))
  screen.say(`${table.name}: done in ${Math.round(seconds)} s${writes ? ', and written' : '; --write puts it into RESULTS.md'}`)
}
