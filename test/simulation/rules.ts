import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Mutant, mutants } from './mutants.js'
import type { Failure } from './scenario.js'
import { playOnThread, seedFromEnvironment } from './torture.js'

/** What launch.mjs lends to its programs. */
interface Launcher {
  compile(replacements: Mutant['replacements']): string
  /** What is wrong with these replacements: the sources have moved on. */
  check(replacements: Mutant['replacements']): string[]
  discard(folder: string): void
  readonly root: string
}

/** How many histories of a scenario a missing rule may take to be noticed. */
const mostHistories = Number(process.env.MOST ?? 100_000)

/** Leaves out each rule of the protocol once, shows which history notices, and writes the table. Arguments choose rules. */
export async function main(rules: string[], launcher: Launcher): Promise<number> {
  const chosen = mutants.filter((mutant) => rules.length === 0 || rules.includes(mutant.rule))
  const stale = chosen.flatMap((mutant) =>
    launcher.check(mutant.replacements).map((what) => `${mutant.rule}, ${mutant.what}: ${what}`),
  )
  if (stale.length > 0) {
    console.error(stale.join('\n\n'))
    return 1
  }
  const runSeed = seedFromEnvironment()
  const rows = await judgeAll(chosen, runSeed, launcher)
  if (rules.length === 0) writeFileSync(join(launcher.root, 'test/simulation/RULES.md'), table(rows, runSeed))
  return rows.every((row) => row.failure || row.mutant.harmless) ? 0 : 1
}

/** Several at a time; the rows are in the order of the mutants. */
async function judgeAll(chosen: readonly Mutant[], runSeed: number, launcher: Launcher): Promise<Row[]> {
  const rows: Row[] = []
  const waiting = [...chosen.entries()]
  const judgeNext = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const row = await judge(next[1], runSeed, launcher)
      console.log(describeRow(row))
      rows[next[0]] = row
    }
  }
  await Promise.all(Array.from({ length: availableParallelism() }, judgeNext))
  return rows
}

interface Row {
  readonly mutant: Mutant
  readonly failure: Failure | undefined
}

async function judge(mutant: Mutant, runSeed: number, launcher: Launcher): Promise<Row> {
  const folder = launcher.compile(mutant.replacements)
  try {
    for (const scenario of mutant.scenarios) {
      const share = { scenario, runSeed, first: 0, count: mutant.harmless ? 2_000 : mostHistories, most: 1 }
      const [failure] = await playOnThread(share, pathToFileURL(join(folder, 'test/simulation/')))
      if (failure) return { mutant, failure }
    }
    return { mutant, failure: undefined }
  } finally {
    launcher.discard(folder)
  }
}

function describeRow({ mutant, failure }: Row): string {
  const noticed = failure
    ? `| ${failure.scenario} | ${failure.seed} | ${failure.history} | ${firstOf(failure)} |`
    : `| ${mutant.scenarios.join(', ')} | | not noticed | ${mutant.harmless ?? ''} |`
  return `| ${mutant.rule} | ${mutant.what} ${noticed}`
}

/** What the history had against it, without the numbers of its operations. */
function firstOf(failure: Failure): string {
  const [first = ''] = failure.violations
  return (first.split(/[:\n]/)[0] as string).slice(0, 60)
}

function table(rows: readonly Row[], runSeed: number): string {
  return `# Each rule of the protocol left out once

Written by \`FIELDWISE_SEED=${runSeed} node test/simulation/launch.mjs rules\`: the core is built without the rule (\`mutants.ts\` says
how), and histories are played until one notices. To see that history, build the same way and play its seed.

| rule | what was left out | noticed by | seed | histories until then | as |
|---|---|---|---|---|---|
${rows.map(describeRow).join('\n')}
`
}
