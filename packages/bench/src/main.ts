import { clientsTable } from './clients/table.js'
import { growthTable } from './growth/table.js'
import { heapTable } from './heap/table.js'
import { hotFieldTable } from './hot-field/table.js'
import { leanTable } from './lean/table.js'
import { parseArguments } from './lib/arguments.js'
import { writeSection } from './lib/results.js'
import { stamp } from './lib/stamp.js'
import { memoryTable } from './memory/table.js'
import { serversTable } from './servers/table.js'
import { sizeTable } from './size/table.js'
import { typesTable } from './types/table.js'

const all = [clientsTable, leanTable, serversTable, hotFieldTable, sizeTable, growthTable, memoryTable, heapTable, typesTable]

process.once('SIGINT', () => process.exit(130))
process.once('SIGTERM', () => process.exit(143))

const { tables, scale, command } = parseArguments(process.argv.slice(2), all)
for (const table of tables) {
  say(`${table.name}: ${table.title}`)
  const begun = performance.now()
  const section = await table.run(scale)
  const seconds = (performance.now() - begun) / 1_000
  writeSection(all, table, section, stamp(command, scale, seconds))
  say(`${table.name}: done in ${Math.round(seconds)} s`)
}

function say(line: string): void {
  process.stderr.write(`${line}\n`)
}
