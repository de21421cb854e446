import { pathToFileURL } from 'node:url'
import { expect, test, vi } from 'vitest'
import { check, compile, discard } from './launch.mjs'
import { labelOf, mutants } from './mutants.js'
import { main } from './rules.js'
import { playOnThread } from './torture.js'

test.each(mutants)('the core keeps to $rule where it could do otherwise: $what', ({ replacements }) => {
  expect(check(replacements)).toEqual([])
})

test('a rule that is not there is refused, with those that are', async () => {
  using error = vi.spyOn(console, 'error').mockImplementation(() => {})
  expect(await main(['W4', 'NOPE'], { check, compile, discard, root: '' })).toBe(1)
  const [message] = error.mock.calls[0] as [string]
  expect(message).toMatch(/^There is no rule 'NOPE'; there are /)
  for (const mutant of mutants) expect(message).toContain(labelOf(mutant))
})

// A run of all rules has every one of them; these are noticed at once.
const atOnce = ['C2', 'R4', 'W5'].map((rule) => mutants.find((mutant) => mutant.rule === rule) as (typeof mutants)[number])

test.each(atOnce)(
  'the simulation notices when $rule is left out: $what',
  { timeout: 60_000 },
  async ({ replacements, scenarios }) => {
    const folder = compile(replacements)
    try {
      const share = { scenario: scenarios[0] as string, runSeed: 1, first: 0, count: 1_000, most: 1 }
      const { failures } = await playOnThread(share, pathToFileURL(`${folder}/test/simulation/`))
      expect(failures).toHaveLength(1)
    } finally {
      discard(folder)
    }
  },
)
