import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, test, vi } from 'vitest'
import { root, tracked } from '../support/packages.js'
import { check, compile, discard } from './launch.mjs'
import { labelOf, mutants } from './mutants.js'
import { main } from './rules.js'
import { playOnThread } from './torture.js'

test.each(mutants)('the core keeps to $rule where it could do otherwise: $what', ({ replacements }) => {
  expect(check(replacements)).toEqual([])
})

test('the table of rules has a row for each, with the tests that hold what no history notices', () => {
  const rows = readFileSync(join(root, 'test/simulation/RULES.md'), 'utf8').split('\n')
  const told = mutants.map((mutant) => rows.find((row) => row.startsWith(`| ${labelOf(mutant)} | ${mutant.what} |`)))
  expect(mutants.filter((_mutant, index) => told[index] === undefined).map(labelOf)).toEqual([])
  const held = [...mutants.entries()].filter(([, { heldBy }]) => heldBy !== undefined)
  for (const [index, { heldBy }] of held) expect(told[index]).toContain(`held by ${heldBy}`)
})

test.each(mutants.flatMap(({ heldBy }) => heldBy ?? []))('there is a test %s', (heldBy) => {
  const [, title] = /“(.+)”$/.exec(heldBy) as RegExpExecArray
  const files = [...heldBy.matchAll(/[\w-]+\.test\.ts/g)].map(([name]) => tracked(`packages/fieldwise/src/lib/*/${name}`))
  for (const found of files) expect(found).toHaveLength(1)
  expect(readFileSync(join(root, files.at(-1)?.[0] as string), 'utf8')).toContain(`'${title}'`)
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
