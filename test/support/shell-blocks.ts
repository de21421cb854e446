import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { documents } from './documents.js'
import { root } from './packages.js'

/** One command of a `sh` block, as words. */
export interface Command {
  /** The document that shows it. */
  readonly shownIn: string
  readonly text: string
  readonly program: string
  readonly args: readonly string[]
}

/** The commands of the `sh` blocks of all documents. */
export function commandsInDocuments(): Command[] {
  return documents().flatMap(({ path, text }) =>
    [...text.matchAll(/^```sh\n(.*?)^```/gms)].flatMap(([, block]) => commandsOf(path, block as string)),
  )
}

/** What documents say the language of each of their blocks is. */
export function languagesInDocuments(): { path: string; language: string }[] {
  return documents().flatMap(({ path, text }) =>
    [...text.matchAll(/^```([^\n]*)\n.*?^```$/gms)].map(([, language]) => ({ path, language: language as string })),
  )
}

/** The scripts that `npm run` has where a document is. */
export function scriptsBeside(path: string): string[] {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const manifest = join(root, folder, 'package.json')
    const { scripts } = existsSync(manifest) ? JSON.parse(readFileSync(manifest, 'utf8')) : {}
    if (scripts || folder === '.') return Object.keys(scripts ?? {})
  }
}

function commandsOf(shownIn: string, block: string): Command[] {
  const lines = block.replace(/\\\n/g, ' ').split('\n')
  const texts = lines.flatMap((line) => line.replace(/(^| +)#.*/, '').split(/&&|[|;&]/))
  return texts.flatMap((text) => commandOf(shownIn, text.replace(/^ *(do|done)\b|\w+=\$\(/, '').trim()))
}

function commandOf(shownIn: string, text: string): Command[] {
  const words = [...text.matchAll(/"[^"]*"|'[^']*'|\S+/g)].map(([word]) => word)
  const first = words.findIndex((word) => !/^\w+=/.test(word) && word !== 'sudo')
  if (first === -1) return []
  return [{ shownIn, text, program: words[first] as string, args: words.slice(first + 1) }]
}
