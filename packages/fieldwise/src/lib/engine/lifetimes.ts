import { isFieldwiseError } from '../api/errors.js'
import type { ReplaceRequest } from '../api/store.js'
import type { Header } from '../format/header.js'
import { Backoff } from './backoff.js'
import { type Context, type Deadline, longestCall, send } from './context.js'
import type { HeaderChange } from './header-swap.js'
import type { Headers } from './headers.js'
import { idleOfFields, lifeOfFields } from './lifetime.js'
import { type Reader, unavailable } from './reader.js'
import { EndOfSession, headerIn, itemIn, type Snapshot } from './snapshot.js'

/** Changes headers where the change may promise a longer life (L6). */
export class Lifetimes {
  readonly #context: Context
  readonly #reader: Reader
  readonly #headers: Headers

  constructor(context: Context, reader: Reader, headers: Headers) {
    this.#context = context
    this.#reader = reader
    this.#headers = headers
  }

  /**
   * Makes a change of the header. Where the change promises a longer idle time, two steps come before it (L6): the header asks for fields
   * that live longer, so that nobody writes one with the shorter life any more; then every field is stored anew, so that the writes begun
   * before fail and are tried again. Resolves with the header as it is stored.
   *
   * @throws {StoreUnavailableError} when the fields could not be given the longer life by `deadline`: then nothing was promised.
   * @throws as {@link Headers.change}.
   */
  async change(sid: string, change: HeaderChange, deadline: Deadline, what: string, seen?: Snapshot): Promise<Header> {
    const lengthened = new Set<string>()
    let first = seen
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
      const header = await this.#headers.change(sid, promising, deadline, what, first)
      first = undefined
      if (left.length === 0) return header
      until = Math.min(until, await this.#lengthen(sid, left, deadline))
      for (const field of left) lengthened.add(field)
    }
  }

  /** Stores fields anew, with the ttl that the header asks for. Resolves with until when all of them live. */
  async #lengthen(sid: string, fields: string[], deadline: Deadline): Promise<number> {
    const backoff = new Backoff(this.#context, deadline)
    let left = fields
    let until = Number.POSITIVE_INFINITY
    let failure: unknown
    do {
      try {
        const snapshot = await this.#reader.read(sid, left, deadline)
        const header = headerIn(snapshot).value
        until = Math.min(until, snapshot.serverTime + this.#ttl(header))
        left = await this.#storeAnew(snapshot, left, header, deadline)
        if (left.length === 0) return until
      } catch (error) {
        if (error instanceof EndOfSession) throw await this.#headers.endOver(error, deadline)
        if (!isFieldwiseError(error, 'STORE_UNAVAILABLE')) throw error
        failure = error
      }
    } while (await backoff.pause())
    throw unavailable(failure)
  }

  /** Resolves with the fields that have to be tried again. A field that is not there needs nothing. */
  async #storeAnew(snapshot: Snapshot, fields: string[], header: Header, deadline: Deadline): Promise<string[]> {
    const ttl = this.#ttl(header)
    const stored: string[] = []
    const requests: ReplaceRequest[] = []
    for (const field of fields) {
      const item = itemIn(snapshot, field)
      if (item === undefined) continue
      const key = this.#context.keys.field(snapshot.sid, field)
      stored.push(field)
      requests.push({ op: 'replace', key, value: item.bytes, version: item.version, ttl })
    }
    const { answers } = await send(this.#context, snapshot.sid, requests, deadline)
    return stored.filter((_field, index) => !['stored', 'missing'].includes(answers[index]?.result ?? ''))
  }

  #ttl(header: Header): number {
    return lifeOfFields(header, longestCall(this.#context))
  }
}

/** The header, asking for fields that live for `idle`. */
function asking(header: Header, idle: number): Header {
  return idleOfFields(header) >= idle ? header : { ...header, fieldsIdle: idle }
}

/** The header with the longer idle time in it, now that every listed field lives until `until` at least. */
function promised(header: Header, until: number): Header {
  const fieldsIdle = (header.fieldsIdle ?? 0) > header.idle ? header.fieldsIdle : undefined
  return { ...header, fieldsIdle, fieldsUntil: Math.max(header.fieldsUntil, until) }
}
