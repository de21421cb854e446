import { memcachedStore } from '@fieldwise/memcached'
import type { MemcachedOptions, ServerConfig } from '@fieldwise/memcached/servers'
import { addressOf } from '../address.js'
import type { Examination, Intentions } from './examination.js'

/** What the application's own store says when it is to use this server, without the server's name; undefined where it does. */
export async function refusalByStore(
  server: ServerConfig,
  intentions: Intentions,
  speaks: Examination['speaks'],
): Promise<string | undefined> {
  const store = memcachedStore({ [server.label]: addressOf(server) }, storeOptions(intentions, speaks))
  try {
    await store.check(Number.POSITIVE_INFINITY)
    return undefined
  } catch (error) {
    return (error as Error).message.replace(`${server.name} `, '')
  } finally {
    await store.close()
  }
}

function storeOptions({ credentials, tls, protocol, timeout }: Intentions, speaks: Examination['speaks']): MemcachedOptions {
  const common = { ...credentials, timeout: `${timeout}ms` } as const
  if (tls !== undefined) return { ...common, protocol: 'meta', tls }
  return (protocol ?? (speaks.meta ? 'meta' : 'binary')) === 'meta' ? { ...common, protocol: 'meta' } : common
}
