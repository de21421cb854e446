import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { Address } from './servers.js'

/** Begins to connect to an address and calls `connected` when bytes can be sent. */
export type Dial = (address: Address, connected: () => void) => Socket

/** Over TCP, or by the path of a unix socket. */
export function dialPlain(address: Address, connected: () => void): Socket {
  return 'path' in address ? connect(address.path, connected) : connect(address.port, address.host, connected)
}

/** The same inside TLS. The server's certificate is verified unless `options` say otherwise. */
export function dialTls(options: ConnectionOptions): Dial {
  return (address, connected) => connectTls({ ...options, ...address }, connected)
}
