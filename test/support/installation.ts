import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { publishedPackages, root } from './packages.js'

export type Installer = 'npm' | 'pnpm' | 'yarn'

/** A folder outside of the workspace with all our packages installed from their tarballs, and nothing of the workspace in reach. */
export interface Project {
  readonly folder: string
  /** What a program printed. Throws with all it printed if it failed. */
  run(program: string, args: readonly string[]): string
  /** What a piece of a program printed, as an ES module or as CommonJS. */
  evaluate(node: string, type: 'module' | 'commonjs', code: string): string
  remove(): void
}

/** Packs every package that is published, at once; the tarballs by the package's name. pnpm replaces `workspace:` ranges, which npm leaves as they are. */
export function packAll(folder: string): Map<string, string> {
  const packages = publishedPackages().map(({ manifest }) => manifest)
  const filters = packages.map(({ name }) => `--filter=${name}`)
  run('npx', ['--prefer-offline', '--yes', 'pnpm@12', '--recursive', ...filters, 'pack', '--pack-destination', folder], root)
  return new Map(
    packages.map(({ name, version }) => [name, join(folder, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`)]),
  )
}

/** Installs tarballs, with what their users install besides, into an empty folder. */
export function installed(installer: Installer, tarballs: ReadonlyMap<string, string>): Project {
  const folder = mkdtempSync(join(tmpdir(), `fieldwise-${installer}-`))
  const project: Project = {
    folder,
    run: (program, args) => run(program, args, folder),
    evaluate: (node, type, code) => run(node, [`--input-type=${type}`, '-e', code], folder),
    remove: () => rmSync(folder, { recursive: true, force: true }),
  }
  const ours = Object.fromEntries([...tarballs].map(([name, path]) => [name, `file:${path}`]))
  // Our packages need each other by version, and no registry has these versions yet.
  writeFileSync(
    join(folder, 'package.json'),
    JSON.stringify({ private: true, dependencies: { ...ours, ...companions() }, resolutions: ours }),
  )
  writeFileSync(join(folder, 'pnpm-workspace.yaml'), `overrides:\n${overrides(ours)}`)
  const [program, ...args] = installing[installer]
  project.run(program, args)
  return project
}

/** Where the programs `node` of other versions are, installed from the npm registry. */
export function nodesOf(versions: readonly number[], folder: string): Map<number, string> {
  writeFileSync(join(folder, 'package.json'), '{ "private": true }')
  const wanted = versions.map((version) => `node${version}@npm:node@${version}`)
  run('npm', ['install', '--no-save', '--prefer-offline', '--ignore-scripts=false', ...wanted], folder)
  return new Map(versions.map((version) => [version, join(folder, 'node_modules', `node${version}`, 'bin/node')]))
}

const installing: Record<Installer, readonly [program: string, ...args: string[]]> = {
  npm: ['npm', 'install', '--prefer-offline', '--no-audit', '--no-fund'],
  pnpm: ['npx', '--yes', 'pnpm@12', 'install', '--prefer-offline', '--no-frozen-lockfile'],
  yarn: ['npx', '--yes', 'yarn@1', 'install', '--prefer-offline', '--non-interactive', '--ignore-engines'],
}

/** What a user of every entry installs besides: the peers, types for the types, and the TypeScript that Nest 10 is built with. */
function companions(): Record<string, string> {
  const packages = publishedPackages()
  const peers = packages.flatMap(({ manifest }) => Object.entries(manifest.peerDependencies ?? {}))
  const theirs = peers.filter(([name]) => !packages.some(({ manifest }) => manifest.name === name))
  return {
    ...Object.fromEntries(theirs),
    '@types/node': '^20.0.0',
    '@types/express': '^5.0.0',
    '@types/express-session': '^1.18.0',
    typescript5: 'npm:typescript@~5.9.0',
  }
}

function overrides(ours: Readonly<Record<string, string>>): string {
  return Object.entries(ours)
    .map(([name, path]) => `  '${name}': '${path}'\n`)
    .join('')
}

function run(program: string, args: readonly string[], cwd: string): string {
  try {
    return execFileSync(program, args, { cwd, encoding: 'utf8', stdio: 'pipe' })
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string }
    throw new Error(`${program} ${args.join(' ')}\n${stdout}${stderr}`, { cause: error })
  }
}
