import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Memcached } from '../../../../test/support/memcached.js'
import { textCommand } from '../../../../test/support/memcached.js'
import { type Peer, ScriptedServer } from '../../../../test/support/scripted-server.js'

/** Takes every connection that a server has left, until one is turned away. */
export async function fill(server: Memcached): Promise<AsyncDisposable> {
  const taken: Socket[] = []
  for (;;) {
    const socket = connect(server.port, '127.0.0.1').on('error', () => {})
    taken.push(socket)
    socket.write('version\r\n')
    const [answer] = (await once(socket, 'data')) as [Buffer]
    if (answer.toString().startsWith('ERROR')) break
  }
  return {
    async [Symbol.asyncDispose]() {
      for (const socket of taken) socket.destroy()
    },
  }
}

/** Stores items with a life until the server has thrown one out. */
export async function evict(server: Memcached): Promise<void> {
  const value = 'x'.repeat(50_000)
  for (let stored = 0; stored < 200; stored++) {
    await textCommand(server, `set item${stored} 0 3600 ${value.length}\r\n${value}`)
    if (/STAT evictions [1-9]/.test(await textCommand(server, 'stats', 'END\r\n'))) return
  }
  throw new Error('200 items of 50,000 bytes evicted nothing')
}

/** A memcached as seen through something that changes what passes. */
export function through(
  server: Memcached,
  ask: (bytes: Buffer, peer: Peer) => Buffer | undefined,
  answer: (bytes: Buffer) => Promise<Buffer> | Buffer,
): Promise<ScriptedServer> {
  return ScriptedServer.raw((peer) => {
    const behind = connect(server.port, '127.0.0.1').on('error', () => peer.reset())
    peer.socket.on('data', (bytes: Buffer) => {
      const passed = ask(bytes, peer)
      if (passed !== undefined) behind.write(passed)
    })
    let last: Promise<unknown> = Promise.resolve()
    behind.on('data', (bytes) => {
      last = last.then(async () => peer.send(await answer(bytes)))
    })
    void peer.closed.then(() => behind.destroy())
  })
}

/** memcached before 1.6 had no meta commands. */
export function asVersion15(server: Memcached): Promise<ScriptedServer> {
  const refuseMeta = (bytes: Buffer, peer: Peer) => {
    if (!/^m[a-z] /.test(bytes.toString('latin1'))) return bytes
    peer.send('ERROR\r\n')
    return undefined
  }
  const pretend = (bytes: Buffer) => Buffer.from(bytes.toString('latin1').replace(/\b1\.6\.\d+/g, '1.5.22'), 'latin1')
  return through(server, refuseMeta, pretend)
}

/** Each answer comes late. */
export function slowed(server: Memcached, milliseconds: number): Promise<ScriptedServer> {
  return through(
    server,
    (bytes) => bytes,
    (bytes) => sleep(milliseconds, bytes),
  )
}

/** A server whose clock is wrong. */
export function withClock(server: Memcached, seconds: number): Promise<ScriptedServer> {
  const shift = (bytes: Buffer) =>
    Buffer.from(
      bytes.toString('latin1').replace(/STAT time (\d+)/, (_, time) => `STAT time ${Number(time) + seconds}`),
      'latin1',
    )
  return through(server, (bytes) => bytes, shift)
}

export async function httpServer(): Promise<AsyncDisposable & { readonly address: string }> {
  const server = createHttpServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await once(server.close(), 'close')
    },
  }
}
