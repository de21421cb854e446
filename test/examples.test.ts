import { describe, expect, test } from 'vitest'
import { problemsIn } from './support/example-compiler.js'
import { runExample } from './support/example-runner.js'
import { type Example, examplesInComments, examplesInDocuments, isPiece } from './support/examples.js'

const inComments = examplesInComments()

test.each(byDocument([...examplesInDocuments(), ...inComments]))('the examples in %s compile', (_, examples) => {
  expect(problemsIn(examples)).toEqual([])
})

describe('an example in a comment of the core runs, and its results are those that it says', () => {
  const pieces = inComments.filter((example) => example.shownIn.startsWith('packages/fieldwise/') && isPiece(example))
  // These show what to do with an error or a store of the reader's own.
  const runnable = pieces.filter(({ code }) => !/\b(error|subject)\b/.test(code))

  test.each(runnable.map((example) => [`${example.shownIn}:${example.line}`, example.code]))('%s', async (_, code) => {
    const { results, expected } = await runExample(code)
    expect(results).toEqual(expected)
  })
})

function byDocument(examples: readonly Example[]): [string, Example[]][] {
  const documents = new Map<string, Example[]>()
  for (const example of examples) documents.set(example.shownIn, [...(documents.get(example.shownIn) ?? []), example])
  return [...documents]
}
