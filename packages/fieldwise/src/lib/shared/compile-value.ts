import * as z from 'zod'
import { type CompiledField, compileSchema } from '../schema/schema.js'

/** The schema of one kind, ready for use: by the same rules as a field of a session. @throws {BadConfigError} */
export function compileValue(name: string, schema: z.ZodType): CompiledField {
  return compileSchema(z.object({ [name]: schema })).field(name)
}
