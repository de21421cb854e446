import type { Socket } from 'node:net'

/**
 * Warns, once for each host name, where it stands for several addresses of one family, as that of a headless service does: each process
 * connects to one of them, and does not find the sessions that are on the others. Node tells all addresses that it found before it connects.
 */
export function warnOfSeveralAddresses(socket: Socket, host: string): Socket {
  const found = new Map<number | string, Set<string>>()
  socket.on('lookup', (error: Error | null, address: string, family: number | string) => {
    if (error !== null) return
    const ofFamily = found.get(family) ?? new Set()
    found.set(family, ofFamily.add(address))
    if (ofFamily.size > 1) warn(host)
  })
  return socket
}

const warned = new Set<string>()

function warn(host: string): void {
  if (warned.has(host)) return
  warned.add(host)
  process.emitWarning(
    `The host name '${host}' stands for several memcached servers, and this process uses one of them: sessions on the others are not found. ` +
      "Give each server a name of its own: memcachedStore({ a: 'cache-0.cache:11211', b: 'cache-1.cache:11211' })",
    { type: 'FieldwiseWarning', code: 'FIELDWISE_SEVERAL_ADDRESSES' },
  )
}
