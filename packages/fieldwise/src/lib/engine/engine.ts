import { CallsInFlight } from './calls-in-flight.js'
import type { Context } from './context.js'
import { FieldWriter } from './field-writer.js'
import { Headers } from './headers.js'
import type { OperationContext } from './operation.js'
import { Reader } from './reader.js'
import { Renewals } from './renewals.js'

/** What one `createSessions` works with: its context, and the workers that all its sessions share. */
export interface Engine extends OperationContext {
  readonly reader: Reader
  readonly headers: Headers
  readonly writer: FieldWriter
  readonly renewals: Renewals
}

export function createEngine(context: Context): Engine {
  const calls = new CallsInFlight()
  const reader = new Reader(context)
  const headers = new Headers(context, reader)
  const writer = new FieldWriter(context, reader, headers)
  const renewals = new Renewals(context, reader, headers, calls)
  return { ...context, reader, headers, writer, renewals, calls }
}
