import { describe, expect, test } from 'vitest'
import { problemsIn } from './support/example-compiler.js'
import { isRunnable, runExample } from './support/example-runner.js'
import { examplesInComments, examplesInDocuments } from './support/examples.js'

const examples = [...examplesInDocuments(), ...examplesInComments()]

test.each([...problemsIn(examples)])('the examples in %s compile', (_, problems) => {
  expect(problems).toEqual([])
})

describe('an example of the core runs, and its results are those that it says', () => {
  const runnable = examples.filter((example) => example.shownIn.startsWith('packages/fieldwise/') && isRunnable(example))

  test.each(runnable.map((example) => [`${example.shownIn}:${example.line}`, example.code]))('%s', async (_, code) => {
    const { results, expected } = await runExample(code)
    expect(results).toEqual(expected)
  })
})
