import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePorts } from './support/free-port.js'
import { packAll } from './support/installation.js'
import { root } from './support/packages.js'
import { isFull } from './support/scale.js'

const readme = readFileSync(join(root, 'README.md'), 'utf8')

/** The README's section about a shop in an empty folder: its program, and what it says to type, in the order in which it is shown. */
const blocks = [...sectionOf('A shop in an empty folder').matchAll(/^```(\w+)\n(.*?)^```/gms)].map(([, language, text]) => ({
  language,
  text: text as string,
}))
const program = blocks.find(({ language }) => language === 'ts')?.text ?? ''
const steps = blocks.flatMap(({ language, text }, index) => {
  const next = blocks[index + 1]
  return language === 'sh' ? [{ typed: text, shown: next?.language === 'text' ? next.text : '' }] : []
})

const work = mkdtempSync(join(tmpdir(), 'fieldwise-newcomer-'))
const shop = join(work, 'shop')
const left: ChildProcess[] = []
let tarballs: ReadonlyMap<string, string>
let ports: Readonly<Record<string, string>>

beforeAll(async () => {
  tarballs = packAll(join(work, 'tarballs'))
  const [memcached, web] = await freePorts(2)
  ports = { 11211: String(memcached), 3000: String(web) }
}, 180_000)

afterAll(() => {
  for (const child of left) end(child)
  rmSync(work, { recursive: true, force: true })
}, 60_000)

test('the five lines of the README are five', () => {
  const code = /^```ts\n(.*?)^```/ms.exec(sectionOf('Five lines'))?.[1] ?? ''
  expect(code.trimEnd().split('\n')).toHaveLength(5)
})

test('pasted as the README prints it, block by block, all of it works and prints what is shown', {
  timeout: 600_000,
}, async () => {
  const terminal = new Terminal(work)
  expect(steps.length).toBeGreaterThan(5)
  for (const { typed, shown } of steps) {
    if (typed.startsWith('npx tsx ')) writeFileSync(join(shop, 'app.ts'), withOurPorts(patiently(program)))
    const isServer = /^(memcached|npx tsx) /.test(typed)
    const printed = isServer ? await started(typed, shown) : await terminal.paste(asRunHere(typed))
    expectShown(printed, shown)
  }
  terminal.close()

  // "The schema types `req.session`: `req.session.get('user')` does not compile, as `npx tsc --noEmit app.ts` tells."
  const errors = compile(`${program}app.get('/user', async (req, res) => res.json(await req.session.get('user')))\n`)
  expect(errors.match(/error TS\d+: .*/g)).toEqual([expect.stringContaining('"user"')])
})

// Installing Jest takes long.
test.runIf(isFull)(
  'the guide to testing names the setting with which Jest runs tests on Fieldwise',
  { timeout: 300_000 },
  async () => {
    const guide = readFileSync(join(root, 'packages/fieldwise/guides/testing.md'), 'utf8')
    const command = /^## Jest\n.*?^```sh\n(.*?)^```/ms.exec(guide)?.[1] as string
    execFileSync('npm', ['install', '--save-dev', '--prefer-offline', 'jest'], { cwd: shop, stdio: 'pipe' })
    const body = `const session = await createSessions({ schema: z.object({ visits: z.int().default(0) }) }).create()
    expect(await session.increment('visits')).toBe(1)`
    const imports = `import { createSessions } from 'fieldwise'\nimport { z } from 'zod'`
    writeFileSync(join(shop, 'module.test.mjs'), `${imports}\ntest('counts', async () => { ${body} })\n`)
    const awaited = `const [{ createSessions }, { z }] = [await import('fieldwise'), await import('zod')]`
    writeFileSync(join(shop, 'script.test.cjs'), `test('counts', async () => { ${awaited}\n${body} })\n`)

    const printed = execFileSync('bash', ['-c', `${command.trim()} --testMatch '**/*.test.?js' 2>&1`], {
      cwd: shop,
      encoding: 'utf8',
    })
    expect(printed).toContain('Tests:       2 passed, 2 total')
  },
)

/** One shell for all blocks, as the one into which they are pasted. */
class Terminal {
  readonly #shell: ChildProcess
  #printed = ''

  constructor(cwd: string) {
    this.#shell = spawn('bash', { cwd, stdio: ['pipe', 'pipe', 'inherit'] })
    this.#shell.stdout?.on('data', (chunk) => {
      this.#printed += chunk
    })
    this.#shell.stdin?.write(`trap 'echo "FAILED: $BASH_COMMAND"' ERR\n`)
    left.push(this.#shell)
  }

  /** What it prints. Throws when one of the commands fails. */
  async paste(text: string): Promise<string> {
    this.#printed = ''
    this.#shell.stdin?.write(`{ ${text}\n} </dev/null; echo; echo "-- done"\n`)
    while (!this.#printed.includes('-- done')) {
      if (this.#shell.exitCode !== null) throw new Error(`The shell ended: ${this.#printed}`)
      await wait(20)
    }
    expect(this.#printed).not.toContain('FAILED')
    return this.#printed
  }

  close(): void {
    this.#shell.stdin?.end()
  }
}

/** Each line that is shown is printed, in that order; `…` stands for anything. */
function expectShown(printed: string, shown: string): void {
  const lines = withoutIds(shown)
    .split('\n')
    .filter((line) => line.replace('…', '').trim() !== '')
  let rest = withoutIds(printed)
  for (const line of lines) {
    const found = new RegExp(line.split('…').map(escaped).join('.*')).exec(rest)
    expect(found, `the README shows “${line}”, where this is printed:\n${rest}`).not.toBeNull()
    rest = rest.slice((found?.index ?? 0) + (found?.[0].length ?? 0))
  }
}

/** Ids and ports are others each time, and of two things that are put into a cart at once either may be first. */
function withoutIds(text: string): string {
  return withOurPorts(text)
    .replace(/[0-9a-f-]{36}~\w{4}/g, 'ID')
    .replace('["milk","tea"]', '["tea","milk"]')
}

/** Packages come from their tarballs, since no registry has this version yet. */
function asRunHere(typed: string): string {
  return withOurPorts(patiently(typed))
    .split('\n')
    .map((line) => (line.startsWith('npm install') ? withTarballs(line) : line))
    .join('\n')
}

function withTarballs(line: string): string {
  return line
    .split(' ')
    .map((word) => tarballs.get(word) ?? word)
    .join(' ')
}

/** On a machine that is busy with other tests an answer may take longer than the half second that it is given. */
function patiently(text: string): string {
  return text
    .replace("memcachedStore('127.0.0.1:11211')", "memcachedStore('127.0.0.1:11211', { timeout: '30s' })")
    .replace(/^(npx fieldwise .*)$/gm, '$1 --timeout 30s')
}

/** Servers listen on ports that nobody else has. */
function withOurPorts(text: string): string {
  return text.replace(/\b(11211|3000)\b/g, (port) => ports[port] as string)
}

/** What the compiler says to a program in the shop's folder. */
function compile(text: string): string {
  writeFileSync(join(shop, 'app.ts'), text)
  try {
    execFileSync('npx', ['tsc', '--noEmit', 'app.ts'], { cwd: shop, encoding: 'utf8', stdio: 'pipe' })
    return ''
  } catch (error) {
    return (error as { stdout: string }).stdout
  }
}

/**
 * What a server prints until it listens. In a process group of its own: what npx starts ends with it. memcached does not run as root unless
 * it is told to.
 */
async function started(typed: string, shown: string): Promise<string> {
  const isMemcached = typed.startsWith('memcached ')
  const command = isMemcached && process.getuid?.() === 0 ? typed.replace('memcached ', 'memcached -u root ') : typed
  const child = spawn('bash', ['-c', withOurPorts(command)], { cwd: shop, detached: true, stdio: ['ignore', 'pipe', 'ignore'] })
  left.push(child)
  process.once('exit', () => end(child))
  let printed = ''
  child.stdout?.on('data', (chunk) => {
    printed += chunk
  })
  while (!(await answers(Number(ports[isMemcached ? 11211 : 3000]))) || (shown !== '' && printed === '')) {
    if (child.exitCode !== null) throw new Error(`${typed} ended with ${child.exitCode}`)
    await wait(50)
  }
  return printed
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, 'localhost')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })
}

function end({ pid, exitCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null) return
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It has ended by itself.
  }
}

function sectionOf(heading: string): string {
  return new RegExp(`^## ${heading}\n(.*?)^## `, 'ms').exec(readme)?.[1] ?? ''
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
