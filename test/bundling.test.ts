import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { rolldown } from 'rolldown'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePorts } from './support/free-port.js'
import { Memcached } from './support/memcached.js'
import { entriesOf, publishedPackages, root } from './support/packages.js'
import { Program } from './support/program.js'
import { Visitor } from './support/visitor.js'

type Format = 'cjs' | 'esm'

const work = mkdtempSync(join(tmpdir(), 'fieldwise-bundles-'))
const bundlers = { esbuild: withEsbuild, rolldown: withRolldown }
const ways = Object.keys(bundlers).flatMap((bundler) =>
  (['cjs', 'esm'] as const).map((format) => ({ bundler: bundler as keyof typeof bundlers, format })),
)

let memcached: Memcached

beforeAll(async () => {
  memcached = await Memcached.start()
})

afterAll(async () => {
  await memcached[Symbol.asyncDispose]()
  rmSync(work, { recursive: true, force: true })
})

// What a module finds beside itself (a package by `require`, a file by `import.meta.url`) is not beside the bundle any more.
describe.each(ways)('bundled by $bundler to $format, far from any node_modules', ({ bundler, format }) => {
  test('every entry of every package gives what it gives unbundled', async () => {
    const entries = publishedPackages().flatMap(({ folder, manifest }) =>
      entriesOf(manifest).map((entry) => ({ entry, path: createRequire(join(folder, 'package.json')).resolve(entry) })),
    )
    const program = join(work, `entries-${bundler}-${format}.ts`)
    const imports = entries.map(({ path }, index) => `import * as e${index} from ${JSON.stringify(path)}`)
    const shown = entries.map(({ entry }, index) => `${JSON.stringify(entry)}: Object.keys(e${index}).sort()`)
    writeFileSync(program, `${imports.join('\n')}\nconsole.log(JSON.stringify({ ${shown.join()} }))\n`)
    const bundle = await bundlers[bundler](program, format)
    const unbundled = await Promise.all(
      entries.map(async ({ entry, path }) => [entry, Object.keys(await import(path)).sort()] as const),
    )
    expect(JSON.parse(execFileSync(process.execPath, [bundle], { cwd: work, encoding: 'utf8' }))).toEqual(
      Object.fromEntries(unbundled),
    )
  })

  test('an app of express-session on memcached keeps its sessions', async () => {
    const bundle = await bundlers[bundler](join(root, 'examples/express-session-drop-in/src/main.ts'), format)
    const [port] = (await freePorts(1)) as [number]
    const env = { PORT: String(port), MEMCACHE_SERVERS: memcached.address }
    await using _app = await Program.start(process.execPath, [bundle], { cwd: work, env, ready: /http:\/\/localhost/ })
    const visitor = new Visitor(port)
    expect(await visitor.get('/')).toContain('Visit 1')
    await visitor.post('/cart', { thing: 'tea' })
    expect(await visitor.get('/')).toMatch(/Visit 3.*tea/s)
  })
})

test.each(ways)(
  'the inspector says in a bundle by $bundler to $format that its page was left behind',
  async ({ bundler, format }) => {
    const program = join(work, `inspector-${bundler}-${format}.ts`)
    const path = createRequire(join(root, 'packages/cli/package.json')).resolve('@fieldwise/cli/inspector')
    writeFileSync(
      program,
      `import { inspector } from ${JSON.stringify(path)}\ntry { inspector() } catch (error) { console.log(error.code, error.message) }\n`,
    )
    const bundle = await bundlers[bundler](program, format)
    expect(execFileSync(process.execPath, [bundle], { cwd: work, encoding: 'utf8' })).toMatch(/^BAD_CONFIG .*external/)
  },
)

async function withEsbuild(program: string, format: Format): Promise<string> {
  const outfile = bundleOf('esbuild', format)
  await build({
    entryPoints: [program],
    bundle: true,
    platform: 'node',
    target: 'node20',
    format,
    outfile,
    // CommonJS inside of a module, such as Express, calls `require`, which modules do not have.
    ...(format === 'esm' && {
      banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)" },
    }),
    logLevel: 'silent',
  })
  return outfile
}

async function withRolldown(program: string, format: Format): Promise<string> {
  const file = bundleOf('rolldown', format)
  await using bundle = await rolldown({ input: program, platform: 'node', logLevel: 'silent' })
  await bundle.write({ file, format, codeSplitting: false })
  return file
}

let made = 0

function bundleOf(bundler: string, format: Format): string {
  made++
  return join(work, `${made}-${bundler}.${format === 'cjs' ? 'cjs' : 'mjs'}`)
}
