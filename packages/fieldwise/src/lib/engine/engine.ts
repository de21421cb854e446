import { CallsInFlight } from './calls-in-flight.js'
import type { Context } from './context.js'
import { FieldWriter } from './field-writer.js'
import { Headers } from './headers.js'
import { KnownSessions } from './known-sessions.js'
import { Lifetimes } from './lifetimes.js'
import { Reader } from './reader.js'
import { Renewals } from './renewals.js'
import { UserLists } from './user-lists.js'

/** What one `createSessions` works with: its context, and the workers that all its sessions share. */
export interface Engine extends Context {
  readonly reader: Reader
  readonly headers: Headers
  readonly writer: FieldWriter
  readonly renewals: Renewals
  readonly lifetimes: Lifetimes
  readonly known: KnownSessions
  readonly userLists: UserLists
  readonly calls: CallsInFlight
}

export function createEngine(context: Context): Engine {
  const calls = new CallsInFlight('The store of these sessions')
  const known = new KnownSessions(context)
  const reader = new Reader(context, known)
  const headers = new Headers(context, reader, known)
  const writer = new FieldWriter(context, reader, headers, known)
  const renewals = new Renewals(context, reader, headers, known, calls)
  const lifetimes = new Lifetimes(context, reader, headers)
  const userLists = new UserLists(context)
  return { ...context, reader, headers, writer, renewals, lifetimes, known, userLists, calls }
}
