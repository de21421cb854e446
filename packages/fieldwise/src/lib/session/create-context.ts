import type * as z from 'zod'
import { BadConfigError } from '../api/errors.js'
import type { Context } from '../engine/context.js'
import { Telemetry } from '../engine/telemetry.js'
import type { Environment } from '../environment/environment.js'
import { Keys } from '../format/keys.js'
import { createSealer, noSealing } from '../format/sealing.js'
import { WriteIds } from '../format/write-ids.js'
import { memoryStore } from '../memory/memory-store.js'
import { compileSchema } from '../schema/schema.js'
import { parseSettings, type SessionsOptions } from './settings.js'
import { retain } from './store-users.js'

/** From the options of `createSessions` to what its parts work with. @throws {BadConfigError} */
export function createContext(environment: Environment, options: SessionsOptions<z.ZodObject>): Context {
  if (typeof options !== 'object' || options === null) throw new BadConfigError('createSessions needs options with a schema')
  const schema = compileSchema(options.schema)
  const settings = parseSettings(options, schema)
  const prefix = options.prefix ?? ''
  const sealer = options.sealing !== undefined ? createSealer({ ...options.sealing, prefix }, environment) : noSealing
  const store = options.store ?? memoryStore()
  store.start?.({
    clock: options.clock ?? Date,
    running: environment.running,
    sleep: (milliseconds) => environment.sleep(milliseconds, true),
  })
  retain(store)
  const telemetry = new Telemetry(store.name, prefix)
  return { store, environment, schema, sealer, keys: new Keys(prefix), ids: new WriteIds(environment), settings, telemetry }
}
