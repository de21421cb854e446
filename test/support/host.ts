import type { StoreHost } from '../../packages/fieldwise/src/lib/api/store.js'
import { systemRuntime } from '../../packages/fieldwise/src/lib/environment/environment.js'

/** What `createSessions` offers to its store. */
export const host: StoreHost = {
  running: systemRuntime.running,
  sleep: (milliseconds) => systemRuntime.sleep(milliseconds, true),
  clock: Date,
}
