import { isFieldwiseError, OutcomeUnknownError } from '../api/errors.js'
import type { AddRequest, GetRequest, ReplaceRequest, Version } from '../api/store.js'
import { decodeList, encodeList, type ListEntry, type ListName, listItemName, listPlace } from '../format/user-list.js'
import { type Context, type Deadline, send } from './context.js'
import { unavailable } from './reader.js'
import { Swap, type Verdict } from './swap.js'

/** Where a list is: one user's, on one server. */
export interface ListAt {
  readonly server: string
  readonly name: ListName
}

/** A list as it was read. One that is not there has no entries, and no version. */
export interface SeenList extends ListAt {
  readonly entries: readonly ListEntry[]
  readonly version: Version | undefined
  /** The server's time. */
  readonly serverTime: number
}

/**
 * A change of a list, as a function that may run several times: it gets the entries as they stand, and returns those to store, or the very
 * same where there is nothing (more) to do. So a change whose answer was lost is settled by running it again (U3).
 */
export type ListChange = (entries: readonly ListEntry[], at: number) => readonly ListEntry[]

/** One caller's change of a list, waiting to be made. */
export class ListEdit {
  readonly change: ListChange
  readonly deadline: Deadline
  /** The list as it was read for this very change. */
  readonly seen: SeenList | undefined
  isSettled = false
  readonly #resolve: () => void
  readonly #reject: (error: unknown) => void

  constructor(
    change: ListChange,
    deadline: Deadline,
    seen: SeenList | undefined,
    resolve: () => void,
    reject: (error: unknown) => void,
  ) {
    this.change = change
    this.deadline = deadline
    this.seen = seen
    this.#resolve = resolve
    this.#reject = reject
  }

  succeed(): void {
    this.isSettled = true
    this.#resolve()
  }

  fail(error: unknown): void {
    this.isSettled = true
    this.#reject(error)
  }
}

/** Changes of one list that are made in one swap. */
export class ListSwap extends Swap<ListEdit, SeenList, Context> {
  readonly #at: ListAt
  isUnanswered = false

  constructor(context: Context, at: ListAt, edits: readonly ListEdit[]) {
    super(context, edits)
    this.#at = at
  }

  /** Never rejects: every edit is told how it ends. */
  async run(): Promise<void> {
    try {
      // What was read for one change may be older than another, which must not find in it that there is nothing to do.
      await this.attemptAll(this.waiting.length === 1 ? this.waiting[0]?.seen : undefined)
    } catch (error) {
      await this.failAll(error)
    }
  }

  read(): Promise<SeenList> {
    return readList(this.context, this.#at, this.deadline)
  }

  async attempt(seen: SeenList): Promise<Verdict> {
    const entries = this.#changed(seen.entries, seen.serverTime)
    if (entries === seen.entries) return this.#succeed()
    const { answers } = await send(this.context, this.#at.server, [this.#request(seen, entries)], this.deadline)
    const [answer] = answers
    switch (answer.result) {
      case 'stored':
        return this.#succeed()
      case 'unsent':
        throw unavailable(answer.error)
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

  again(): void {}

  nameOf(): string {
    return "this change of a user's list"
  }

  /** A list that ends is emptied, not deleted: only a swap is bound to what was read (U6). */
  #request({ version, serverTime }: SeenList, entries: readonly ListEntry[]): AddRequest | ReplaceRequest {
    const { server, name } = this.#at
    const key = this.context.keys.userList(name)
    const value = this.context.sealer.seal(listPlace(name, server), listItemName, encodeList(entries))
    const ttl = listLife(entries, serverTime)
    return version ? { op: 'replace', key, value, ttl, version } : { op: 'add', key, value, ttl }
  }

  #changed(before: readonly ListEntry[], at: number): readonly ListEntry[] {
    let entries = before
    for (const edit of this.waiting) entries = edit.change(entries, at)
    return entries
  }

  #succeed(): Verdict {
    for (const edit of this.waiting) edit.succeed()
    return 'settled'
  }
}

/** A read whose answer was cut off changes nothing and goes out once more. @throws {StoreUnavailableError} when no answer came. */
export async function readList(context: Context, { server, name }: ListAt, deadline: Deadline): Promise<SeenList> {
  const request: GetRequest = { op: 'get', key: context.keys.userList(name) }
  const first = await send(context, server, [request], deadline)
  const isCutOff = first.answers[0].result === 'unanswered'
  const { answers, serverTime } = isCutOff ? await send(context, server, [request], deadline) : first
  const [answer] = answers
  if ('error' in answer) throw unavailable(answer.error)
  const found = answer.result === 'found' ? answer : undefined
  const entries = found ? entriesOf(context, { server, name }, found.value) : []
  // Whoever was answered knows the time.
  return { server, name, entries, version: found?.version, serverTime: serverTime as number }
}

/** Bytes that cannot be read hold nobody's binding: whoever changes the list replaces them. */
function entriesOf(context: Context, { server, name }: ListAt, bytes: Buffer): readonly ListEntry[] {
  try {
    return decodeList(Buffer.from(context.sealer.unseal(listPlace(name, server), listItemName, bytes)))
  } catch (error) {
    if (isFieldwiseError(error, 'SEAL_BROKEN')) return unreadable
    throw error
  }
}

const unreadable: readonly ListEntry[] = []

/** As long as any session that stands in it may live, whoever writes it (U11). An empty one says for a while that what was in it is over. */
function listLife(entries: readonly ListEntry[], at: number): number {
  const last = entries.reduce((latest, { deadline }) => Math.max(latest, deadline), 0)
  return Math.max(emptyLife, last - at + lifeSlack)
}

const emptyLife = 60_000
const lifeSlack = 4_000

/** After a change of a list that was not made for certain, a call that has changed nothing else has changed nothing. */
export function nothingStored(error: unknown): unknown {
  return error instanceof OutcomeUnknownError ? unavailable(error.cause) : error
}
