import { existsSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { describe, expect, test } from 'vitest'
import { anchorsIn, documents, linksIn, repository } from './support/documents.js'
import { root } from './support/packages.js'

const all = documents()

describe('a link in a document', () => {
  const links = all.flatMap(({ path, text }) => linksIn(text).map((link) => ({ path, link, ...targetOf(path, link) })))
  const ours = links.filter(({ file }) => file !== undefined)

  test('leads to a file of the repository that is there, also where it names the repository itself', () => {
    expect(ours.length).toBeGreaterThan(100)
    expect(ours.filter(({ file }) => !existsSync(join(root, file as string)))).toEqual([])
  })

  test('leads to a heading that is there', () => {
    const anchors = new Map(all.map(({ path, text }) => [path, anchorsIn(text)]))
    const named = ours.filter(({ file, anchor }) => anchor !== '' && anchors.has(file as string))
    expect(named.length).toBeGreaterThan(20)
    expect(named.filter(({ file, anchor }) => !anchors.get(file as string)?.has(anchor))).toEqual([])
  })
})

/** Lines are broken at sentences, so that a change of one shows as a change of one. What cannot be broken may be longer. */
describe('a line of a document has at most 120 characters', () => {
  test.each(all.map(({ path }) => path))('in %s', (path) => {
    expect(longLinesOf(all.find((document) => document.path === path)?.text as string)).toEqual([])
  })
})

/** A file of the repository and a heading in it, or nothing for a link to somewhere else. */
function targetOf(path: string, link: string): { readonly file: string | undefined; readonly anchor: string } {
  const [place = '', anchor = ''] = link.split('#')
  const within = /^(?:blob|tree)\/main\/(.*)$/.exec(place.startsWith(repository) ? place.slice(repository.length + 1) : '')
  if (within !== null) return { file: within[1], anchor }
  if (/^[a-z]+:/.test(place)) return { file: undefined, anchor }
  return { file: place === '' ? path : normalize(join(dirname(path), place)), anchor }
}

/** Not counted: tables, code, and lines that are one link. */
function longLinesOf(text: string): string[] {
  const prose = text.replace(/^```.*?^```$/gms, '')
  return prose.split('\n').filter((line) => line.length > 120 && !/^ *\||^\[[^\]]+\]: \S+$|^!\[.*\)$/.test(line))
}
