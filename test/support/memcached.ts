import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface MemcachedOptions {
  /** More flags for the program, such as `['-m', '16']`. */
  readonly flags?: readonly string[]
  /** More environment for the program, such as `SASL_CONF_PATH`. */
  readonly env?: Readonly<Record<string, string>>
  /** The loopback address to listen on. */
  readonly host?: '127.0.0.1' | '::1'
  /** A fixed port. Without it the system picks a free one. */
  readonly port?: number
  /** Listen on a unix socket instead of TCP. */
  readonly unix?: boolean
}

/** A real memcached of the test's own. It ends with the test process at the latest. */
export class Memcached implements AsyncDisposable {
  /** What `memcachedStore` takes: `host:port`, `[::1]:port` or the path of a socket. */
  readonly address: string
  /** 0 on a unix socket. */
  readonly port: number
  readonly #options: MemcachedOptions
  readonly #folder: string
  #process: ChildProcess

  static async start(options: MemcachedOptions = {}): Promise<Memcached> {
    const folder = mkdtempSync(join(tmpdir(), 'fieldwise-memcached-'))
    const process = launch(options, folder)
    const address = await untilListening(process, options, folder)
    return new Memcached(options, folder, process, address)
  }

  private constructor(options: MemcachedOptions, folder: string, process: ChildProcess, at: ListeningAt) {
    this.#folder = folder
    this.#process = process
    this.port = at.port
    this.address = at.path ?? (options.host === '::1' ? `[::1]:${at.port}` : `127.0.0.1:${at.port}`)
    this.#options = { ...options, port: at.port }
  }

  get pid(): number {
    return this.#process.pid as number
  }

  /** Ends the server at once and loses what it held; `start` brings an empty one back at the same address. */
  async stop(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const ended = new Promise((resolve) => this.#process.once('exit', resolve))
    this.#process.kill(signal)
    await ended
  }

  /** Starts a stopped server again at the same address. */
  async start(): Promise<void> {
    this.#process = launch(this.#options, this.#folder)
    await untilListening(this.#process, this.#options, this.#folder)
  }

  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  /** Freezes the server: connections stay and new ones are taken by the kernel, but nothing is answered. */
  async freeze(): Promise<void> {
    this.#process.kill('SIGSTOP')
    // Its workers go on answering until the first of its threads had its turn to take the signal.
    while (!isStopped(this.pid)) await new Promise((resolve) => setTimeout(resolve, 1))
  }

  thaw(): void {
    this.#process.kill('SIGCONT')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Sends text commands over a connection of its own and gives back what was answered until `until` appeared. */
export function textCommand(server: Memcached, command: string, until = '\r\n'): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = server.port === 0 ? connect(server.address) : connect(server.port, hostOf(server.address))
    let answer = ''
    socket.setTimeout(5_000, () => socket.destroy(new Error(`no answer to ${command}`)))
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      answer += chunk.toString('latin1')
      if (!answer.endsWith(until)) return
      socket.destroy()
      resolve(answer)
    })
    socket.write(`${command}\r\n`)
  })
}

interface ListeningAt {
  readonly port: number
  readonly path?: string
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const server of running) server.kill('SIGKILL')
})

function launch(options: MemcachedOptions, folder: string): ChildProcess {
  rmSync(portFile(folder), { force: true })
  rmSync(socketFile(folder), { force: true })
  const [program, ...args] = [...dyingWithParent(), 'memcached', ...runAs(), ...listenFlags(options, folder), '-U', '0']
  const server = spawn(program as string, [...args, ...(options.flags ?? [])], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, ...options.env, MEMCACHED_PORT_FILENAME: portFile(folder) },
  })
  server.stderr?.resume()
  running.add(server)
  server.once('exit', () => running.delete(server))
  return server
}

/** A test process that is killed runs no exit handler. Where util-linux is there, the system ends its servers with it. */
function dyingWithParent(): string[] {
  return existsSync('/usr/bin/setpriv') ? ['setpriv', '--pdeathsig', 'KILL', '--'] : []
}

/** memcached refuses to run as root unless told to. */
function runAs(): string[] {
  return process.getuid?.() === 0 ? ['-u', 'root'] : []
}

/** Port -1 lets the system pick a free one, which memcached then writes to its port file. */
function listenFlags(options: MemcachedOptions, folder: string): string[] {
  if (options.unix) return ['-s', socketFile(folder)]
  return ['-l', options.host ?? '127.0.0.1', '-p', String(options.port ?? -1)]
}

async function untilListening(server: ChildProcess, options: MemcachedOptions, folder: string): Promise<ListeningAt> {
  let complaint = ''
  let failure: Error | undefined
  server.stderr?.on('data', (chunk) => {
    complaint += chunk
  })
  server.once('error', (error) => {
    failure = new Error(`memcached could not be started; install it with "apt-get install memcached": ${error.message}`)
  })
  const giveUp = performance.now() + 30_000
  while (performance.now() < giveUp) {
    if (failure !== undefined) throw failure
    if (server.exitCode !== null || server.signalCode !== null) throw new Error(`memcached ended at once: ${complaint}`)
    const at = listeningAt(options, folder)
    if (at !== undefined && (await accepts(at, options))) return at
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
  server.kill('SIGKILL')
  throw new Error(`memcached did not listen within 30 s: ${complaint}`)
}

function listeningAt(options: MemcachedOptions, folder: string): ListeningAt | undefined {
  if (options.unix) return existsSync(socketFile(folder)) ? { port: 0, path: socketFile(folder) } : undefined
  if (!existsSync(portFile(folder))) return undefined
  const port = /TCP INET6?: (\d+)/.exec(readFileSync(portFile(folder), 'utf8'))?.[1]
  return port === undefined ? undefined : { port: Number(port) }
}

function accepts(at: ListeningAt, options: MemcachedOptions): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = at.path === undefined ? connect(at.port, options.host ?? '127.0.0.1') : connect(at.path)
    // Not before the server has closed its side too: tests count its connections.
    socket.once('connect', () => socket.end().resume())
    socket.once('close', (hadError) => resolve(!hadError))
    socket.once('error', () => resolve(false))
    socket.setTimeout(1_000, () => socket.destroy())
  })
}

function hostOf(address: string): string {
  return address.slice(0, address.lastIndexOf(':')).replace(/^\[|\]$/g, '')
}

function isStopped(pid: number): boolean {
  const threads = `/proc/${pid}/task`
  // The state follows the program's name, which stands in brackets.
  return readdirSync(threads).every((thread) => /\) T /.test(readFileSync(`${threads}/${thread}/stat`, 'latin1')))
}

function portFile(folder: string): string {
  return join(folder, 'ports')
}

function socketFile(folder: string): string {
  return join(folder, 'socket')
}
