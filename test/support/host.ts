import type { StoreHost } from '../../packages/fieldwise/src/lib/api/store.js'
import { systemEnvironment } from '../../packages/fieldwise/src/lib/environment/environment.js'

/** What `createSessions` offers to its store. */
export const host: StoreHost = {
  running: systemEnvironment.running,
  sleep: (milliseconds) => systemEnvironment.sleep(milliseconds, true),
  clock: Date,
}
