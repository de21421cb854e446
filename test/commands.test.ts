import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type Manifest, publishedPackages, root } from './support/packages.js'
import { type Command, commandsInDocuments, languagesInDocuments, scriptsBeside } from './support/shell-blocks.js'

const commands = commandsInDocuments()

test('every block of a document says what it is, so that none goes unchecked', () => {
  const known = ['ts', 'sh', 'text', 'json', 'yaml', 'dockerfile', 'html', 'nginx', 'ini', 'tsx', 'svelte', 'python', 'php', 'go']
  expect(languagesInDocuments().filter(({ language }) => !known.includes(language))).toEqual([])
})

describe('a command that a document shows is there', () => {
  test('a program is one that this repository, its tests or every system has', () => {
    const checked = ['npm', 'npx', 'node', 'memcached', 'nginx', 'openssl', 'saslpasswd2', 'fieldwise']
    const everywhere = ['cd', 'mkdir', 'cp', 'cat', 'echo', 'for', 'while', 'sleep', 'kill', 'curl', 'wait', 'printf']
    const administrators = ['nft', 'systemctl', 'git']
    expect(commands.filter(({ program }) => ![...checked, ...everywhere, ...administrators].includes(program))).toEqual([])
  })

  test('npm runs a script of the nearest package', () => {
    const run = commandsOf('npm').map((command) => ({ command, script: scriptOf(command.args) }))
    expect(run.filter(({ command, script }) => script && !scriptsBeside(command.shownIn).includes(script))).toEqual([])
  })

  test('npx starts what the reader has installed, or downloads it without asking', () => {
    const installed = ['fieldwise', 'tsx', 'tsc', 'jest']
    const asking = linesOfFiles().filter(({ line }) =>
      [...line.matchAll(/\bnpx (?!--yes )(\S+)/g)].some(([, name]) => !installed.includes(name as string)),
    )
    expect(asking).toEqual([])
  })

  test('npm installs what this repository publishes, or uses itself', () => {
    const known = packagesKnown()
    const installed = commandsOf('npm').flatMap(({ args }) => (args[0] === 'install' ? args.slice(1).filter(isName) : []))
    expect(installed.filter((name) => !known.has(name.replace(/(?<=.)@.*/, '')))).toEqual([])
  })

  test('a file that is named is there', () => {
    const named = commands.flatMap(({ shownIn, args }) => args.filter(isOurPath).map((path) => ({ shownIn, path })))
    const isThere = ({ shownIn, path }: { shownIn: string; path: string }) =>
      [root, join(root, dirname(shownIn))].some((folder) => existsSync(join(folder, path)))
    expect(named.filter((file) => !isThere(file))).toEqual([])
  })

  test('memcached has the flags', () => {
    const help = execFileSync('memcached', ['-h'], { encoding: 'utf8' })
    const flags = commandsOf('memcached').flatMap(({ args }) => args.filter((word) => /^--?[a-zA-Z]/.test(word)))
    expect(flags.filter((flag) => !new RegExp(`(^|[ ,])${flag.replace(/=.*/, '')}[ ,=]`, 'm').test(help))).toEqual([])
  })

  test('fieldwise has the subcommands and the flags', () => {
    const asked = commands.filter(
      ({ program, args }) => program === 'fieldwise' || (program === 'npx' && args[0] === 'fieldwise'),
    )
    const missing = asked.filter(({ program, args }) => !isFieldwise(program === 'npx' ? args.slice(1) : args))
    expect(missing).toEqual([])
  })
})

/** Of all that people read or start, but for tests, which call npx with words of their own. */
function linesOfFiles(): { path: string; line: string }[] {
  const paths = execFileSync('git', ['ls-files', '*.md', '*.mjs', '*.json', '.ci', '.github'], { cwd: root, encoding: 'utf8' })
  return paths
    .trimEnd()
    .split('\n')
    .filter((path) => existsSync(join(root, path)))
    .flatMap((path) =>
      readFileSync(join(root, path), 'latin1')
        .split('\n')
        .map((line) => ({ path, line })),
    )
}

function commandsOf(program: string): Command[] {
  return commands.filter((command) => command.program === program)
}

/** `npm start`, `npm test`, `npm run docs`; nothing for `npm install`. */
function scriptOf([first, second]: readonly string[]): string | undefined {
  return first === 'run' ? second : ['install', 'init'].includes(first as string) ? undefined : first
}

function packagesKnown(): Set<string> {
  const folders = [
    '.',
    ...['packages', 'examples'].flatMap((group) => readdirSync(join(root, group)).map((name) => join(group, name))),
  ]
  const manifests = folders
    .map((folder) => join(root, folder, 'package.json'))
    .filter((path) => existsSync(path))
    .map((path) => JSON.parse(readFileSync(path, 'utf8')) as Manifest)
  const used = manifests.flatMap((manifest) => Object.keys({ ...manifest.dependencies, ...manifest.devDependencies }))
  // On Node 20 TypeScript runs with tsx, which nothing here needs.
  return new Set([...used, ...publishedPackages().map(({ manifest }) => manifest.name), 'tsx'])
}

function isName(word: string): boolean {
  return !word.startsWith('-') && !word.startsWith('./') && !word.endsWith('.tgz')
}

function isOurPath(word: string): boolean {
  return /^(packages|examples|test|\.ci|\.scripts)\/[\w./-]+$/.test(word)
}

const helps = new Map<string, string>()

function isFieldwise(args: readonly string[]): boolean {
  const subcommand = args.find((word) => !word.startsWith('-')) ?? ''
  const flags = args.filter((word) => word.startsWith('--')).map((word) => word.replace(/=.*/, ''))
  const help = helps.get(subcommand) ?? helpOf(subcommand)
  helps.set(subcommand, help)
  return help !== '' && flags.every((flag) => flag === '--help' || help.includes(flag))
}

function helpOf(subcommand: string): string {
  try {
    const args = [join(root, 'packages/cli/dist/main.js'), ...(subcommand === '' ? [] : [subcommand]), '--help']
    const help = execFileSync(process.execPath, args, { encoding: 'utf8', stdio: 'pipe' })
    return subcommand === '' || help.includes(`fieldwise ${subcommand}`) ? help : ''
  } catch {
    return ''
  }
}
