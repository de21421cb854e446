import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { type AddressInfo, isIPv6 } from 'node:net'
import type { MemcachedOptions, Servers } from '@fieldwise/memcached/servers'
import { CommandError } from '../command.js'
import { exitCode } from '../exit-code.js'
import { createInspector } from './create.js'
import { Demo } from './demo.js'

export interface ServeOptions {
  readonly servers: Servers | undefined
  readonly memcached: MemcachedOptions
  readonly port: number
  /** The address to listen on. */
  readonly listen: string
  /** Names besides those of this machine. */
  readonly hosts: readonly string[]
  readonly production: boolean
  readonly demo: boolean
}

/** The inspector as a server of its own. */
export interface Served extends AsyncDisposable {
  readonly url: string
}

/** @throws {CommandError} where it cannot listen. @throws {BadConfigError} in production, and for servers that cannot be. */
export async function serveInspector(options: ServeOptions): Promise<Served> {
  const { servers, memcached, port, listen, production } = options
  // Whoever listens elsewhere wants others to look.
  const place = { path: '/', hosts: [...options.hosts, hostOf(listen)], remote: !isLoopback(listen), production }
  const asked = { memcached, ...(servers !== undefined && { servers }) }
  const page = createInspector(undefined, { ...place, ...asked }, options.demo ? 'demo' : 'servers')
  const server = createServer(page.middleware)
  const demo = options.demo ? new Demo({ servers, memcached, random: Math.random }) : undefined
  const close = async () => {
    page.close()
    await demo?.[Symbol.asyncDispose]()
    server.close()
    server.closeAllConnections()
  }
  try {
    await listening(server, port, listen)
  } catch (error) {
    await close()
    throw error
  }
  const url = `http://${isLoopback(listen) && listen !== '::1' ? 'localhost' : hostOf(listen)}:${(server.address() as AddressInfo).port}/`
  return { url, [Symbol.asyncDispose]: close }
}

async function listening(server: Server, port: number, listen: string): Promise<void> {
  server.listen(port, listen)
  try {
    await once(server, 'listening')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const reason =
      code === 'EADDRINUSE' ? `port ${port} is in use; choose another one with --port` : `cannot listen on ${listen} (${code})`
    throw new CommandError(reason, { code: exitCode.failed, cause: error })
  }
}

function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.') || address === 'localhost'
}

/** As it stands in a URL. */
function hostOf(address: string): string {
  return isIPv6(address) ? `[${address}]` : address
}
