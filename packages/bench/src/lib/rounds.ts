import type { Scale } from './table.js'

/** One of several that are measured by turns. */
export interface Entrant<Result> {
  readonly name: string
  measure(): Promise<Result>
}

/**
 * Measures all candidates in turn, as often as asked, each round beginning with another one, so that whatever changes on the machine
 * during a run changes for all. A round that does not count comes first, in which code is compiled and connections are made.
 */
export async function alternate<Result>(
  candidates: readonly Entrant<Result>[],
  { repeats, screen }: Scale,
): Promise<Map<string, readonly Result[]>> {
  const results = new Map<string, Result[]>(candidates.map(({ name }) => [name, []]))
  for (const candidate of candidates) {
    screen.step(`warming up: ${candidate.name}`)
    await candidate.measure()
  }
  for (let round = 0; round < repeats; round++) {
    const first = round % candidates.length
    for (const candidate of [...candidates.slice(first), ...candidates.slice(0, first)]) {
      screen.step(`round ${round + 1} of ${repeats}: ${candidate.name}`)
      results.get(candidate.name)?.push(await candidate.measure())
    }
  }
  return results
}
