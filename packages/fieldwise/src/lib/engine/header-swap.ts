import { SessionGoneError } from '../api/errors.js'
import type { AnswerTo, GetRequest, ReplaceRequest } from '../api/store.js'
import { encodeHeader, type Header, headerName } from '../format/header.js'
import { type Context, type Deadline, send } from './context.js'
import { headerLife } from './lifetime.js'
import { isListed, listRequest } from './listing.js'
import { unavailable } from './reader.js'
import { SessionSwap } from './session-swap.js'
import { type EndOfSession, headerIn, type Snapshot } from './snapshot.js'
import type { Verdict } from './swap.js'

/**
 * A change of a header. It may run several times: it gets the stored header and the server's time, and returns the header to store, or the
 * very same object if there is nothing left to do. So an attempt whose answer was lost is settled by running it again. If it throws, this
 * change alone fails.
 */
export type HeaderChange = (header: Header, at: number) => Header

/** One caller's change of a header, waiting to be made. */
export class HeaderEdit {
  readonly change: HeaderChange
  readonly deadline: Deadline
  /** Names the change in an `OUTCOME_UNKNOWN`. */
  readonly what: string
  /** A snapshot to begin from. */
  readonly seen: Snapshot | undefined
  isSettled = false
  readonly #resolve: (header: Header) => void
  readonly #reject: (error: unknown) => void

  constructor(
    change: HeaderChange,
    deadline: Deadline,
    what: string,
    seen: Snapshot | undefined,
    resolve: (header: Header) => void,
    reject: (error: unknown) => void,
  ) {
    this.change = change
    this.deadline = deadline
    this.what = what
    this.seen = seen
    this.#resolve = resolve
    this.#reject = reject
  }

  succeed(header: Header): void {
    this.isSettled = true
    this.#resolve(header)
  }

  fail(error: unknown): void {
    this.isSettled = true
    this.#reject(error)
  }
}

/** What a swap needs of `Headers`. */
export interface HeaderStore {
  /** Reads the header alone. */
  read(sid: string, deadline: Deadline): Promise<Snapshot>
  /** This process has changed the header, so what it remembers of it is out of date. */
  changed(sid: string): void
  /** @throws {BadArgumentError} for too many fields, {ValueTooLargeError} for too many bytes. */
  assertFits(sid: string, header: Header): void
  /** Ends a session that is over. Resolves with the error for the caller. */
  endOver(end: EndOfSession): Promise<Error>
}

/** Several changes of one header, made by one compare-and-swap. */
export class HeaderSwap extends SessionSwap<HeaderEdit> {
  readonly #headers: HeaderStore
  readonly #sid: string
  isUnanswered = false

  constructor(context: Context, headers: HeaderStore, sid: string, edits: readonly HeaderEdit[]) {
    super(context, edits)
    this.#headers = headers
    this.#sid = sid
  }

  /** Never rejects: every edit is told how it ends. */
  async run(): Promise<void> {
    try {
      await this.attemptAll(this.waiting.findLast((edit) => edit.seen)?.seen)
    } catch (error) {
      await this.failAll(error)
    }
  }

  read(): Promise<Snapshot> {
    return this.#headers.read(this.#sid, this.deadline)
  }

  async attempt(snapshot: Snapshot): Promise<Verdict> {
    const { value: before, version } = headerIn(snapshot)
    const header = this.#changed(before, snapshot.serverTime)
    if (header === before) return this.#succeed(header)
    const request: ReplaceRequest = {
      op: 'replace',
      key: this.context.keys.header(this.#sid),
      value: this.context.sealer.seal(this.#sid, headerName, encodeHeader(header)),
      ttl: headerLife(header, snapshot.serverTime),
      version,
    }
    // The list is read behind it, so that a login which its user's end has overtaken says so (U15).
    const list = header.user && listRequest(this.context, header.user)
    const requests = list ? ([request, list] as const) : ([request] as const)
    const { answers } = await send(this.context, this.#sid, requests, this.deadline)
    const answer = answers[0]
    switch (answer.result) {
      case 'stored':
        this.#headers.changed(this.#sid)
        return this.#stored(header, answers[1])
      case 'unsent':
        throw unavailable(answer.error)
      case 'lost':
        throw this.#lost()
      case 'unanswered':
        this.isUnanswered = true
        return 'retry'
      default:
        return 'retry'
    }
  }

  late(): Error {
    return unavailable(undefined)
  }

  /** Only the deadline ends it: a header may be tried any number of times. */
  again(): void {}

  endOver(end: EndOfSession): Promise<Error> {
    return this.#headers.endOver(end)
  }

  nameOf(edit: HeaderEdit): string {
    return edit.what
  }

  /** Runs the changes in order; one that throws, or makes the header too large, fails alone. */
  #changed(before: Header, at: number): Header {
    let header = before
    for (const edit of this.waiting) {
      try {
        const next = edit.change(header, at)
        if (next !== header) this.#headers.assertFits(this.#sid, next)
        header = next
      } catch (error) {
        edit.fail(error)
      }
    }
    this.keepUnsettled()
    return header
  }

  #stored(header: Header, list: AnswerTo<GetRequest> | undefined): Verdict {
    if (header.user === undefined || list === undefined) return this.#succeed(header)
    if ('error' in list) {
      this.isUnanswered = true
      return 'retry'
    }
    if (!isListed(this.context, this.#sid, header.user, list)) throw new SessionGoneError('ended')
    return this.#succeed(header)
  }

  #succeed(header: Header): Verdict {
    for (const edit of this.waiting) edit.succeed(header)
    return 'settled'
  }

  /** The server has deleted the header instead of replacing it (W11), and with it the session. */
  #lost(): SessionGoneError {
    this.#headers.changed(this.#sid)
    this.context.telemetry.lost(this.#sid, 'header')
    return new SessionGoneError('lost', 'header')
  }
}
