import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { root } from './packages.js'

/** A Markdown file of the repository. */
export interface Document {
  readonly path: string
  readonly text: string
}

/** Where links lead that leave a package: on a registry's page and in an installed package nothing else can be reached. */
export const repository = 'https://github.com/fieldwise/fieldwise'

export function documents(): Document[] {
  return execFileSync('git', ['ls-files', '*.md'], { cwd: root, encoding: 'utf8' })
    .split('\n')
    .filter((path) => path !== '' && existsSync(join(root, path)))
    .map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }))
}

/** Where the links of a document lead, as they are written: `[text](target)` and `[text]: target`. */
export function linksIn(text: string): string[] {
  const prose = withoutCode(text)
  return [...prose.matchAll(/\]\(([^)\s]+)\)|^\[[^\]]+\]: (\S+)$/gm)].map(([, inline, defined]) => (inline ?? defined) as string)
}

/** What `#…` may name in a document, by GitHub's rule for headings. */
export function anchorsIn(text: string): Set<string> {
  const headings = [...text.replace(/^```.*?^```$/gms, '').matchAll(/^#+ (.+)$/gm)].map(([, heading]) => heading as string)
  return new Set(headings.map(anchorOf))
}

function anchorOf(heading: string): string {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-')
}

function withoutCode(text: string): string {
  return text.replace(/^```.*?^```$/gms, '').replace(/`[^`\n]+`/g, '``')
}
