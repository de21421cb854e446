import { playHistory } from './scenario.js'
import { scenarioNamed } from './scenarios/index.js'

/** Plays one history again and prints everything that happens in it. */
export async function main([name = '', seed = '']: string[]): Promise<number> {
  const lines: string[] = []
  const violations = await playHistory(scenarioNamed(name), Number(seed), (line) => lines.push(line))
  console.log([...lines, '', ...violations, `${violations.length} violations`].join('\n'))
  return violations.length === 0 ? 0 : 1
}
