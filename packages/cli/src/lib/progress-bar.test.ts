import { expect, test } from 'vitest'
import { ProgressBar } from './progress-bar.js'
import type { Terminal } from './terminal.js'

function bar(watched: boolean): { said: string[]; bar: ProgressBar } {
  const said: string[] = []
  const terminal: Terminal = { env: {}, watched, write: () => {}, say: (text) => said.push(text), paint: (_, text) => text }
  return { said, bar: new ProgressBar(terminal, 'race', 80) }
}

test('a bar grows in its line, and goes', () => {
  const shown = bar(true)
  shown.bar.show(0)
  shown.bar.show(41)
  shown.bar.clear()
  expect(shown.said).toEqual([`\rrace [${'.'.repeat(40)}] 0 %`, `\rrace [${'#'.repeat(21)}${'.'.repeat(19)}] 51 %`, '\r\u001b[K'])
})

test('nothing is written where nobody watches', () => {
  const shown = bar(false)
  shown.bar.show(40)
  shown.bar.clear()
  expect(shown.said).toEqual([])
})
