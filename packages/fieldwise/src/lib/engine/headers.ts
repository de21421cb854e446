import {
  BadArgumentError,
  isFieldwiseError,
  OutcomeUnknownError,
  SessionGoneError,
  StoreUnavailableError,
  ValueTooLargeError,
} from '../api/errors.js'
import type { StoreAnswer, StoreRequest } from '../api/store.js'
import { encodeHeader, type Header, headerName, mostFields } from '../format/header.js'
import { Backoff } from './backoff.js'
import { type Context, type Deadline, readDeadline, send } from './context.js'
import { DeadlineWatch } from './deadline-watch.js'
import { headerLife } from './lifetime.js'
import { EndOfSession, type FoundHeader, headerIn, type Reader, type Snapshot, unavailable } from './reader.js'

/**
 * A change of a header, as a function that may run several times: it gets the header as it stands, and returns the one to store, or the
 * very same where there is nothing (more) to do. So a change whose answer was lost is settled by running it again. What it throws fails
 * this change alone.
 */
export type HeaderChange = (header: Header, at: number) => Header

/** Changes headers by compare-and-swap. Changes of one session that wait at the same time are made in one swap. */
export class Headers {
  readonly #context: Context
  readonly #reader: Reader
  readonly #queues = new Map<string, Waiting[]>()
  /** Over the changes that wait behind a swap of their header. */
  readonly #watch: DeadlineWatch<Waiting>

  constructor(context: Context, reader: Reader) {
    this.#context = context
    this.#reader = reader
    this.#watch = new DeadlineWatch(context.environment, (one) => one.reject(unavailable(undefined)))
  }

  /**
   * Resolves with the header as it is stored once `change` is in it. `seen` is a snapshot to begin from.
   *
   * @throws {SessionGoneError} when there is no header any more.
   * @throws {OutcomeUnknownError} when the answer to a swap was lost and could not be found out in time.
   * @throws {StoreUnavailableError} when nothing was stored.
   */
  change(sid: string, change: HeaderChange, deadline: Deadline, what: string, seen?: Snapshot): Promise<Header> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = { change, deadline, what, seen, resolve, reject }
      const queue = this.#queues.get(sid)
      if (queue === undefined) return this.#drive(sid, [waiting])
      queue.push(waiting)
      this.#watch.add(waiting)
    })
  }

  /**
   * Deletes the header and then, as well as it can, the listed fields, in one flight (E1). Resolves when the header is gone, with
   * whether it was this call that took it away.
   *
   * @throws {OutcomeUnknownError} or {StoreUnavailableError} when the store did not confirm.
   */
  async end(sid: string, fields: Iterable<string>, deadline: Deadline): Promise<boolean> {
    const known = new Set(fields)
    const key = this.#context.keys.header(sid)
    const requests: StoreRequest[] = [{ op: 'get', key }, { op: 'delete', key }, ...this.#deletions(sid, known)]
    const backoff = new Backoff(this.#context, deadline)
    let isOpen = false
    // A delete may be sent again (W7): no sid is ever used twice.
    for (;;) {
      const [before, answer] = (await send(this.#context, sid, requests, deadline)).answers as [StoreAnswer, StoreAnswer]
      if (answer.result === 'done' || answer.result === 'missing') {
        await this.#clearUp(sid, before, known, deadline)
        return answer.result === 'done'
      }
      if (answer.result === 'open') isOpen = true
      const error = 'error' in answer ? answer.error : undefined
      if (!isOpen) throw unavailable(error)
      if (!(await backoff.pause())) throw new OutcomeUnknownError('the end of this session', error)
    }
  }

  /** Deletes the fields that were listed since the caller saw the header. They could not be reached any more, but need not stay. */
  async #clearUp(sid: string, header: StoreAnswer, known: ReadonlySet<string>, deadline: Deadline): Promise<void> {
    if (header.result !== 'found') return
    const listed = this.#reader.manifest(sid, header.value)
    const left = listed.filter((field) => !known.has(field))
    if (left.length > 0) await send(this.#context, sid, this.#deletions(sid, left), deadline)
  }

  #deletions(sid: string, fields: Iterable<string>): StoreRequest[] {
    return Array.from(fields, (field) => ({ op: 'delete', key: this.#context.keys.field(sid, field) }))
  }

  /**
   * Ends a session that has turned out to be over. Resolves with the error for the caller: `SESSION_GONE` only once the header's deletion
   * is acknowledged (R4, L5), since a late packet could bring back what was only said to be over.
   */
  async endOver({ reading: snapshot, gone }: EndOfSession, deadline: Deadline): Promise<Error> {
    const header = snapshot.header?.value ?? snapshot.over
    try {
      const isEnded = await this.end(snapshot.sid, header?.manifest.keys() ?? [], deadline)
      if (isEnded && gone.field !== undefined) this.#context.telemetry.lost(snapshot.sid, gone.field)
      return gone
    } catch (error) {
      return new StoreUnavailableError('This session is over, but the store did not confirm its end', error)
    }
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

  #drive(sid: string, first: Waiting[]): void {
    this.#queues.set(sid, first)
    const run = async () => {
      // Changes that are asked for in the same tick go into the same swap.
      await Promise.resolve()
      for (let queue = first; queue.length > 0; queue = this.#queues.get(sid) as Waiting[]) {
        this.#queues.set(sid, [])
        for (const one of queue) this.#watch.remove(one)
        await this.#apply(sid, queue)
      }
      this.#queues.delete(sid)
    }
    void run()
  }

  async #apply(sid: string, queue: Waiting[]): Promise<void> {
    let waiting = this.#dropLate(queue, false)
    let seen = queue.findLast((one) => one.seen)?.seen
    let isOpen = false
    const backoff = new Backoff(this.#context, Math.max(...queue.map((one) => one.deadline)))
    const fail = (error: unknown) => {
      for (const one of waiting) one.reject(isOpen ? afterOpen(one.what, error) : error)
      waiting = []
    }
    while (waiting.length > 0) {
      const deadline = Math.min(...waiting.map((one) => one.deadline))
      try {
        const snapshot = seen ?? (await this.#reader.read(sid, [], deadline))
        seen = undefined
        const outcome = await this.#swap(snapshot, headerIn(snapshot), waiting, deadline)
        waiting = outcome.waiting
        if (outcome.header) {
          for (const one of waiting) one.resolve(outcome.header)
          return
        }
        isOpen ||= outcome.isOpen
      } catch (error) {
        if (error instanceof EndOfSession) return fail(await this.endOver(error, readDeadline(this.#context)))
        if (!isOpen || isFieldwiseError(error, 'SESSION_GONE')) return fail(error)
      }
      waiting = this.#dropLate(waiting, isOpen)
      if (waiting.length > 0 && !(await backoff.pause())) {
        return fail(unavailable(undefined))
      }
    }
  }

  /** One attempt. `header` is set once every change in `waiting` is known to be stored. */
  async #swap(snapshot: Snapshot, before: FoundHeader, queue: Waiting[], deadline: Deadline): Promise<Swap> {
    const waiting: Waiting[] = []
    let header = before.value
    for (const one of queue) {
      try {
        const next = one.change(header, snapshot.serverTime)
        if (next !== header) this.assertFits(snapshot.sid, next)
        header = next
        waiting.push(one)
      } catch (error) {
        one.reject(error)
      }
    }
    if (header === before.value) return { waiting, header, isOpen: false }
    const { keys, sealer } = this.#context
    const answer = (
      await send(
        this.#context,
        snapshot.sid,
        [
          {
            op: 'replace',
            key: keys.header(snapshot.sid),
            value: sealer.seal(snapshot.sid, headerName, encodeHeader(header)),
            life: headerLife(header, snapshot.serverTime),
            version: before.version,
          },
        ],
        deadline,
      )
    ).answers[0] as StoreAnswer
    if (answer.result === 'stored') {
      this.#reader.forget(snapshot.sid)
      return { waiting, header, isOpen: false }
    }
    if (answer.result === 'unsent') throw unavailable(answer.error)
    if (answer.result === 'lost') throw this.#headerLost(snapshot.sid)
    return { waiting, header: undefined, isOpen: answer.result === 'open' }
  }

  /** The server has deleted the header instead of replacing it (W11), and with it the session. */
  #headerLost(sid: string): SessionGoneError {
    this.#reader.forget(sid)
    this.#context.telemetry.lost(sid, 'header')
    return new SessionGoneError('lost', 'header')
  }

  #dropLate(waiting: Waiting[], isOpen: boolean): Waiting[] {
    const now = this.#context.environment.running()
    return waiting.filter((one) => {
      if (now < one.deadline) return true
      const late = unavailable(undefined)
      one.reject(isOpen ? afterOpen(one.what, late) : late)
      return false
    })
  }
}

/** After an attempt whose outcome is open, no error but `SESSION_GONE` may say that nothing was stored (W5). */
export function afterOpen(what: string, error: unknown): unknown {
  return isFieldwiseError(error, 'SESSION_GONE') ? error : new OutcomeUnknownError(what, error)
}

interface Waiting {
  readonly change: HeaderChange
  readonly deadline: Deadline
  /** Names the change in an `OUTCOME_UNKNOWN`. */
  readonly what: string
  readonly seen: Snapshot | undefined
  resolve(header: Header): void
  reject(error: unknown): void
}

interface Swap {
  readonly waiting: Waiting[]
  readonly header: Header | undefined
  readonly isOpen: boolean
}
