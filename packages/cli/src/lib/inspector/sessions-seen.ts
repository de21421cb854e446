import type { FieldEvent, SessionEvent, WriteEvent } from 'fieldwise'
import type { FieldSeen, SeenState, SessionSeen } from './frame.js'
import { labelOf } from './servers-seen.js'

/** The sessions that were used last. One more makes room for itself: the one that was not used for the longest is forgotten. */
export class SessionsSeen {
  readonly #entries = new Map<string, SeenEntry>()
  readonly #most: number
  #count = 0

  constructor(most: number) {
    this.#most = most
  }

  /** How many different ones were seen; one that was forgotten and comes back counts again. */
  get count(): number {
    return this.#count
  }

  operation(event: SessionEvent, now: number): void {
    const entry = this.#find(event, now)
    if (entry !== undefined) entry.operations++
  }

  wrote(event: WriteEvent, now: number): void {
    this.#find(event, now)?.field(event.field, now)?.wrote(event, now)
  }

  conflict(event: FieldEvent, now: number): void {
    const entry = this.#find(event, now)
    if (entry === undefined) return
    entry.conflicts++
    const field = entry.field(event.field, now)
    if (field !== undefined) field.conflicts++
  }

  forged(event: SessionEvent, now: number): void {
    const entry = this.#find(event, now)
    if (entry !== undefined) entry.forged++
  }

  /** Whether that is news: several calls may find the same session lost. */
  became(state: SeenState, event: SessionEvent, now: number): boolean {
    const entry = this.#find(event, now)
    if (entry?.state === state) return false
    if (entry !== undefined) entry.state = state
    return true
  }

  /** How many living ones each server holds. */
  byServer(): Map<string, number> {
    const counts = new Map<string, number>()
    for (const { state, label } of this.#entries.values()) {
      if (state === 'live') counts.set(label, (counts.get(label) ?? 0) + 1)
    }
    return counts
  }

  /** The `most` that were used last, newest session first: a row of a table then never changes places with another. */
  latest(most: number): SessionSeen[] {
    return [...this.#entries.values()]
      .slice(-most)
      .map((entry) => entry.seen())
      .sort((one, other) => other.firstSeen - one.firstSeen || (one.key < other.key ? -1 : 1))
  }

  #find(event: SessionEvent, now: number): SeenEntry | undefined {
    if (event.sid === undefined) return undefined
    const key = `${event.store} ${event.prefix}${event.sid}`
    const entry = this.#entries.get(key) ?? this.#begin(key, event.sid, event, now)
    entry.lastSeen = now
    // A map keeps the order of insertion: the last one is the one that was used last.
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry
  }

  #begin(key: string, sid: string, event: SessionEvent, now: number): SeenEntry {
    this.#count++
    const [longestUnused] = this.#entries.keys()
    if (this.#entries.size >= this.#most && longestUnused !== undefined) this.#entries.delete(longestUnused)
    return new SeenEntry(key, sid, event, now)
  }
}

class SeenEntry {
  readonly label: string
  state: SeenState = 'live'
  operations = 0
  conflicts = 0
  forged = 0
  lastSeen: number
  readonly #key: string
  readonly #sid: string
  readonly #event: SessionEvent
  readonly #firstSeen: number
  readonly #fields = new Map<string, Field>()

  constructor(key: string, sid: string, event: SessionEvent, now: number) {
    this.#key = key
    this.#sid = sid
    this.#event = event
    this.label = labelOf(event)
    this.#firstSeen = this.lastSeen = now
  }

  /** Undefined beyond the fields that are kept of one session. */
  field(name: string, now: number): Field | undefined {
    let field = this.#fields.get(name)
    if (field !== undefined || this.#fields.size >= mostFields) return field
    field = new Field(now)
    this.#fields.set(name, field)
    return field
  }

  seen(): SessionSeen {
    const fields = [...this.#fields].map(([field, it]) => it.seen(field)).sort((one, other) => other.bytes - one.bytes)
    return {
      key: this.#key,
      sid: this.#sid,
      store: this.#event.store,
      prefix: this.#event.prefix,
      server: this.#event.server,
      state: this.state,
      firstSeen: this.#firstSeen,
      lastSeen: this.lastSeen,
      operations: this.operations,
      conflicts: this.conflicts,
      forged: this.forged,
      bytes: fields.reduce((sum, { bytes }) => sum + bytes, 0),
      fields,
    }
  }
}

class Field {
  conflicts = 0
  #bytes = 0
  #writes = 0
  #lastWrite: number

  constructor(now: number) {
    this.#lastWrite = now
  }

  wrote({ bytes, deleted }: WriteEvent, now: number): void {
    this.#bytes = deleted ? 0 : bytes
    this.#writes++
    this.#lastWrite = now
  }

  seen(field: string): FieldSeen {
    return { field, bytes: this.#bytes, writes: this.#writes, conflicts: this.conflicts, lastWrite: this.#lastWrite }
  }
}

const mostFields = 64
