import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root, tracked } from './support/packages.js'

const rules = [...read('packages/fieldwise/PROTOCOL.md').matchAll(/^### ([A-Z]\d+)\. /gm)].map(([, id]) => id as string)
const families = [...new Set(rules.map((id) => id[0]))].join('')
const self = 'test/protocol.test.ts'
const code = tracked('packages/*/src/**/*.ts', 'packages/*/src/*.ts', 'test/**/*.ts')
  .filter((path) => path !== self)
  .flatMap(citationsIn)
const documents = tracked('*.md', 'packages/**/*.md', 'test/**/*.md').flatMap(citationsIn)

test('every rule that code or a document cites is in PROTOCOL.md', () => {
  expect(rules.length).toBeGreaterThan(30)
  expect([...code, ...documents].filter(({ id }) => !rules.includes(id))).toEqual([])
})

test('every rule of PROTOCOL.md is cited where it is obeyed or tested', () => {
  expect(rules.filter((id) => !code.some((citation) => citation.id === id))).toEqual([])
})

test('no rule has two entries', () => {
  expect(rules).toEqual([...new Set(rules)])
})

test('every file that ARCHITECTURE.md names is there', () => {
  const sources = tracked('packages/*/src/**/*.ts', 'test/**/*.ts')
  const named = [...read('packages/fieldwise/ARCHITECTURE.md').matchAll(/[\w/-]+\.ts\b/g)].map(([name]) => name)
  expect(named.length).toBeGreaterThan(20)
  expect(named.filter((name) => !sources.some((path) => path === name || path.endsWith(`/${name}`)))).toEqual([])
})

/** `(W8)`, `R4, L5`, `T1 to T5`, `rule: 'W1'`; a letter behind it names one of several ways to leave the rule out. */
function citationsIn(path: string): { readonly id: string; readonly path: string }[] {
  const citation = new RegExp(`(?<![\\w#.\`/-])([${families}](?:[1-9]|1\\d))[a-h]?(?![\\w.-])`, 'g')
  return [...read(path).matchAll(citation)].map(([, id]) => ({ id: id as string, path }))
}

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}
