import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'

/** A memcached of the demo's own, on a free port of the loopback address. It ends with the demo. */
export class PrivateMemcached {
  readonly address: string
  readonly #child: ChildProcess

  /** Starts one. `undefined` when the program is not installed. */
  static async start(): Promise<PrivateMemcached | undefined> {
    const folder = await mkdtemp(join(tmpdir(), 'two-servers-'))
    try {
      const portFile = join(folder, 'ports')
      const child = await launch(portFile)
      return child && new PrivateMemcached(child, `127.0.0.1:${await portIn(portFile, child)}`)
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  }

  private constructor(child: ChildProcess, address: string) {
    this.#child = child
    this.address = address
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const ended = once(this.#child, 'exit')
    this.#child.kill()
    await ended
  }
}

/** With port -1 the system picks a free port, and memcached writes its number into the file. */
async function launch(portFile: string): Promise<ChildProcess | undefined> {
  const child = spawn('memcached', [...asRoot(), '-l', '127.0.0.1', '-p', '-1', '-U', '0'], {
    stdio: 'ignore',
    env: { ...process.env, MEMCACHED_PORT_FILENAME: portFile },
  })
  try {
    await once(child, 'spawn')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  // Whatever ends this process, the server is not left behind.
  process.once('exit', () => child.kill())
  return child
}

/** memcached refuses to run as root unless it is told to. */
function asRoot(): string[] {
  return process.getuid?.() === 0 ? ['-u', 'root'] : []
}

async function portIn(file: string, child: ChildProcess): Promise<string> {
  while (child.exitCode === null && child.signalCode === null) {
    const port = /TCP INET: (\d+)/.exec(await readFile(file, 'utf8').catch(() => ''))?.[1]
    if (port !== undefined) return port
    await sleep(5)
  }
  throw new Error(`memcached did not start: it ended with ${child.exitCode ?? child.signalCode}`)
}
