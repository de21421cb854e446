import { pathToFileURL } from 'node:url'
import { expect, test } from 'vitest'
import { check, compile, discard } from './launch.mjs'
import { mutants } from './mutants.js'
import { playOnThread } from './torture.js'

test.each(mutants)('the core keeps to $rule where it could do otherwise: $what', ({ replacements }) => {
  expect(check(replacements)).toEqual([])
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
