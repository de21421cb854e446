import { isFieldwiseError } from '../api/errors.js'
import type { StoreAnswer, StoreRequest } from '../api/store.js'
import type { Header } from '../format/header.js'
import { Backoff } from './backoff.js'
import type { CallsInFlight } from './calls-in-flight.js'
import { type Context, type Deadline, longestCall, send, writeDeadline } from './context.js'
import type { HeaderChange, Headers } from './headers.js'
import { fieldLife, headerLife, idleOfFields, needsRenewal, needsTouch } from './lifetime.js'
import { EndOfSession, type FoundItem, headerIn, itemIn, type Reader, type Snapshot, unavailable } from './reader.js'

/** What a renewal tells whoever set it off. */
export interface RenewalListener {
  /** A listed field turned out to be gone; the session was ended. */
  lost(error: Error): void
}

/**
 * Keeps used sessions alive, beside the calls that use them. Only verified calls come here (R1). The header is touched when it may not
 * live for another idle time, the fields together when fewer than two idle times are noted for them. Nothing is rewritten, and nothing
 * that fails here fails a call: the next use tries again.
 */
export class Renewals {
  readonly #context: Context
  readonly #reader: Reader
  readonly #headers: Headers
  readonly #activity: CallsInFlight
  readonly #touching = new Set<string>()
  readonly #renewing = new Set<string>()
  /** The lives of the headers that this process has stored or touched, and when: for stores that do not report lives. */
  readonly #lives = new Map<string, { readonly life: number; readonly at: number }>()

  constructor(context: Context, reader: Reader, headers: Headers, activity: CallsInFlight) {
    this.#context = context
    this.#reader = reader
    this.#headers = headers
    this.#activity = activity
  }

  /** Looks at the header that a verified call has read, and renews what is due. */
  consider(snapshot: Snapshot, listener: RenewalListener): void {
    const { sid, header, serverTime: at } = snapshot
    if (header === undefined) return
    const remaining = header.life ?? this.#notedUntil(sid, header.value) - at
    if (needsTouch(header.value, remaining, at)) {
      this.#once(this.#touching, sid, () => this.#touch(snapshot, header.value))
    }
    if (needsRenewal(header.value, at)) this.#once(this.#renewing, sid, () => this.#renewFields(snapshot, header.value, listener))
  }

  /** Notes that a header was stored or touched at `at` with a full life. */
  noteLife(sid: string, header: Header, at: number): void {
    if (this.#context.store.traits.reportsLife) return
    this.#lives.delete(sid)
    this.#lives.set(sid, { life: headerLife(header, at), at })
    if (this.#lives.size > mostLives) this.#lives.delete(this.#lives.keys().next().value as string)
  }

  /** Until when the header lives at least. Another process may have given it a shorter life since the note was made. */
  #notedUntil(sid: string, header: Header): number {
    const noted = this.#lives.get(sid)
    return noted ? noted.at + Math.min(noted.life, headerLife(header, noted.at)) : 0
  }

  /**
   * Makes a change of the header. One that promises a longer idle time is made last (L6): first the header asks for fields that live
   * longer, so that nobody writes one with the shorter life any more, and then every field is stored anew, which makes those writes fail
   * that were begun before. Resolves with the header as it is stored.
   *
   * @throws {StoreUnavailableError} when the fields could not be given the longer life by `deadline`: then nothing was promised.
   * @throws as {@link Headers.change}.
   */
  async change(sid: string, change: HeaderChange, deadline: Deadline, what: string): Promise<Header> {
    const lengthened = new Set<string>()
    let until = Number.POSITIVE_INFINITY
    for (;;) {
      let left: string[] = []
      const promising = (header: Header, at: number): Header => {
        const next = change(header, at)
        if (idleOfFields(header) < next.idle) lengthened.clear()
        left = next.idle > header.idle ? [...header.manifest.keys()].filter((field) => !lengthened.has(field)) : []
        if (left.length > 0) return asking(header, next.idle)
        return next === header ? header : promised(next, lengthened.size > 0 ? until : 0)
      }
      const header = await this.#headers.change(sid, promising, deadline, what)
      if (left.length === 0) return header
      until = Math.min(until, await this.#lengthen(sid, left, deadline))
      for (const field of left) lengthened.add(field)
    }
  }

  /** Gives fields the life that the header asks for, by storing their bytes anew. Resolves with until when they all live. */
  async #lengthen(sid: string, fields: string[], deadline: Deadline): Promise<number> {
    const backoff = new Backoff(this.#context, deadline)
    let left = fields
    let until = Number.POSITIVE_INFINITY
    let failure: unknown
    do {
      try {
        const snapshot = await this.#reader.read(sid, left, deadline)
        const header = headerIn(snapshot).value
        until = Math.min(until, snapshot.serverTime + this.#life(header))
        left = await this.#storeAnew(snapshot, left, header, deadline)
        if (left.length === 0) return until
      } catch (error) {
        if (!isFieldwiseError(error, 'STORE_UNAVAILABLE')) throw error
        failure = error
      }
    } while (await backoff.pause())
    throw unavailable(failure)
  }

  async #storeAnew(snapshot: Snapshot, fields: string[], header: Header, deadline: Deadline): Promise<string[]> {
    const { keys } = this.#context
    const present = fields.filter((field) => itemIn(snapshot, field))
    const requests = present.map((field): StoreRequest => {
      const { bytes, version } = itemIn(snapshot, field) as FoundItem
      return { op: 'replace', key: keys.field(snapshot.sid, field), value: bytes, version, life: this.#life(header) }
    })
    const { answers } = await send(this.#context, snapshot.sid, requests, deadline)
    return present.filter((_field, index) => !isAnswered(answers[index]))
  }

  #once(underWay: Set<string>, sid: string, work: () => Promise<void>): void {
    if (underWay.has(sid)) return
    underWay.add(sid)
    this.#activity.enter()
    work()
      .catch(() => {})
      .finally(() => {
        underWay.delete(sid)
        this.#activity.leave()
      })
  }

  /**
   * Idempotent, so it is sent again until it is answered (W7). The header comes back with it: where the session was given another
   * lifetime since `reading`, the life just set was the wrong one.
   */
  async #touch(snapshot: Snapshot, header: Header): Promise<void> {
    const deadline = writeDeadline(this.#context)
    const backoff = new Backoff(this.#context, deadline)
    let { serverTime: at } = snapshot
    let life = header
    do {
      const seen = await this.#reader.renew(snapshot.sid, headerLife(life, at), deadline)
      if (seen === undefined) continue
      if (seen.header === undefined) return
      if (seen.header.value.idle === life.idle && seen.header.value.deadline === life.deadline) {
        this.noteLife(snapshot.sid, life, at)
        return
      }
      life = seen.header.value
      at = seen.serverTime
    } while (await backoff.pause())
  }

  /**
   * Touches every listed field, those that failed once more, and then notes in the header until when they all live: counted from before
   * the first touch. Where the header lists a field by then that was not touched, or asks for a longer life, that comes first (L3).
   */
  async #renewFields(snapshot: Snapshot, header: Header, listener: RenewalListener): Promise<void> {
    const deadline = writeDeadline(this.#context)
    const backoff = new Backoff(this.#context, deadline)
    let renewed = header
    let left = [...renewed.manifest.keys()]
    try {
      do {
        left = await this.#touchFields(snapshot, renewed, left, deadline)
        if (left.length > 0) continue
        const noted = await this.#note(snapshot.sid, renewed, snapshot.serverTime + this.#life(renewed), deadline)
        left = leftToRenew(noted, renewed)
        renewed = noted
      } while (left.length > 0 && (await backoff.pause()))
    } catch (error) {
      if (!(error instanceof EndOfSession)) throw error
      const ended = await this.#headers.endOver(error, deadline)
      if (isFieldwiseError(ended, 'SESSION_GONE')) listener.lost(ended)
    }
  }

  /**
   * The fields whose touch was not answered. A field of another version's schema is touched too, but what it means that it is gone is
   * for those to say who know it.
   *
   * @throws {EndOfSession} for one that is gone, after a second look (R3).
   */
  async #touchFields(snapshot: Snapshot, header: Header, fields: string[], deadline: Deadline): Promise<string[]> {
    const { keys, schema } = this.#context
    const life = this.#life(header)
    const requests = fields.map((field): StoreRequest => ({ op: 'touch', key: keys.field(snapshot.sid, field), life }))
    const { answers } = await send(this.#context, snapshot.sid, requests, deadline)
    const isKnown = (field: string) => schema.hasCatchall || schema.names.includes(field)
    const missing = fields.filter((field, index) => answers[index]?.result === 'missing' && isKnown(field))
    const unanswered = fields.filter((_field, index) => !isAnswered(answers[index]))
    if (missing.length === 0) return unanswered
    const again = await this.#reader.read(snapshot.sid, missing, deadline)
    const settled = await this.#reader.settle(again, missing, deadline)
    return [...unanswered, ...missing.filter((field) => itemIn(settled, field))]
  }

  /**
   * Notes that the fields listed in `renewed` live until `until`, unless there are others by now. Where they are to live for another idle
   * time by now, they were given the wrong life, and that is noted. Resolves with the header as it stands then.
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

  #life(header: Header): number {
    return fieldLife(idleOfFields(header), longestCall(this.#context))
  }
}

/** The fields of `header` that do not live as long as it asks for, when those of `renewed` were touched. */
function leftToRenew(header: Header, renewed: Header): string[] {
  const fields = [...header.manifest.keys()]
  return idleOfFields(header) > idleOfFields(renewed) ? fields : fields.filter((field) => !renewed.manifest.has(field))
}

/** The header that asks for fields that live for `idle`. */
function asking(header: Header, idle: number): Header {
  return idleOfFields(header) >= idle ? header : { ...header, fieldsIdle: idle }
}

/** The header with its promise, for which nothing needs to be asked any more: every listed field lives until `until` at least. */
function promised(header: Header, until: number): Header {
  const fieldsIdle = (header.fieldsIdle ?? 0) > header.idle ? header.fieldsIdle : undefined
  return { ...header, fieldsIdle, fieldsUntil: Math.max(header.fieldsUntil, until) }
}

const mostLives = 10_000

function isAnswered(answer: StoreAnswer | undefined): boolean {
  return answer?.result === 'done' || answer?.result === 'stored' || answer?.result === 'missing'
}
