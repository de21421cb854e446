import type * as z from 'zod'
import { BadConfigError } from '../api/errors.js'
import type { Context } from '../engine/context.js'
import { createItemContext } from '../engine/item-context.js'
import { Telemetry } from '../engine/telemetry.js'
import type { Environment } from '../environment/environment.js'
import { Keys } from '../format/keys.js'
import { memoryStore } from '../memory/memory-store.js'
import { compileSchema } from '../schema/schema.js'
import { parseSettings, type SessionsOptions } from './settings.js'

/** From the options of `createSessions` to what its parts work with. @throws {BadConfigError} */
export function createContext(environment: Environment, options: SessionsOptions<z.ZodObject>): Context {
  if (typeof options !== 'object' || options === null) throw new BadConfigError('createSessions needs options with a schema')
  const schema = compileSchema(options.schema)
  const settings = parseSettings(options, schema)
  const store = options.store ?? memoryStore()
  const { prefix = '' } = options
  const telemetry = new Telemetry(store.name, prefix)
  return { ...createItemContext(environment, store, options, settings, telemetry), schema, keys: new Keys(prefix) }
}
