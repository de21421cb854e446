import { once } from 'node:events'
import { createServer, type RequestListener, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Addresses, Site } from './addresses.js'

/** What a program is told when it starts. */
export interface Order {
  /** The sites that this process serves and the port of each; 0 is any free one. */
  readonly ports: Readonly<Partial<Record<Site, number>>>
  /** `host:port`, or nothing: keep sessions in this process. */
  readonly memcached?: string | undefined
  /** Signs the cookies of express-session, the same in each of its processes. */
  readonly secret: string
  /** What the pages say about the store. */
  readonly storeName: string
}

/** What a program tells when it listens: the port of each site that it serves. */
export type Ports = Readonly<Partial<Record<Site, number>>>

/** The servers of one process. */
interface Sites {
  readonly apps: Readonly<Record<Site, RequestListener>>
  /** Ends the connections to the store. */
  close(): Promise<void>
}

/**
 * Runs servers in a process that `Program` started, until that one lets go of it. Listens first and learns all addresses
 * afterwards, so that any free port will do.
 */
export async function serve(build: (order: Order, addresses: Addresses) => Sites): Promise<void> {
  // Ctrl-C reaches every process of a terminal. The first one ends the others when it is done with them.
  process.on('SIGINT', () => {})
  const order = await hear<Order>()
  const servers = new Map<Site, Server>()
  for (const [site, port] of Object.entries(order.ports) as [Site, number][]) servers.set(site, await listen(port))
  tell(Object.fromEntries([...servers].map(([site, server]) => [site, (server.address() as AddressInfo).port])))
  const sites = build(order, await hear<Addresses>())
  for (const [site, server] of servers) server.on('request', sites.apps[site])
  tell('serving')
  await once(process, 'disconnect')
  for (const server of servers.values()) server.close().closeAllConnections()
  await sites.close()
  process.exit()
}

async function listen(port: number): Promise<Server> {
  const server = createServer().listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

async function hear<Message>(): Promise<Message> {
  const [message] = await once(process, 'message')
  return message
}

function tell(message: Ports | 'serving'): void {
  process.send?.(message)
}
