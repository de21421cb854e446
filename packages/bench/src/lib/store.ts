import { memcachedStore } from '@fieldwise/memcached'
import type { Store } from 'fieldwise'

export type StoreProtocol = 'binary' | 'meta'

/** The default store, with longer timeouts for a busy machine: what is measured is how long calls take, not whether they end in time. */
export function patientStore(servers: string | readonly string[], protocol: StoreProtocol): Store {
  return memcachedStore(servers, { protocol, timeout: '5s' })
}

/** Goes with {@link patientStore}: an update outlasts an operation, as it does by default. */
export const patientRetry = { deadline: '20s' } as const
