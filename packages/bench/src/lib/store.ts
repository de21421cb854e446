import { memcachedStore } from '@fieldwise/memcached'
import type { Store } from 'fieldwise'

export type StoreProtocol = 'binary' | 'meta'

/** The store as by default, save that it has patience with a busy machine: what counts is how long things take, not that they end. */
export function patientStore(servers: string | readonly string[], protocol: StoreProtocol): Store {
  return memcachedStore(servers, { protocol, timeout: '5s' })
}

/** Goes with {@link patientStore}: an update outlasts an operation, as it does by default. */
export const patientRetry = { deadline: '20s' } as const
