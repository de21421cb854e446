import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative, resolve } from 'node:path'
import { rolldown } from 'rolldown'
import ts from 'typescript'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { linksIn, repository } from './support/documents.js'
import { type Installer, installed, nodesOf, type Project, packAll } from './support/installation.js'
import { entriesOf, type Manifest, publishedPackages, root } from './support/packages.js'
import { report, sized } from './support/scale.js'

const isEverywhere = process.env.FIELDWISE_INSTALLATIONS === 'all'
const installers: Installer[] = isEverywhere ? ['npm', 'pnpm', 'yarn'] : ['npm']
const currentVersion = Number(process.versions.node.split('.')[0])
const versions = isEverywhere ? [20, 22, 24] : [currentVersion]

const packages = publishedPackages()
const entries = packages.flatMap(({ manifest }) => entriesOf(manifest))
const work = mkdtempSync(join(tmpdir(), 'fieldwise-packages-'))
let nodes = new Map([[currentVersion, process.execPath]])
const projects = new Map<Installer, Project>()

beforeAll(() => {
  const tarballs = packAll(work)
  for (const installer of installers) projects.set(installer, installed(installer, tarballs))
  if (isEverywhere) nodes = nodesOf(versions, work)
}, 600_000)

afterAll(() => {
  for (const project of projects.values()) project.remove()
  rmSync(work, { recursive: true, force: true })
}, 300_000)

describe.each(installers)('packed and installed with %s into an empty project', (installer) => {
  test.each(versions)('on Node %i every entry can be imported and required, and both give the same', (version) => {
    const names = (load: string) =>
      `const names = {}; for (const entry of ${JSON.stringify(entries)}) names[entry] = Object.keys(${load}).sort(); console.log(JSON.stringify(names))`
    const imported = JSON.parse(evaluate(installer, version, 'module', names('await import(entry)')))
    const required = JSON.parse(evaluate(installer, version, 'commonjs', names('require(entry)')))
    for (const entry of entries) {
      expect(imported[entry], entry).not.toEqual([])
      expect(required[entry].filter((name: string) => name !== '__esModule')).toEqual(imported[entry])
    }
  })

  test.each(versions)(
    'on Node %i what is packed works: its memory store keeps the store contract, and a session its fields',
    (version) => {
      expect(evaluate(installer, version, 'module', readFileSync(join(root, 'test/support/installed-core.mjs'), 'utf8'))).toMatch(
        /^[5-9]\d cases kept\n1,2\n$/,
      )
    },
  )

  const resolutions = [
    { moduleResolution: 'NodeNext', module: 'NodeNext', files: ['esm.mts', 'cjs.cts'] },
    { moduleResolution: 'bundler', module: 'ESNext', files: ['bundled.ts'] },
  ]
  test.each(sized(resolutions, resolutions.slice(0, 1)))(
    'the types of all entries are found and sound in $files under $moduleResolution',
    { timeout: 180_000 },
    ({ module, moduleResolution, files }) => {
      const { folder, run } = project(installer)
      for (const file of files) {
        const imports = entries.map((entry, i) =>
          file.endsWith('.cts') ? `import e${i} = require('${entry}')` : `import * as e${i} from '${entry}'`,
        )
        writeFileSync(join(folder, file), `${imports.join('\n')}\nexport const all = [${entries.map((_, i) => `e${i}`)}]\n`)
      }
      const options = ['--target', 'ES2022', '--types', 'node', '--strict', '--noEmit']
      const resolution = ['--module', module, '--moduleResolution', moduleResolution]
      expect(run(join(root, 'node_modules/.bin/tsc'), [...resolution, ...options, ...files])).toBe('')
    },
  )
})

describe('a program in TypeScript', () => {
  const options = ['--target', 'ES2022', '--types', 'node', '--strict', '--noEmit', '--skipLibCheck', 'false']
  const tsc5 = 'node_modules/typescript5/bin/tsc'
  const tsc6 = join(root, 'node_modules/typescript/bin/tsc')
  const everything = entries.map((entry, i) => `import * as e${i} from '${entry}'`).join('\n')

  // A folder is CommonJS unless its package.json says `module`; Nest 10 is set up with node10.
  const compilers: readonly (readonly [name: string, tsc: string, resolution: readonly string[]])[] = [
    ['5.9, node10', tsc5, ['--module', 'commonjs', '--moduleResolution', 'node10', '--allowSyntheticDefaultImports']],
    ['6, node10', tsc6, ['--module', 'commonjs', '--moduleResolution', 'node10', '--ignoreDeprecations', '6.0']],
    ['5.9, nodenext', tsc5, ['--module', 'nodenext']],
    ['5.9, node20', tsc5, ['--module', 'node20']],
    ['6, nodenext', tsc6, ['--module', 'nodenext']],
  ]
  test.each(sized(compilers, []))(
    'that is compiled to CommonJS finds all entries: TypeScript %s',
    { timeout: 180_000 },
    (_name, tsc, resolution) => {
      const { folder, run } = project('npm')
      writeFileSync(
        join(folder, 'commonjs.ts'),
        `${everything}
import { createSessions } from 'fieldwise'
import { z } from 'zod'
const sessions = createSessions({ schema: z.object({ visits: z.int().default(0) }) })
export const visits: Promise<number> = sessions.resume().get('visits')
export const all = [${entries.map((_, i) => `e${i}`)}]
`,
      )
      expect(run(process.execPath, [tsc, ...resolution, ...options, 'commonjs.ts'])).toBe('')
    },
  )

  test('that has the types of express-session too leaves `req.session` to them, and has its session by sessionOf', () => {
    const { folder, run } = project('npm')
    writeFileSync(
      join(folder, 'beside.mts'),
      `import 'express-session'
import { sessionOf } from '@fieldwise/http'
import { expressSession } from '@fieldwise/http/express'
import express from 'express'
import { createSessions } from 'fieldwise'
import { z } from 'zod'
const sessions = createSessions({ schema: z.object({ visits: z.int().default(0) }) })
declare module '@fieldwise/http' {
  interface Register {
    sessions: typeof sessions
    requestSession: false
  }
}
const app = express().use(expressSession(sessions))
app.get('/', async (req, res) => {
  const theirs: string = req.session.id
  const ours: number = await sessionOf(req, sessions).increment('visits')
  res.json({ theirs, ours })
})
`,
    )
    expect(run(process.execPath, [tsc6, '--module', 'nodenext', ...options, 'beside.mts'])).toBe('')
  }, 180_000)
})

describe('an uncaught error', () => {
  const app = `import { createSessions } from 'fieldwise'
import { memcachedStore } from '@fieldwise/memcached'
import { z } from 'zod'
const sessions = createSessions({ schema: z.object({ visits: z.int() }), store: memcachedStore('127.0.0.1:1') })
async function visit() {
  await sessions.create({ visits: 1 })
}
await visit()
`
  test('of the store begins with the line of the app that awaited it, and shows no line of ours', () => {
    const { folder } = project('npm')
    writeFileSync(join(folder, 'app.mjs'), app)
    const { stderr } = spawnSync(process.execPath, ['app.mjs'], { cwd: folder, encoding: 'utf8' })
    const lines = stderr.split('\n')
    const frames = lines.slice(lines.findIndex((line) => line.startsWith('StoreUnavailableError: ')) + 1)
    expect(frames[0]).toMatch(/^ {4}at async visit \(file:.*app\.mjs:6:3\)$/)
    expect(frames[1]).toMatch(/^ {4}at async file:.*app\.mjs:8:1/)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThan(300)
  })
})

describe.each(packages.map(({ manifest }) => manifest))('the tarball of $name', (source) => {
  const folder = () => join(project('npm').folder, 'node_modules', source.name)

  test('holds code, types, a README and the licence, and nothing else', () => {
    const listed = (source.files ?? []).filter((path) => !path.startsWith('dist/'))
    const others = filesBelow(folder()).filter((path) => !/^dist\/.*(\.js|\.d\.ts)$/.test(path))
    const unlisted = others.filter((path) => !listed.some((start) => path.startsWith(`${start}/`)))
    expect(unlisted.sort()).toEqual(['LICENSE', 'README.md', 'package.json'])
  })

  test('has no link that leads out of it, so that each works in `node_modules` and on the page of a registry', () => {
    const packed = filesBelow(folder())
    const links = packed
      .filter((path) => path.endsWith('.md'))
      .flatMap((path) => linksIn(readFileSync(join(folder(), path), 'utf8')).map((link) => ({ path, link })))
      .map(({ path, link }) => ({ path, link, target: join(dirname(path), link.replace(/#.*/, '')) }))
    const relative = links.filter(({ link }) => !/^([a-z]+:|#)/.test(link))
    expect(links.length).toBeGreaterThan(0)
    expect(
      relative.filter(({ target }) => !packed.includes(target)),
      `write ${repository}/blob/main/… for what is not packed`,
    ).toEqual([])
  })

  test('tells a registry where its home is, where its code is, and where to report a bug', () => {
    const { homepage, bugs, repository: told } = manifestOf(folder())
    expect(homepage).toContain(`${repository}/tree/main/${told?.directory}`)
    expect(bugs).toBe(`${repository}/issues`)
    expect(told?.url).toBe(`git+${repository}.git`)
    expect(manifestOf(join(root, told?.directory as string)).name).toBe(source.name)
  })

  test('holds code that can be read: no line of it is squeezed', () => {
    const lines = filesBelow(folder())
      .filter((path) => /^dist\/.*\.js$/.test(path))
      .flatMap((path) => readFileSync(join(folder(), path), 'utf8').split('\n'))
    expect(lines.length).toBeGreaterThan(100)
    expect(lines.filter((line) => line.length > 500)).toEqual([])
  })

  test('holds everything that is exported, and everything in it is reached from an export', () => {
    const packed = filesBelow(folder()).filter((path) => path.startsWith('dist/'))
    const reached = reachable(folder(), targetsOf(manifestOf(folder()))).files
    // Types that exported types lead to need no code, and code needs no types that nobody is led to.
    expect(reached.filter((path) => !packed.includes(path))).toEqual([])
    expect(
      packed.filter((path) => !modules(reached).includes(moduleOf(path))),
      'files of an older build stay in `dist` until it is removed',
    ).toEqual([])
  })

  test('needs only what it declares', () => {
    const { name, dependencies, peerDependencies } = manifestOf(folder())
    const declared = new Set(Object.keys({ [name]: '', ...dependencies, ...peerDependencies }))
    const undeclared = reachable(folder(), targetsOf(manifestOf(folder()))).packages.filter((other) => !declared.has(other))
    expect(undeclared).toEqual([])
  })

  test('names no version that only a workspace knows', () => {
    const { dependencies, peerDependencies } = manifestOf(folder())
    expect(Object.values({ ...dependencies, ...peerDependencies }).filter((range) => range.includes(':'))).toEqual([])
  })
})

describe('the core', () => {
  test('opens no sockets and brings no memcached client into a bundle', async () => {
    const { folder } = project('npm')
    const bundle = await rolldown({
      input: join(folder, 'node_modules/fieldwise/dist/index.js'),
      platform: 'node',
      logLevel: 'silent',
    })
    const { output } = await bundle.generate({ format: 'esm' })
    const chunks = output.filter((part) => part.type === 'chunk')
    const bundled = chunks.flatMap(({ moduleIds }) => moduleIds).map((path) => relative(folder, path))
    const others = new Set(bundled.map((path) => path.split('node_modules/').at(-1)?.split('/')[0]))
    expect([...others].sort()).toEqual(['fieldwise', 'uuid', 'zod'])
    const builtins = chunks.flatMap(({ imports }) => imports)
    expect(
      builtins.filter((name) => /^(node:)?(net|tls|dns|http|https|dgram|fs|child_process|worker_threads)$/.test(name)),
    ).toEqual([])
  })

  test('says what it takes to install', () => {
    const folder = join(project('npm').folder, 'node_modules/fieldwise')
    const files = filesBelow(folder).map((path) => ({ path, size: statSync(join(folder, path)).size }))
    const sizeOf = (pattern: RegExp) => sum(files.filter(({ path }) => pattern.test(path)).map(({ size }) => size))
    const documents = sizeOf(/\.md$/)
    const whole = sizeOf(/./) - documents
    const cases = sizeOf(/store-contract\.(js|d\.ts)$|contract\/.*\.(js|d\.ts)$/)
    report(
      `installed size of the core: ${kilobytes(whole)}, ${kilobytes(cases)} of it the cases for stores; code ${kilobytes(sizeOf(/\.js$/))}, types ${kilobytes(sizeOf(/\.d\.ts$/))}; documents besides ${kilobytes(documents)}`,
    )
    // Readable code with its comments: some 420 KB of it, and 200 of types, users and what servers share included.
    expect(whole).toBeLessThan(660_000)
  })

  test('is imported', () => {
    const code = `const start = performance.now(); await import('zod'); const zod = performance.now(); await import('fieldwise')
      console.log(JSON.stringify({ zod: zod - start, fieldwise: performance.now() - zod }))`
    const runs = Array.from({ length: 7 }, () => JSON.parse(evaluate('npm', versions[0] as number, 'module', code)))
    const median = (name: string) =>
      runs
        .map((times) => times[name])
        .sort((a, b) => a - b)[3]
        .toFixed(1)
    report(`import of the core: ${median('fieldwise')} ms more than zod's ${median('zod')} ms (medians of 7)`)
  })
})

function project(installer: Installer): Project {
  return projects.get(installer) as Project
}

function evaluate(installer: Installer, version: number, type: 'module' | 'commonjs', code: string): string {
  return project(installer).evaluate(nodes.get(version) as string, type, code)
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0)
}

function kilobytes(bytes: number): string {
  return `${(bytes / 1_000).toFixed(0)} KB`
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
    // A program exports no types, and what only its types name is a part of it all the same.
    const types = path.replace(/\.js$/, '.d.ts')
    if (existsSync(types)) queue.push(types)
    for (const name of importsOf(path)) {
      if (name.startsWith('.')) queue.push(resolve(dirname(path), path.endsWith('.d.ts') ? name.replace(/\.js$/, '.d.ts') : name))
      else if (name.startsWith('#')) {
        const target = manifestOf(folder).imports?.[name]
        queue.push(join(folder, target?.types ?? name))
        others.add(target?.default ?? name)
      } else others.add(name)
    }
  }
  const builtins = [...others].filter((name) => name.startsWith('node:'))
  const packageNames = [...others]
    .filter((name) => !name.startsWith('node:'))
    .map((name) => name.split('/', name.startsWith('@') ? 2 : 1).join('/'))
  return { files: [...files].map((path) => relative(folder, path)), builtins, packages: [...new Set(packageNames)] }
}

function modules(paths: readonly string[]): string[] {
  return [...new Set(paths.map(moduleOf))]
}

function moduleOf(path: string): string {
  return path.replace(/(\.d)?\.[jt]s$/, '')
}

/** The code of a worker is named by a URL. */
function importsOf(path: string): string[] {
  const text = readFileSync(path, 'utf8')
  const threads = [...text.matchAll(/new URL\('(\.[^']+\.js)', import\.meta\.url\)/g)].map(([, name]) => name as string)
  return [...ts.preProcessFile(text).importedFiles.map(({ fileName }) => fileName), ...threads]
}
