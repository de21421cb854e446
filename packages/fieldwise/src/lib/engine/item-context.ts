import type { Store } from '../api/store.js'
import type { Environment } from '../environment/environment.js'
import { createSealer, noSealing } from '../format/sealing.js'
import { WriteIds } from '../format/write-ids.js'
import type { CommonOptions } from './common-options.js'
import type { ItemContext, RetrySettings } from './context.js'
import { retain } from './store-users.js'
import type { Telemetry } from './telemetry.js'

/** From options that were checked to what items are read and changed with. Starts the store, and counts one more user of it. */
export function createItemContext<S extends RetrySettings>(
  environment: Environment,
  store: Store,
  options: CommonOptions,
  settings: S,
  telemetry: Telemetry,
): ItemContext & { readonly settings: S } {
  const { sealing, prefix = '', clock = Date } = options
  const sealer = sealing === undefined ? noSealing : createSealer({ ...sealing, prefix }, environment)
  const { running } = environment
  store.start?.({ clock, running, sleep: (milliseconds) => environment.sleep(milliseconds, true) })
  retain(store)
  return { store, environment, sealer, ids: new WriteIds(environment), settings, telemetry }
}
