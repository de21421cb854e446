import { CallsInFlight } from './calls-in-flight.js'
import type { Context } from './context.js'
import { FieldWriter } from './field-writer.js'
import { Headers } from './headers.js'
import { Reader } from './reader.js'
import { Renewals } from './renewals.js'

/** The working parts of one `createSessions`. */
export interface Engine {
  readonly context: Context
  readonly reader: Reader
  readonly headers: Headers
  readonly writer: FieldWriter
  readonly renewals: Renewals
  readonly calls: CallsInFlight
}

export function createEngine(context: Context): Engine {
  const activity = new CallsInFlight()
  const reader = new Reader(context)
  const headers = new Headers(context, reader)
  return {
    context: context,
    reader,
    headers,
    writer: new FieldWriter(context, reader, headers),
    renewals: new Renewals(context, reader, headers, activity),
    calls: activity,
  }
}
