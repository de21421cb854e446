import type { Channel } from 'node:diagnostics_channel'
import { isFieldwiseError } from '../api/errors.js'
import { channels, type FieldEvent, type OperationEvent, type OperationName, type SessionEvent } from '../api/events.js'
import { Latencies, type SessionsStats } from '../api/stats.js'
import type { Flight } from '../api/store.js'
import { isSid } from '../format/token.js'
import { warnOfMisrouted } from './misrouted.js'

/** Counts what one `createSessions` does, and publishes events on the channels that have subscribers. */
export class Telemetry {
  readonly #store: string
  readonly #prefix: string
  readonly #latencies = new Latencies()
  readonly #counts = {
    operations: 0,
    flights: 0,
    hits: 0,
    conflicts: 0,
    retries: 0,
    combined: 0,
    lost: 0,
    unknown: 0,
    failedRenewals: 0,
  }

  constructor(store: string, prefix: string) {
    this.#store = store
    this.#prefix = prefix
  }

  stats(): SessionsStats {
    return { ...this.#counts, latency: this.#latencies.quantiles() }
  }

  /** Whether a channel about the ends of calls has a subscriber. */
  get isWatched(): boolean {
    return channels.operation.hasSubscribers || channels.unknown.hasSubscribers || channels.unavailable.hasSubscribers
  }

  /** A call has ended, with an error or without. Times are on the monotonic clock. */
  ended(
    operation: OperationName,
    sid: string | undefined,
    fields: readonly string[],
    started: number,
    now: number,
    error?: unknown,
  ): void {
    const duration = now - started
    this.#counts.operations++
    this.#latencies.add(duration)
    const code = error === undefined ? undefined : codeOf(error)
    if (code === 'OUTCOME_UNKNOWN') {
      this.#counts.unknown++
      this.#tell(channels.unknown, sid)
    }
    if (code === 'STORE_UNAVAILABLE') this.#tell(channels.unavailable, sid)
    if (!channels.operation.hasSubscribers) return
    channels.operation.publish({ ...this.about(sid), operation, fields, started, duration, error: code })
  }

  /** A flight was sent. Returns it, with its duration published when it has returned. */
  flew(sid: string, requests: number, flight: Promise<Flight>): Promise<Flight> {
    this.#counts.flights++
    return channels.flight.hasSubscribers ? this.#timed(sid, requests, flight) : flight
  }

  async #timed(sid: string, requests: number, flight: Promise<Flight>): Promise<Flight> {
    const started = performance.now()
    const landed = await flight
    const duration = performance.now() - started
    const answered = landed.answers.every((answer) => answer.result !== 'unanswered' && answer.result !== 'unsent')
    channels.flight.publish({ ...this.about(sid), requests, duration, answered })
    return landed
  }

  /** A read needed no request of its own. */
  hit(): void {
    this.#counts.hits++
  }

  wrote(sid: string, field: string, bytes: number, deleted: boolean, combined: number): void {
    this.#counts.combined += combined - 1
    if (channels.write.hasSubscribers) channels.write.publish({ ...this.about(sid), field, bytes, deleted, combined })
  }

  conflict(sid: string, field: string): void {
    this.#counts.conflicts++
    this.#tellField(channels.conflict, sid, field)
  }

  retried(): void {
    this.#counts.retries++
  }

  lost(sid: string, field: string): void {
    this.#counts.lost++
    this.#tellField(channels.lost, sid, field)
  }

  /** The next use of the session tries again. */
  renewalFailed(): void {
    this.#counts.failedRenewals++
  }

  created(sid: string): void {
    this.#tell(channels.created, sid)
  }

  rotated(sid: string): void {
    this.#tell(channels.rotated, sid)
  }

  sessionEnded(sid: string): void {
    this.#tell(channels.ended, sid)
  }

  forged(sid: string): void {
    this.#tell(channels.forged, sid)
  }

  misrouted(sid: string): void {
    warnOfMisrouted(sid.split('~')[1])
    this.#tell(channels.misrouted, sid)
  }

  superseded(sid: string): void {
    this.#tell(channels.superseded, sid)
  }

  #tell(channel: Channel<SessionEvent, SessionEvent>, sid: string | undefined): void {
    if (channel.hasSubscribers) channel.publish(this.about(sid))
  }

  #tellField(channel: Channel<FieldEvent, FieldEvent>, sid: string, field: string): void {
    if (channel.hasSubscribers) channel.publish({ ...this.about(sid), field })
  }

  /** What every event says of the one it is about. */
  protected about(sid: string | undefined): SessionEvent {
    // What is asked of a server as a whole is about no session.
    return { store: this.#store, prefix: this.#prefix, sid: sid && isSid(sid) ? sid : undefined, server: sid?.split('~')[1] }
  }
}

function codeOf(error: unknown): OperationEvent['error'] {
  return isFieldwiseError(error) ? error.code : 'OTHER'
}
