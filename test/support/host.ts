import { systemRuntime } from '../../packages/fieldwise/src/lib/runtime.js'
import type { StoreHost } from '../../packages/fieldwise/src/lib/store.js'

/** What `createSessions` offers to its store. */
export const host: StoreHost = {
  running: systemRuntime.running,
  sleep: (milliseconds) => systemRuntime.sleep(milliseconds, true),
  clock: Date,
}
