import { Activity } from './calls-in-flight.js'
import type { Core } from './context.js'
import { FieldWriter } from './field-writer.js'
import { Headers } from './headers.js'
import { Reader } from './reader.js'
import { Renewals } from './renewals.js'

/** The working parts of one `createSessions`. */
export interface Engine {
  readonly core: Core
  readonly reader: Reader
  readonly headers: Headers
  readonly writer: FieldWriter
  readonly renewals: Renewals
  readonly activity: Activity
}

export function createEngine(core: Core): Engine {
  const activity = new Activity()
  const reader = new Reader(core)
  const headers = new Headers(core, reader)
  return {
    core,
    reader,
    headers,
    writer: new FieldWriter(core, reader, headers),
    renewals: new Renewals(core, reader, headers, activity),
    activity,
  }
}
