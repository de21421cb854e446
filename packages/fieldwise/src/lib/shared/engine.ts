import type { CallsInFlight } from '../engine/calls-in-flight.js'
import type { ItemContext } from '../engine/context.js'
import type { Addresses } from './addresses.js'
import type { ItemReader } from './item-reader.js'
import type { ItemWriter } from './item-writer.js'
import type { SharedTelemetry } from './telemetry.js'

/** What one `createShared` works with, and all its kinds share. */
export interface SharedEngine extends ItemContext {
  readonly telemetry: SharedTelemetry
  readonly addresses: Addresses
  readonly reader: ItemReader
  readonly writer: ItemWriter
  readonly calls: CallsInFlight
}
