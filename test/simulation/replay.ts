import { join } from 'node:path'
import { type Launcher, labelOf, mutants } from './mutants.js'
import { playHistory } from './scenario.js'
import { scenarioNamed } from './scenarios/index.js'

/** Plays one history again and prints everything that happens in it; with a third argument, without that rule of the protocol. */
export async function main([name = '', seed = '', rule]: string[], launcher: Launcher): Promise<number> {
  if (rule !== undefined) return replayWithout(rule, [name, seed], launcher)
  const lines: string[] = []
  const { violations } = await playHistory(scenarioNamed(name), Number(seed), (line) => lines.push(line))
  console.log([...lines, '', ...violations, `${violations.length} violations`].join('\n'))
  return violations.length === 0 ? 0 : 1
}

async function replayWithout(rule: string, history: string[], launcher: Launcher): Promise<number> {
  const mutant = mutants.find((one) => labelOf(one) === rule)
  if (!mutant) throw new Error(`There is no rule '${rule}'; there are ${mutants.map(labelOf).join(', ')}`)
  const folder = launcher.compile(mutant.replacements)
  try {
    const other = await import(join(folder, 'test/simulation/replay.js'))
    return await other.main(history, launcher)
  } finally {
    launcher.discard(folder)
  }
}
