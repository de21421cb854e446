import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { end, endWithUs } from './child.js'

/** A real memcached on a loopback port of its own. */
export class Memcached implements AsyncDisposable {
  readonly address: string
  readonly port: number
  readonly #child: ChildProcess

  /** @param megabytes the memory it may use for items. */
  static async start(megabytes = 1_024): Promise<Memcached> {
    const folder = mkdtempSync(join(tmpdir(), 'fieldwise-bench-'))
    try {
      const portFile = join(folder, 'ports')
      const child = launch(megabytes, portFile)
      await once(child, 'spawn')
      return new Memcached(child, await portIn(portFile, child))
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
    this.address = `127.0.0.1:${port}`
  }

  /** The numbers that memcached counts. */
  async stats(): Promise<ReadonlyMap<string, number>> {
    const text = await ask(this.port, 'stats')
    return new Map([...text.matchAll(/^STAT (\S+) ([\d.]+)\r$/gm)].map(([, name, value]) => [name as string, Number(value)]))
  }

  /** The length of the value under a key. */
  async valueLength(key: string): Promise<number> {
    return Number((await ask(this.port, `mg ${key} s`)).replace('HD s', ''))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return end(this.#child)
  }
}

/** With port -1 the system picks a free one, which memcached writes into the file. */
function launch(megabytes: number, portFile: string): ChildProcess {
  // memcached refuses to run as root unless it is told to.
  const user = process.getuid?.() === 0 ? ['-u', 'root'] : []
  const limits = ['-m', String(megabytes), '-c', '4096']
  return endWithUs(
    spawn('memcached', [...user, ...limits, '-l', '127.0.0.1', '-p', '-1', '-U', '0'], {
      stdio: 'ignore',
      env: { ...process.env, MEMCACHED_PORT_FILENAME: portFile },
    }),
  )
}

async function portIn(file: string, child: ChildProcess): Promise<number> {
  while (child.exitCode === null && child.signalCode === null) {
    const port = /TCP INET: (\d+)/.exec(contentOf(file))?.[1]
    if (port !== undefined) return Number(port)
    await sleep(5)
  }
  throw new Error(`memcached did not start: it ended with ${child.exitCode ?? child.signalCode}`)
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

function ask(port: number, command: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(`${command}\r\n`))
    let answer = ''
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
      if (!/^(END|EN|HD .*)\r\n$/m.test(answer)) return
      socket.destroy()
      resolve(answer)
    })
  })
}
