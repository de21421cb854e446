import { isFieldwiseError } from '../api/errors.js'
import type { TouchRequest } from '../api/store.js'
import type { Header } from '../format/header.js'
import { Backoff } from './backoff.js'
import type { CallsInFlight } from './calls-in-flight.js'
import { type Context, type Deadline, longestCall, send, writeDeadline } from './context.js'
import type { Headers } from './headers.js'
import type { KnownSessions } from './known-sessions.js'
import { headerLife, idleOfFields, lifeOfFields, needsRenewal, needsTouch } from './lifetime.js'
import type { Reader } from './reader.js'
import { EndOfSession, itemIn, type Snapshot } from './snapshot.js'

/** Whoever set off a renewal, to be told what it finds. */
export interface RenewalListener {
  /** A listed field turned out to be gone; the session was ended. */
  lost(error: Error): void
}

/**
 * Keeps sessions alive while they are used, in the background of the calls that use them. Only verified calls come here (R1). The header is
 * touched when it might not live for another idle time (L4), and all fields together when the header promises them less than two (L3). No
 * value is rewritten. A renewal that fails does not fail a call: it is counted, and the next use of the session tries again.
 */
export class Renewals {
  readonly #context: Context
  readonly #reader: Reader
  readonly #headers: Headers
  readonly #known: KnownSessions
  readonly #calls: CallsInFlight
  readonly #touching = new Set<string>()
  readonly #renewing = new Set<string>()

  constructor(context: Context, reader: Reader, headers: Headers, known: KnownSessions, calls: CallsInFlight) {
    this.#context = context
    this.#reader = reader
    this.#headers = headers
    this.#known = known
    this.#calls = calls
  }

  /** Looks at the header that a verified call has read, and renews what is due. */
  consider(snapshot: Snapshot, listener: RenewalListener): void {
    const { sid, header, serverTime: at } = snapshot
    if (header === undefined) return
    const remaining = header.ttl ?? this.#known.livesUntil(sid, header.value) - at
    if (needsTouch(header.value, remaining, at)) {
      this.#once(this.#touching, sid, () => this.#touch(snapshot, header.value))
    }
    if (needsRenewal(header.value, at)) this.#once(this.#renewing, sid, () => this.#renewFields(snapshot, header.value, listener))
  }

  /** Begins a renewal, unless one of this session is under way. `renew` resolves with whether it succeeded. */
  #once(underWay: Set<string>, sid: string, renew: () => Promise<boolean>): void {
    if (underWay.has(sid)) return
    underWay.add(sid)
    this.#calls.enter()
    void renew()
      .catch(() => false)
      .then((isDone) => {
        if (!isDone) this.#context.telemetry.renewalFailed()
        underWay.delete(sid)
        this.#calls.leave()
      })
  }

  /**
   * A touch is idempotent, so it is sent again until it is answered (W7). The answer holds the header: if the session was given another
   * lifetime since `snapshot`, the ttl just set was the wrong one, and the right one is set.
   */
  async #touch(snapshot: Snapshot, header: Header): Promise<boolean> {
    const deadline = writeDeadline(this.#context)
    const backoff = new Backoff(this.#context, deadline)
    let { serverTime: at } = snapshot
    let asked = header
    do {
      const seen = await this.#reader.getAndTouch(snapshot.sid, headerLife(asked, at), deadline)
      if (seen === undefined) continue
      if (seen.header === undefined) return true
      if (seen.header.value.idle === asked.idle && seen.header.value.deadline === asked.deadline) {
        this.#known.noteLife(snapshot.sid, asked, at)
        return true
      }
      asked = seen.header.value
      at = seen.serverTime
    } while (await backoff.pause())
    return false
  }

  /**
   * Touches every listed field, again where no answer came, and then notes in the header until when all of them live, counted from before
   * the first touch. If the header lists another field by then, or asks for a longer life, those fields are touched before it is noted (L3).
   */
  async #renewFields(snapshot: Snapshot, header: Header, listener: RenewalListener): Promise<boolean> {
    const deadline = writeDeadline(this.#context)
    const backoff = new Backoff(this.#context, deadline)
    let renewed = header
    let left = [...renewed.manifest.keys()]
    try {
      do {
        left = await this.#touchFields(snapshot, renewed, left, deadline)
        if (left.length > 0) continue
        const noted = await this.#note(snapshot.sid, renewed, snapshot.serverTime + this.#ttl(renewed), deadline)
        left = leftToRenew(noted, renewed)
        renewed = noted
      } while (left.length > 0 && (await backoff.pause()))
      return left.length === 0
    } catch (error) {
      // Another call has ended the session: there is nothing to renew any more.
      if (isFieldwiseError(error, 'SESSION_GONE')) return true
      if (!(error instanceof EndOfSession)) throw error
      const ended = await this.#headers.endOver(error, deadline)
      if (isFieldwiseError(ended, 'SESSION_GONE')) listener.lost(ended)
      return true
    }
  }

  /**
   * Resolves with the fields that are still to be touched. Fields that only another version's schema has are touched too; whether such a
   * field is lost is left to the processes that know it.
   *
   * @throws {EndOfSession} for one that is gone, after a second look (R3).
   */
  async #touchFields(snapshot: Snapshot, header: Header, fields: string[], deadline: Deadline): Promise<string[]> {
    const { keys, schema } = this.#context
    const ttl = this.#ttl(header)
    const requests = fields.map((field): TouchRequest => ({ op: 'touch', key: keys.field(snapshot.sid, field), ttl }))
    const { answers } = await send(this.#context, snapshot.sid, requests, deadline)
    const isKnown = (field: string) => schema.hasCatchall || schema.names.includes(field)
    const missing = fields.filter((field, index) => answers[index]?.result === 'missing' && isKnown(field))
    const unanswered = fields.filter((_field, index) => 'error' in (answers[index] ?? {}))
    if (missing.length === 0) return unanswered
    const again = await this.#reader.read(snapshot.sid, missing, deadline)
    const settled = await this.#reader.settle(again, missing, deadline)
    return [...unanswered, ...missing.filter((field) => itemIn(settled, field))]
  }

  /**
   * Notes in the header that its fields live until `until`, unless it lists others by now than `renewed` did. If it asks for another idle
   * time by now, the touches have set the wrong ttl: then it promises no more than `until`. Resolves with the header as it is stored.
   */
  #note(sid: string, renewed: Header, until: number, deadline: Deadline): Promise<Header> {
    const noting = (header: Header): Header => {
      const isWrong = idleOfFields(header) !== idleOfFields(renewed)
      if (isWrong) return header.fieldsUntil > until ? { ...header, fieldsUntil: until } : header
      const isWhole = leftToRenew(header, renewed).length === 0
      return isWhole && header.fieldsUntil < until ? { ...header, fieldsUntil: until } : header
    }
    return this.#headers.change(sid, noting, deadline, 'a renewal')
  }

  #ttl(header: Header): number {
    return lifeOfFields(header, longestCall(this.#context))
  }
}

/** The fields of `header` that are still to be touched after those of `renewed` were. */
function leftToRenew(header: Header, renewed: Header): string[] {
  const fields = [...header.manifest.keys()]
  return idleOfFields(header) > idleOfFields(renewed) ? fields : fields.filter((field) => !renewed.manifest.has(field))
}
