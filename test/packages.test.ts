import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, dirname, join, relative, resolve } from 'node:path'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { entriesOf, type Manifest, publishedPackages, root } from './support/packages.js'

const project = mkdtempSync(join(tmpdir(), 'fieldwise-packages-'))
const packages = publishedPackages()
const entries = packages.flatMap(({ manifest }) => entriesOf(manifest))

beforeAll(() => {
  const tarballs = packages.map(({ folder }) => pack(folder))
  writeFileSync(join(project, 'package.json'), '{ "name": "empty-project", "private": true }\n')
  run('npm', ['install', '--prefer-offline', ...tarballs, ...companions()])
}, 180_000)

afterAll(() => rmSync(project, { recursive: true, force: true }))

describe('packed and installed with npm into an empty project', () => {
  test.each(entries)('%s can be imported and required, and both give the same', (entry) => {
    const imported = run('node', [
      '--input-type=module',
      '-e',
      `import * as it from '${entry}'; console.log(Object.keys(it).sort().join())`,
    ])
    const required = run('node', [
      '-e',
      `console.log(Object.keys(require('${entry}')).filter(k => k !== '__esModule').sort().join())`,
    ])
    expect(imported.trim()).not.toBe('')
    expect(required).toBe(imported)
  })

  test.each([
    { moduleResolution: 'NodeNext', module: 'NodeNext', file: 'esm.mts' },
    { moduleResolution: 'NodeNext', module: 'NodeNext', file: 'cjs.cts' },
    { moduleResolution: 'bundler', module: 'ESNext', file: 'bundled.ts' },
  ])(
    'the types of all entries are found and sound in $file under $moduleResolution',
    { timeout: 180_000 },
    ({ module, moduleResolution, file }) => {
      const imports = entries.map((entry, i) =>
        file.endsWith('.cts') ? `import e${i} = require('${entry}')` : `import * as e${i} from '${entry}'`,
      )
      writeFileSync(join(project, file), `${imports.join('\n')}\nexport const all = [${entries.map((_, i) => `e${i}`)}]\n`)
      const options = [
        '--module',
        module,
        '--moduleResolution',
        moduleResolution,
        '--target',
        'ES2022',
        '--types',
        'node',
        '--strict',
        '--noEmit',
      ]
      expect(run(join(root, 'node_modules/.bin/tsc'), [...options, file])).toBe('')
    },
  )
})

describe.each(packages.map(({ manifest }) => manifest))('the tarball of $name', (source) => {
  const folder = join(project, 'node_modules', source.name)

  test('holds code, types, a README and the licence, and nothing else', () => {
    const others = filesBelow(folder).filter((path) => !/^dist\/.*(\.js|\.d\.ts)$/.test(path))
    expect(others.sort()).toEqual(['LICENSE', 'README.md', 'package.json'])
  })

  test('holds everything that is exported, and everything in it is reached from an export', () => {
    const code = filesBelow(folder).filter((path) => path.startsWith('dist/'))
    const reached = reachable(folder, targetsOf(manifestOf(folder))).files
    // Code has types of its own whether or not an exported type leads to them, and types have code, be it empty.
    expect(modules(reached), 'files of an older build stay in `dist` until it is removed').toEqual(modules(code))
    expect(reached.filter((path) => !code.includes(path))).toEqual([])
  })

  test('needs only what it declares', () => {
    const { name, dependencies, peerDependencies } = manifestOf(folder)
    const declared = new Set(Object.keys({ [name]: '', ...dependencies, ...peerDependencies }))
    const undeclared = reachable(folder, targetsOf(manifestOf(folder))).packages.filter((other) => !declared.has(other))
    expect(undeclared).toEqual([])
  })

  test('names no version that only a workspace knows', () => {
    const { dependencies, peerDependencies } = manifestOf(folder)
    expect(Object.values({ ...dependencies, ...peerDependencies }).filter((range) => range.includes(':'))).toEqual([])
  })
})

test('the core opens no sockets and knows no memcached client', () => {
  const core = join(project, 'node_modules/fieldwise')
  const { packages: used, builtins } = reachable(core, ['dist/index.js'])
  expect(used).not.toContain('memjs')
  expect(builtins.filter((name) => ['node:net', 'node:tls', 'node:http', 'node:fs'].includes(name))).toEqual([])
})

/** pnpm replaces `workspace:` ranges; npm leaves them as they are. */
function pack(folder: string): string {
  const tarballs = join(project, 'tarballs', basename(folder))
  mkdirSync(tarballs, { recursive: true })
  execFileSync('npx', ['--yes', 'pnpm@12', 'pack', '--pack-destination', tarballs], { cwd: folder, stdio: 'pipe' })
  return join(tarballs, readdirSync(tarballs)[0] as string)
}

/** What a user of every entry installs besides: the peers, and types for the types. */
function companions(): string[] {
  const peers = packages.flatMap(({ manifest }) => Object.entries(manifest.peerDependencies ?? {}))
  const theirs = peers.filter(([name]) => !packages.some(({ manifest }) => manifest.name === name))
  return [...theirs.map(([name, range]) => `${name}@${range}`), '@types/node@20', '@types/express@5']
}

function run(program: string, args: string[]): string {
  try {
    return execFileSync(program, args, { cwd: project, encoding: 'utf8', stdio: 'pipe' })
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`${program} ${args.join(' ')}\n${stdout}${stderr}`, { cause: error })
  }
}

function manifestOf(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}

function targetsOf({ exports = {}, bin = {} }: Manifest): string[] {
  const exported = Object.values(exports).flatMap((target) => (typeof target === 'string' ? [] : [target.types, target.default]))
  return [...exported, ...Object.values(bin)]
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)))
    .filter((path) => !path.startsWith('node_modules/'))
}

/** Follows relative imports from `targets`, in code and types alike. A file that is missing is listed too, so that it stands out. */
function reachable(folder: string, targets: readonly string[]) {
  const files = new Set<string>()
  const others = new Set<string>()
  const queue = targets.map((target) => join(folder, target))
  for (const path of queue) {
    if (files.has(path)) continue
    files.add(path)
    if (!existsSync(path)) continue
    for (const name of importsOf(path)) {
      if (name.startsWith('.')) queue.push(resolve(dirname(path), path.endsWith('.d.ts') ? name.replace(/\.js$/, '.d.ts') : name))
      else others.add(name)
    }
  }
  const builtins = [...others].filter((name) => name.startsWith('node:'))
  const packageNames = [...others]
    .filter((name) => !name.startsWith('node:'))
    .map((name) => name.split('/', name.startsWith('@') ? 2 : 1).join('/'))
  return { files: [...files].map((path) => relative(folder, path)), builtins, packages: [...new Set(packageNames)] }
}

function modules(paths: readonly string[]): string[] {
  return [...new Set(paths.map((path) => path.replace(/(\.d)?\.[jt]s$/, '')))].sort()
}

function importsOf(path: string): string[] {
  return ts.preProcessFile(readFileSync(path, 'utf8')).importedFiles.map(({ fileName }) => fileName)
}
