import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { publishedPackages, root } from './support/packages.js'

const tracked = execFileSync('git', ['ls-files'], { cwd: root, encoding: 'utf8' })
  .trimEnd()
  .split('\n')
  .filter((path) => existsSync(join(root, path)))
const texts = tracked.filter((path) => !/\.(png|ico|woff2)$/.test(path))

describe('the repository', () => {
  test('shows at its top only what a newcomer looks for', () => {
    const shown = new Set(tracked.map((path) => path.split('/')[0] as string).filter((name) => !name.startsWith('.')))
    const known = ['packages', 'examples', 'test', 'package.json', 'tsconfig.base.json', 'pnpm-workspace.yaml', 'pnpm-lock.yaml']
    const documents = ['README.md', 'LICENSE', 'CONTRIBUTING.md', 'CHANGELOG.md']
    expect([...shown].filter((name) => ![...known, ...documents].includes(name))).toEqual([])
  })

  test('names no path of the machine it was written on', () => {
    const paths = [root.replace(/\/$/, ''), homedir()].filter((path) => path.length > 1)
    const pattern = new RegExp(`(?<![\\w.~/-])(${paths.map(escaped).join('|')})(?![\\w-])`)
    expect(linesLike(pattern)).toEqual([])
  })

  test('names no package registry: whoever installs uses the one that is set up', () => {
    const host = new URL(execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8', stdio: 'pipe' }).trim()).host
    expect(linesLike(new RegExp(`${escaped(host)}|//registry\\.|tarball: *http`))).toEqual([])
  })

  test('names in comments and documents no document that is not in it', () => {
    const known = new Set(tracked.map((path) => path.split('/').at(-1)))
    const unknown = texts.flatMap((path) =>
      [...read(path).matchAll(/(?<![\w*.{/-])[A-Z][A-Z_-]+\.md\b/g)].map(([name]) => ({ path, name })),
    )
    expect(unknown.filter(({ name }) => !known.has(name))).toEqual([])
  })

  test('names in its documents no test that is gone', () => {
    const named = texts
      .filter((path) => path.endsWith('.md'))
      .flatMap((path) =>
        [...read(path).matchAll(/`(\S+\.ts)` \*(.+?)\* \|/g)].map(([, file, title]) => ({ file, title }) as Named),
      )
    expect(named.length).toBeGreaterThan(0)
    expect(named.filter(({ file, title }) => !read(file).includes(title))).toEqual([])
  })

  test('names in its documents no file that is gone', () => {
    const named = texts
      .filter((path) => path.endsWith('.md'))
      .flatMap((path) =>
        [...read(path).matchAll(/`((?:packages|examples|test|\.scripts|\.ci)\/[\w@./-]+)`/g)].map((match) => match[1] as string),
      )
    expect(named.filter((path) => !existsSync(join(root, path)))).toEqual([])
  })
})

describe('the arrows between packages point one way', () => {
  const allowed: Record<string, readonly string[]> = {
    fieldwise: [],
    '@fieldwise/memcached': ['fieldwise'],
    '@fieldwise/http': ['fieldwise'],
    '@fieldwise/cli': ['fieldwise', '@fieldwise/memcached', '@fieldwise/http'],
  }

  test.each(publishedPackages().map(({ manifest }) => manifest.name))('%s', (name) => {
    const folder = `packages/${name.replace('@fieldwise/', '')}/src/`
    const used = texts.filter((path) => path.startsWith(folder) && !path.includes('.test')).flatMap(packagesUsedBy)
    const ours = new Set(used.filter((other) => other !== name && /^(@fieldwise\/|fieldwise$)/.test(other)))
    expect([...ours].filter((other) => !allowed[name]?.includes(other))).toEqual([])
  })

  test('one file of the memcached store alone knows memjs', () => {
    const sources = texts.filter((path) => path.startsWith('packages/memcached/src/') && !path.includes('.test'))
    expect(sources.filter((path) => packagesUsedBy(path).includes('memjs'))).toHaveLength(1)
  })
})

interface Named {
  readonly file: string
  readonly title: string
}

function packagesUsedBy(path: string): string[] {
  const { importedFiles } = ts.preProcessFile(read(path))
  return importedFiles.map(({ fileName }) => fileName.split('/', fileName.startsWith('@') ? 2 : 1).join('/'))
}

function linesLike(pattern: RegExp): string[] {
  return texts.flatMap((path) =>
    read(path)
      .split('\n')
      .filter((line) => pattern.test(line))
      .map((line) => `${path}: ${line.trim()}`),
  )
}

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&')
}
