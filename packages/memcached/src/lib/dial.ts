import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { Address } from './servers.js'
import { warnOfSeveralAddresses } from './several-addresses.js'

/** Begins to connect to an address and calls `connected` when bytes can be sent. */
export type Dial = (address: Address, connected: () => void) => Socket

/** Over TCP, or by the path of a unix socket. */
export function dialPlain(address: Address, connected: () => void): Socket {
  if ('path' in address) return connect(address.path, connected)
  return warnOfSeveralAddresses(connect(address.port, address.host, connected), address.host)
}

/** The same inside TLS. The server's certificate is verified unless `options` say otherwise. */
export function dialTls(options: ConnectionOptions): Dial {
  return (address, connected) => {
    const socket = connectTls({ ...options, ...address }, connected)
    return 'path' in address ? socket : warnOfSeveralAddresses(socket, address.host)
  }
}
