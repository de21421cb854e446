/**
 * A local page that shows what Fieldwise does in this process: sessions, sizes of fields, writes, conflicts, latency and servers.
 *
 * @module @fieldwise/cli/inspector
 */
import { fromCaller } from 'fieldwise/adapter'
import { createInspector, type Inspector, type InspectorOptions } from './lib/inspector/create.js'
import type { Checkable } from './lib/inspector/fleet.js'

export type { Inspector, InspectorOptions } from './lib/inspector/create.js'
export type { Checkable } from './lib/inspector/fleet.js'

/**
 * The inspector, for a development server. It remembers what this process's `createSessions` tell on `node:diagnostics_channel` from now on, a
 * bounded amount of it, and shows it live. It shows ids of sessions, names and sizes of fields, counts and times; never a token, a secret
 * or a value. Nothing can be changed through it.
 *
 * It answers to this machine only, and only by names that cannot be another site's. A fetch handler does not see where a connection comes from:
 * let that server listen on a loopback address.
 *
 * @param sessions whose `check()` says whether all servers answer; asked every three seconds while somebody watches.
 * @throws {BadConfigError} (`BAD_CONFIG`) in production, unless that is asked for; and for options that cannot work.
 *
 * @example
 * app.use(inspector(sessions).middleware) // http://localhost:3000/fieldwise/
 */
export function inspector(sessions?: Checkable, options: InspectorOptions = {}): Inspector {
  return fromCaller(inspector, () => createInspector(sessions, options, 'app'))
}
