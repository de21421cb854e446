import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { join } from 'node:path'
import { memcachedStore } from '@fieldwise/memcached'
import { createSessions } from 'fieldwise'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { through } from '../packages/cli/src/testing/bad-servers.js'
import { freePorts } from './support/free-port.js'
import { Memcached, textCommand } from './support/memcached.js'
import { root } from './support/packages.js'
import type { Peer, ScriptedServer } from './support/scripted-server.js'

const program = join(root, 'packages/cli/dist/main.js')

let server: Memcached

beforeAll(async () => {
  server = await Memcached.start()
})

afterAll(() => server[Symbol.asyncDispose]())

interface Ended {
  readonly code: number | null
  readonly output: string
  readonly said: string
}

interface Surroundings {
  readonly input?: string
  readonly env?: Readonly<Record<string, string>>
  /** Is given what interrupts it, as Ctrl-C does. */
  readonly whileRunning?: (interrupt: () => void) => Promise<void>
}

/** Runs the command as a process of its own, with pipes for a terminal. */
function fieldwise(args: readonly string[], surroundings: Surroundings = {}): Promise<Ended> {
  return command(process.execPath, [program, ...args], surroundings)
}

async function command(name: string, args: readonly string[], surroundings: Surroundings): Promise<Ended> {
  const { input = '', env, whileRunning } = surroundings
  const child = spawn(name, args, { env: { ...withoutColours(), ...env }, stdio: 'pipe' })
  let [output, said] = ['', '']
  child.stdout.on('data', (chunk) => {
    output += chunk
  })
  child.stderr.on('data', (chunk) => {
    said += chunk
  })
  child.stdin.end(input)
  const closed = once(child, 'close')
  await whileRunning?.(() => child.kill('SIGINT'))
  const [code] = await closed
  return { code, output, said }
}

/** The same on a terminal of its own (util-linux's script), whose output holds both streams. */
function onTerminal(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ended> {
  const line = [process.execPath, program, ...args].map((part) => `'${part}'`).join(' ')
  return command('script', ['--quiet', '--return', '--command', line, '/dev/null'], { env: { TERM: 'xterm-256color', ...env } })
}

function withoutColours(): NodeJS.ProcessEnv {
  const { NO_COLOR: _1, FORCE_COLOR: _2, CI: _3, ...env } = process.env
  return env
}

async function itemsLeft(): Promise<number> {
  return Number(/curr_items (\d+)/.exec(await textCommand(server, 'stats', 'END\r\n'))?.[1])
}

const quick = ['--timeout', '5s', '--workers', '3', '--increments', '300']

describe('the race', () => {
  test('shows that whole-session writers lose updates, that Fieldwise loses none, and leaves nothing behind', async () => {
    const { code, output, said } = await fieldwise(['race', server.address, ...quick])
    expect({ code, said }).toEqual({ code: 0, said: '' })
    const lost = Number(/^whole session +300 +(?:\d+) +(\d+) +0 /m.exec(output)?.[1])
    expect(lost).toBeGreaterThan(100)
    expect(output).toMatch(/^Fieldwise +300 +300 +0 +0 .*\n\nFieldwise lost 0 of 300\.\n$/m)
    expect(await itemsLeft()).toBe(0)
  })

  test('says the same in JSON, over either protocol', async () => {
    const { code, output } = await fieldwise(['race', server.address, ...quick, '--protocol', 'binary', '--json'])
    expect(code).toBe(0)
    expect(JSON.parse(output)).toMatchObject({
      increments: 300,
      sides: [
        { side: 'naive', sent: 300, failed: 0 },
        { side: 'fieldwise', sent: 300, kept: 300, lost: 0, failed: 0 },
      ],
    })
  })

  test('ends with 1 where an acknowledged update of Fieldwise is not kept', async () => {
    await using liar = await withOneLie(server)
    const { code, output } = await fieldwise(['race', liar.address, ...quick, '--protocol', 'meta', '--in-flight', '1'])
    expect(output).toContain('Fieldwise lost 1 of 300.')
    expect(code).toBe(1)
  })

  test('shows a bar on a terminal', async () => {
    const { code, output } = await onTerminal(['race', server.address, ...quick])
    expect(code).toBe(0)
    expect(output).toMatch(/\rwhole session \[#*\.*\] \d+ %/)
    expect(output).toMatch(/\rFieldwise {5}\[#{40}\] 100 %/)
  })

  test('that is interrupted deletes what it has stored', async () => {
    const args = ['race', server.address, '--timeout', '5s', '--increments', '9000000']
    const interrupt = async (stop: () => void) => {
      // Three fields, a header, and a whole session.
      while ((await itemsLeft()) < 5) await new Promise((resolve) => setTimeout(resolve, 10))
      stop()
    }
    const { code, said } = await fieldwise(args, { whileRunning: interrupt })
    expect({ code, said }).toEqual({ code: 3, said: 'error: Interrupted. Everything that the race stored is deleted.\n' })
    expect(await itemsLeft()).toBe(0)
  })

  test('ends with 3 where memcached does not answer', async () => {
    const [port] = await freePorts(1)
    const { code, output, said } = await fieldwise(['race', `127.0.0.1:${port}`])
    expect({ code, output }).toEqual({ code: 3, output: '' })
    expect(said).toMatch(/^error: memcached .*refuses connections: is memcached running there\?\n$/)
  })
})

describe('the program', () => {
  test('takes a key of its own making, and a session and its token by pipe', async () => {
    const key = (await fieldwise(['key'])).output.trim()
    const store = memcachedStore(server.address, { timeout: '5s' })
    await using sessions = createSessions({ schema: z.object({ username: z.string() }), store, sealing: { keys: [key] } })
    const session = await sessions.create({ username: 'ada' })
    const env = { FIELDWISE_KEYS: key }
    const inspected = await fieldwise(['inspect', server.address, '-', '--values'], { input: `${session.token}\n`, env })
    expect(inspected).toMatchObject({ code: 0, said: '', output: expect.stringMatching(/the current one[\s\S]*"ada"/) })
    const revoked = await fieldwise(['revoke', server.address, '-'], { input: `${session.id}\n`, env })
    expect(revoked).toMatchObject({ code: 0, said: '', output: `${session.id} has ended.\n` })
  })

  test('has colours on a terminal, and none where it is piped or NO_COLOR says so', async () => {
    const doctor = ['doctor', server.address, '--timeout', '5s']
    expect((await onTerminal(doctor)).output).toContain('\u001b[32m')
    expect((await onTerminal(doctor, { NO_COLOR: '1' })).output).not.toContain('\u001b')
    expect((await fieldwise(doctor)).output).not.toContain('\u001b')
    expect((await fieldwise(doctor, { env: { FORCE_COLOR: '1' } })).output).toContain('\u001b[32m')
  })

  test('reads a password from the environment', async () => {
    const env = { FIELDWISE_USERNAME: 'app', FIELDWISE_PASSWORD: randomBytes(8).toString('hex') }
    const { code, output } = await fieldwise(['doctor', server.address, '--timeout', '5s'], { env })
    expect(code).toBe(0)
    expect(output).toContain('password-unused')
    expect((await fieldwise(['doctor', '--help'], { env })).output).not.toContain(env.FIELDWISE_PASSWORD)
  })

  test('ends with 2 for what it does not understand', async () => {
    expect(await fieldwise(['doctor', '--jsn'])).toMatchObject({ code: 2, output: '', said: expect.stringContaining("'--jsn'") })
  })

  test('survives that nobody reads its output', async () => {
    const line = `'${process.execPath}' '${program}' doctor '${server.address}' --help | true; echo "\${PIPESTATUS[0]}"`
    expect(await command('bash', ['-c', line], {})).toMatchObject({ output: '0\n', said: '' })
  })
})

/** A memcached that once says of a compare-and-swap that it is done, and does nothing. */
function withOneLie(behind: Memcached): Promise<ScriptedServer> {
  let isTold = false
  const lie = (bytes: Buffer, peer: Peer): Buffer | undefined => {
    const swap = /^ms \S+:visits [^\r]*\bC\d+[^\r]* O(\d+)\r\n[\s\S]*\r\n$/.exec(bytes.toString('latin1'))
    if (isTold || swap === null) return bytes
    isTold = true
    // With a version that no item has, so that the next write over it has to read again.
    peer.send(`HD${/ c /.test(swap[0]) ? ' c1' : ''} O${swap[1]}\r\n`)
    return undefined
  }
  return through(behind, lie, (bytes) => bytes)
}
