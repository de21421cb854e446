import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { end, endWithUs } from './child.js'

/** A real redis-server on a loopback port of its own. It keeps everything in memory, as memcached does. */
export class Redis implements AsyncDisposable {
  readonly port: number
  readonly #child: ChildProcess

  static async start(): Promise<Redis> {
    const port = await freePort()
    const flags = ['--bind', '127.0.0.1', '--port', String(port), '--save', '', '--appendonly', 'no', '--maxclients', '4000']
    const child = endWithUs(spawn('redis-server', flags, { stdio: 'ignore' }))
    await once(child, 'spawn')
    const redis = new Redis(child, port)
    while ((await redis.#ask('PING').catch(() => '')) !== '+PONG') {
      if (child.exitCode !== null) throw new Error(`redis-server did not start: it ended with ${child.exitCode}`)
      await sleep(5)
    }
    return redis
  }

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
  }

  /** What `INFO` says, by name. */
  async info(): Promise<ReadonlyMap<string, string>> {
    const text = await this.#ask('INFO')
    return new Map([...text.matchAll(/^(\w+):(.*)\r$/gm)].map(([, name, value]) => [name as string, value as string]))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return end(this.#child)
  }

  /** An inline command over a connection of its own, until the server closes it. */
  async #ask(command: string): Promise<string> {
    const socket = connect(this.port, '127.0.0.1')
    socket.end(`${command}\r\nQUIT\r\n`)
    let answer = ''
    for await (const chunk of socket) answer += chunk.toString('latin1')
    return answer.replace(/\r\n\+OK\r\n$/, '')
  }
}

/** redis-server takes no port 0 for "any that is free". */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
