import type { ServerConfig } from '@fieldwise/memcached/servers'

/** A server's address as it was written: `127.0.0.1:11211`. */
export function addressOf({ address }: ServerConfig): string {
  if ('path' in address) return address.path
  return address.host.includes(':') ? `[${address.host}]:${address.port}` : `${address.host}:${address.port}`
}
