import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { freePorts } from './support/free-port.js'
import { packAll } from './support/installation.js'
import { root } from './support/packages.js'

/** The README's section about a shop in an empty folder: its commands and its program, in the order in which they are shown. */
const section = /^## A shop in an empty folder\n(.*?)^## /ms.exec(readFileSync(join(root, 'README.md'), 'utf8'))?.[1] ?? ''
const shown = [...section.matchAll(/^```(sh|ts)\n(.*?)^```/gms)].map(([, language, text]) => ({ language, text: text as string }))
const commands = shown.filter(({ language }) => language === 'sh').flatMap(({ text }) => text.trimEnd().split('\n'))
const program = shown.find(({ language }) => language === 'ts')?.text ?? ''

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

test('the README leads from an empty folder to a shop on memcached, and to a look at what it stores', {
  timeout: 600_000,
}, async () => {
  const printed = new Map<string, string>()
  const said = (start: string) => [...printed].find(([command]) => command.startsWith(start))?.[1] ?? `${start} was not shown`
  let environment: Record<string, string> = {}

  for (const command of commands) {
    if (command.startsWith('cd ')) continue
    if (command === 'npx tsx app.ts') writeFileSync(join(shop, 'app.ts'), withOurPorts(program))
    if (/^(memcached|npx tsx) /.test(command)) {
      left.push(await started(asRunHere(command), ports[command.startsWith('memcached') ? 11211 : 3000] as string))
      continue
    }
    const folder = command.startsWith('mkdir ') ? work : shop
    printed.set(command, await outputOf(asRunHere(command), folder, environment))
    if (command.endsWith('http://localhost:3000/')) environment = { ID: JSON.parse(printed.get(command) as string).id }
  }

  const page = JSON.parse(said('curl -s -b jar http://localhost:3000/'))
  expect(page).toMatchObject({ username: 'ada', visits: 1 })
  expect(page.cart.toSorted()).toEqual(['milk', 'tea'])
  expect(said('npx fieldwise race')).toContain('Fieldwise lost 0 of 4,000')
  expect(said('npx fieldwise doctor')).toContain('Nothing found.')
  expect(said('npx fieldwise inspect')).toMatch(/cart.*milk/s)
})

/** Packages come from their tarballs, since no registry has this version yet, and servers listen on ports that nobody else has. */
function asRunHere(command: string): string {
  if (!command.startsWith('npm install')) return withOurPorts(command)
  return command
    .split(' ')
    .map((word) => tarballs.get(word) ?? word)
    .join(' ')
}

function withOurPorts(text: string): string {
  return text.replace(/\b(11211|3000)\b/g, (port) => ports[port] as string)
}

async function outputOf(command: string, cwd: string, env: Record<string, string>): Promise<string> {
  const { stdout } = await promisify(execFile)('bash', ['-c', command], { cwd, env: { ...process.env, ...env } })
  return stdout
}

/** In a process group of its own: what npx starts ends with it. memcached does not run as root unless it is told to. */
async function started(command: string, port: string): Promise<ChildProcess> {
  const isRoot = process.getuid?.() === 0
  const child = spawn('bash', ['-c', isRoot ? command.replace(/^memcached /, 'memcached -u root ') : command], {
    cwd: shop,
    detached: true,
    stdio: 'ignore',
  })
  const stop = () => end(child)
  process.once('exit', stop)
  while (!(await answers(Number(port)))) {
    if (child.exitCode !== null) throw new Error(`${command} ended with ${child.exitCode}`)
    await wait(50)
  }
  return child
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
