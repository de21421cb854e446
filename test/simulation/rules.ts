import { writeFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type Launcher, labelOf, type Mutant, mutants } from './mutants.js'
import type { Failure, Played } from './scenario.js'
import { playOnThread, seedFromEnvironment } from './torture.js'

/** How many histories of a scenario a missing rule may take to be noticed. */
const mostHistories = 100_000
/** How many are played of a rule that only saves something. */
const enoughToCount = 10_000

/** Leaves out each rule of the protocol once, shows which history notices, and writes the table. Arguments choose rules. */
export async function main(rules: string[], launcher: Launcher): Promise<number> {
  const unknown = rules.find((rule) => !mutants.some((mutant) => isNamed(mutant, rule)))
  if (unknown !== undefined) {
    console.error(`There is no rule '${unknown}'; there are ${mutants.map(labelOf).join(', ')}`)
    return 1
  }
  const chosen = mutants.filter((mutant) => rules.length === 0 || rules.some((rule) => isNamed(mutant, rule)))
  const stale = chosen.flatMap((mutant) => launcher.check(mutant.replacements).map((what) => `${labelOf(mutant)}: ${what}`))
  if (stale.length > 0) {
    console.error(stale.join('\n\n'))
    return 1
  }
  const runSeed = seedFromEnvironment()
  const rows = await judgeAll(chosen, runSeed, launcher)
  if (rules.length === 0) writeFileSync(join(launcher.root, 'test/simulation/RULES.md'), table(rows, runSeed))
  return rows.every((row) => row.failure || row.mutant.harmless || row.mutant.heldBy) ? 0 : 1
}

/** `W4` names all mutants of the rule, `W4a` one of them. */
function isNamed(mutant: Mutant, rule: string): boolean {
  return rule === mutant.rule || rule === labelOf(mutant)
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
  /** What it costs, where nothing can be noticed. */
  readonly remark: string
}

async function judge(mutant: Mutant, runSeed: number, launcher: Launcher): Promise<Row> {
  if (mutant.harmless) return weigh(mutant, mutant.harmless, runSeed, launcher)
  for (const scenario of mutant.scenarios) {
    const { failures } = await playWithout(mutant, { scenario, runSeed, first: 0, count: mostHistories, most: 1 }, launcher)
    if (failures[0]) return { mutant, failure: failures[0], remark: '' }
  }
  const held = mutant.heldBy ? `; held by ${mutant.heldBy}` : ''
  return { mutant, failure: undefined, remark: `not in ${mostHistories} histories of each${held}` }
}

/** Counts the calls of unknown outcome with the rule and without. */
async function weigh(mutant: Mutant, why: string, runSeed: number, launcher: Launcher): Promise<Row> {
  const share = { scenario: mutant.scenarios[0] as string, runSeed, first: 0, count: enoughToCount, most: 1 }
  const without = await playWithout(mutant, share, launcher)
  const within = await playOnThread(share)
  return {
    mutant,
    failure: without.failures[0],
    remark: `${why}: ${within.unknown} with it, ${without.unknown} without, of ${within.calls} calls`,
  }
}

async function playWithout(mutant: Mutant, share: Parameters<typeof playOnThread>[0], launcher: Launcher): Promise<Played> {
  const folder = launcher.compile(mutant.replacements)
  try {
    return await playOnThread(share, pathToFileURL(join(folder, 'test/simulation/')))
  } finally {
    launcher.discard(folder)
  }
}

function describeRow({ mutant, failure, remark }: Row): string {
  const noticed = failure
    ? `${failure.scenario} | ${failure.seed} | ${failure.history} | ${firstOf(failure)}`
    : `${mutant.scenarios.join(', ')} | | not noticed | ${remark}`
  return `| ${labelOf(mutant)} | ${mutant.what} | ${noticed} |`
}

/** What the history had against it, without the numbers of its operations. */
function firstOf(failure: Failure): string {
  const [first = ''] = failure.violations
  return (first.split(/[:\n]/)[0] as string).slice(0, 60)
}

function table(rows: readonly Row[], runSeed: number): string {
  return `# Each rule of the protocol left out once

Written by \`FIELDWISE_SEED=${runSeed} npm run rules\`.
For each row, the core is built without the rule, as \`mutants.ts\` says, and histories are played until one notices.
\`npm run replay -- <scenario> <seed> <rule>\` plays that history without the rule;
leave the last argument out to play it with the rule.

| rule | what was left out | noticed by | seed | histories until then | as |
|---|---|---|---|---|---|
${rows.map(describeRow).join('\n')}
`
}
