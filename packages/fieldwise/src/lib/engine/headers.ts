import {
  BadArgumentError,
  isFieldwiseError,
  OutcomeUnknownError,
  StoreUnavailableError,
  ValueTooLargeError,
} from '../api/errors.js'
import type { AnswerTo, DeleteRequest, GetRequest } from '../api/store.js'
import { decodeHeader, encodeHeader, type Header, headerName, mostFields } from '../format/header.js'
import { Backoff } from './backoff.js'
import { type Context, type Deadline, readDeadline, send } from './context.js'
import { type HeaderChange, HeaderEdit, type HeaderStore, HeaderSwap } from './header-swap.js'
import type { KnownSessions } from './known-sessions.js'
import { type Reader, unavailable } from './reader.js'
import type { EndOfSession, Snapshot } from './snapshot.js'
import { type WriteQueue, WriteQueues } from './write-queue.js'

/** Changes headers by compare-and-swap, and ends sessions. Changes of one session that wait at the same time are made in one swap. */
export class Headers implements HeaderStore {
  readonly #context: Context
  readonly #reader: Reader
  readonly #known: KnownSessions
  readonly #queues: WriteQueues<HeaderEdit, HeaderSwap>

  constructor(context: Context, reader: Reader, known: KnownSessions) {
    this.#context = context
    this.#reader = reader
    this.#known = known
    this.#queues = new WriteQueues(
      context.environment,
      (queue) => this.#write(queue),
      () => unavailable(undefined),
    )
  }

  /**
   * Resolves with the header as it is stored once `change` is in it. `what` names the change in an `OUTCOME_UNKNOWN`; `seen` saves the first
   * read.
   *
   * @throws {SessionGoneError} when there is no header any more.
   * @throws {OutcomeUnknownError} when the answer to a swap was lost and could not be found out in time.
   * @throws {StoreUnavailableError} when nothing was stored.
   */
  change(sid: string, change: HeaderChange, deadline: Deadline, what: string, seen?: Snapshot): Promise<Header> {
    return new Promise((resolve, reject) => {
      this.#queues.submit(sid, sid, new HeaderEdit(change, deadline, what, seen, resolve, reject))
    })
  }

  #write(queue: WriteQueue<HeaderEdit, HeaderSwap>): Promise<void> {
    return new HeaderSwap(this.#context, this, queue.sid, this.#queues.take(queue)).run()
  }

  read(sid: string, deadline: Deadline): Promise<Snapshot> {
    return this.#reader.read(sid, [], deadline)
  }

  changed(sid: string): void {
    this.#known.forgetHeader(sid)
  }

  /** An oversized header would delete the session, so its size is checked before sending like any value's (W10). */
  assertFits(sid: string, header: Header): void {
    if (header.manifest.size > mostFields) {
      throw new BadArgumentError(`A session holds at most ${mostFields} fields; this would be one more`)
    }
    const size = encodeHeader(header).length + this.#context.sealer.overhead
    const limit = this.#context.store.largestValue(sid, this.#context.keys.header(sid).length)
    if (size > limit) throw new ValueTooLargeError('header', size, limit)
  }

  /**
   * Ends a session that has turned out to be over. Resolves with the error for the caller: `SESSION_GONE` only once the header's deletion
   * is acknowledged (R4, L5), since a late packet could bring back what was only said to be over.
   */
  async endOver({ snapshot, gone }: EndOfSession, deadline = readDeadline(this.#context)): Promise<Error> {
    const header = snapshot.header?.value ?? snapshot.over
    try {
      const isEnded = await this.end(snapshot.sid, header?.manifest.keys() ?? [], deadline)
      if (isEnded && gone.field !== undefined) this.#context.telemetry.lost(snapshot.sid, gone.field)
      return gone
    } catch (error) {
      return new StoreUnavailableError('This session is over, but the store did not confirm its end', error)
    }
  }

  /**
   * Deletes the header and then the listed fields, in one flight (E1). Fields that could not be deleted are left to expire. Resolves when the
   * header is gone, with whether this call deleted it.
   *
   * @throws {OutcomeUnknownError} or {StoreUnavailableError} when the store did not confirm.
   */
  async end(sid: string, fields: Iterable<string>, deadline: Deadline): Promise<boolean> {
    const listed = new Set(fields)
    const key = this.#context.keys.header(sid)
    const requests = [{ op: 'get', key }, { op: 'delete', key }, ...this.#deletions(sid, listed)] as const
    const backoff = new Backoff(this.#context, deadline)
    let isUnanswered = false
    // A delete may be sent again (W7): no sid is ever used twice.
    for (;;) {
      const [before, answer] = (await send(this.#context, sid, requests, deadline)).answers
      if (answer.result === 'done' || answer.result === 'missing') {
        await this.#clearUp(sid, before, listed, deadline)
        return answer.result === 'done'
      }
      if (answer.result === 'unanswered') isUnanswered = true
      if (!isUnanswered) throw unavailable(answer.error)
      if (!(await backoff.pause())) throw new OutcomeUnknownError('the end of this session', answer.error)
    }
  }

  /** Deletes the fields that were listed since the caller saw the header. Nobody can reach them any more, but they would take up memory. */
  async #clearUp(sid: string, header: AnswerTo<GetRequest>, deleted: ReadonlySet<string>, deadline: Deadline): Promise<void> {
    if (header.result !== 'found') return
    const left = this.#listed(sid, header.value).filter((field) => !deleted.has(field))
    if (left.length > 0) await send(this.#context, sid, this.#deletions(sid, left), deadline)
  }

  /** The fields that a stored header lists; none where it cannot be read. */
  #listed(sid: string, header: Buffer): string[] {
    try {
      return [...decodeHeader(this.#context.sealer.unseal(sid, headerName, header)).manifest.keys()]
    } catch (error) {
      if (isFieldwiseError(error, 'SEAL_BROKEN')) return []
      throw error
    }
  }

  #deletions(sid: string, fields: Iterable<string>): DeleteRequest[] {
    return Array.from(fields, (field) => ({ op: 'delete', key: this.#context.keys.field(sid, field) }))
  }
}
