/** One of several that are measured by turns. */
export interface Candidate<Result> {
  readonly name: string
  measure(): Promise<Result>
}

/**
 * Measures all candidates in turn, as often as asked, each round beginning with another one, so that whatever changes on the machine
 * during a run changes for all. A round that does not count comes first, in which code is compiled and connections are made.
 */
export async function alternate<Result>(
  candidates: readonly Candidate<Result>[],
  repeats: number,
): Promise<Map<string, readonly Result[]>> {
  const results = new Map<string, Result[]>(candidates.map(({ name }) => [name, []]))
  for (const candidate of candidates) await candidate.measure()
  for (let round = 0; round < repeats; round++) {
    const first = round % candidates.length
    for (const candidate of [...candidates.slice(first), ...candidates.slice(0, first)]) {
      results.get(candidate.name)?.push(await candidate.measure())
    }
  }
  return results
}
