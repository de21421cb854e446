import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = fileURLToPath(new URL('../..', import.meta.url))

/** What the tests need to know of a `package.json`. */
export interface Manifest {
  readonly name: string
  readonly version: string
  readonly private?: boolean
  readonly homepage?: string
  readonly bugs?: string
  readonly repository?: { readonly url: string; readonly directory: string }
  readonly files?: readonly string[]
  readonly bin?: Readonly<Record<string, string>>
  readonly exports?: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
  readonly imports?: Readonly<Record<string, { readonly types: string; readonly default: string }>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

export interface Package {
  readonly folder: string
  readonly manifest: Manifest
}

/** All packages that users can install. */
export function publishedPackages(): Package[] {
  return readdirSync(join(root, 'packages'))
    .map((name) => join(root, 'packages', name))
    .map((folder) => ({ folder, manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest }))
    .filter(({ manifest }) => !manifest.private)
}

/** The names that a program can import: `fieldwise`, `fieldwise/adapter`, … */
export function entriesOf({ name, exports = {} }: Manifest): string[] {
  return Object.entries(exports).flatMap(([path, target]) => (typeof target === 'string' ? [] : [name + path.slice(1)]))
}

/** The paths that git tracks, by patterns as `git ls-files` takes them. */
export function tracked(...patterns: string[]): string[] {
  const paths = execFileSync('git', ['ls-files', '-z', '--', ...patterns], { cwd: root, encoding: 'utf8' })
  return [...new Set(paths.split('\0').filter((path) => path !== ''))]
}
