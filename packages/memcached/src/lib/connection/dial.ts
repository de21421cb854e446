import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { Address } from './address.js'
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

/** What a socket's error means, unless it just says that the connection was cut. */
export function explainSocketError(error: NodeJS.ErrnoException): string | undefined {
  switch (error.code) {
    case 'ECONNREFUSED':
      return 'refuses connections: is memcached running there?'
    case 'ENOENT':
      return 'is not there: no socket at this path'
    case 'EACCES':
      return 'may not be used: this process has no right to this socket (memcached -a sets it)'
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'cannot be found: its host name does not resolve'
    case 'ECONNRESET':
    case 'EPIPE':
      return undefined
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return 'shows a TLS certificate for another host name: connect by the name that it is for, or set tls: { servername }'
    case 'EPROTO':
    case 'ERR_SSL_WRONG_VERSION_NUMBER':
    case 'ERR_SSL_PACKET_LENGTH_TOO_LONG':
      return 'does not speak TLS: start it with memcached -Z, or leave out tls'
    default:
      return explainOtherError(error.code ?? error.name)
  }
}

/** Node passes OpenSSL's verification results on as codes, some thirty of them. */
function explainOtherError(code: string): string {
  if (/CERT|CRL|SIGNATURE|ISSUER/.test(code)) {
    return `shows a TLS certificate that is not trusted (${code}): give the authority that signed it as tls: { ca }`
  }
  return `cannot be reached (${code})`
}
