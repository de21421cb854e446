import { isFieldwiseError, OutcomeUnknownError } from '../api/errors.js'
import type { AnswerTo, GetRequest } from '../api/store.js'
import { decodeHeader, type Header, headerName, isPast } from '../format/header.js'
import {
  type Binding,
  bindingLength,
  byAge,
  type ListEntry,
  type ListName,
  sameBinding,
  serverOf,
  uuidIn,
} from '../format/user-list.js'
import { type Context, type Deadline, send } from './context.js'
import { type ListAt, type ListChange, ListEdit, ListSwap, nothingStored, readList, type SeenList } from './list-swap.js'
import { unavailable } from './reader.js'
import { type WriteQueue, WriteQueues } from './write-queue.js'

/** A session that is about to be bound: its entry stands in the list, and its header is to follow. */
export interface Bound extends ListedEntry {
  /** When the entry was drawn, on the monotonic clock. */
  readonly drawnAt: number
}

/** An entry with the list that it stands in. */
export interface ListedEntry {
  readonly at: ListAt
  readonly entry: ListEntry
}

/** The same with what is stored of its session. */
export interface Listed extends ListedEntry {
  readonly sid: string
  /** The session's header, where it carries the binding; otherwise there is no such session, or not yet. */
  readonly header: Header | undefined
  /** How long the header lives on, in milliseconds, where the store reports it. */
  readonly ttl: number | undefined
  /** The server's time. */
  readonly serverTime: number
}

/** What a new entry is to say. */
export interface Binder {
  readonly sid: string
  deadline(at: number): number
  /** Later than the newest of the user's other sessions (U12). */
  readonly newest: number
}

/** The lists of users' sessions: one for each user on each server. Changes of one list that wait at the same time are made in one swap. */
export class UserLists {
  readonly #context: Context
  readonly #queues: WriteQueues<ListEdit, ListSwap>

  constructor(context: Context) {
    this.#context = context
    this.#queues = new WriteQueues(
      context.environment,
      (queue) => this.#write(queue),
      () => unavailable(undefined),
    )
  }

  /** The user's lists on all servers, under every name that they may have: one for each sealing key. */
  of(user: string): ListAt[] {
    const names = this.#context.sealer.listNames(user)
    return this.#context.store.servers().flatMap((server) => names.map((name) => ({ server, name })))
  }

  /** Whether a list is the user's, by its name. */
  isOf(user: string, name: ListName): boolean {
    return this.#context.sealer.listNames(user).includes(name)
  }

  /** The list that a session of the user is bound by from now on. */
  homeOf(user: string, sid: string): ListAt {
    return { server: serverOf(sid), name: this.#context.sealer.listNames(user)[0] }
  }

  read(at: ListAt, deadline: Deadline): Promise<SeenList> {
    return readList(this.#context, at, deadline)
  }

  /** @throws {StoreUnavailableError} when one of them did not answer. */
  readAll(lists: readonly ListAt[], deadline: Deadline): Promise<SeenList[]> {
    return Promise.all(lists.map((at) => this.read(at, deadline)))
  }

  /** Resolves when `change` is in the list. @throws {OutcomeUnknownError} or {StoreUnavailableError} */
  change(at: ListAt, change: ListChange, deadline: Deadline, seen?: SeenList): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#queues.submit(at.server, `${at.server}${at.name}`, new ListEdit(change, deadline, seen, resolve, reject))
    })
  }

  /**
   * Puts a new binding into the list, which has to be there before a header carries it (U2). Every write that is sent carries another (U3): after
   * a lost answer it is there, or was drawn in vain.
   *
   * @throws {StoreUnavailableError} when it could not be seen there; nothing that counts was stored.
   */
  async bind(at: ListAt, binder: Binder, deadline: Deadline, seen?: SeenList): Promise<Bound> {
    const { environment } = this.#context
    const drawn: Bound[] = []
    let bound: Bound | undefined
    const binding: ListChange = (entries, now) => {
      bound = drawn.find(({ entry }) => holds(entries, entry.binding))
      if (bound) return entries
      const kept = roomIn(entries, now)
      const created = Math.max(Math.floor(now), binder.newest + 1, newestIn(kept) + 1)
      const entry = {
        binding: environment.bytes(bindingLength),
        uuid: uuidIn(binder.sid),
        created,
        deadline: binder.deadline(now),
      }
      bound = { at, entry, drawnAt: environment.monotonic() }
      drawn.push(bound)
      return [...kept, entry]
    }
    try {
      await this.change(at, binding, deadline, seen)
    } catch (error) {
      throw nothingStored(error)
    }
    return bound as Bound
  }

  /**
   * Takes entries out of lists: those of which `isTaken` says so by the time of the write. Resolves with them when every list is done (U6).
   *
   * @throws {OutcomeUnknownError} when one of the servers did not confirm.
   */
  async takeOut(
    lists: readonly ListAt[],
    isTaken: (entry: ListEntry, at: ListAt) => boolean,
    deadline: Deadline,
  ): Promise<ListedEntry[]> {
    const taken = new Map<string, ListedEntry>()
    const results = await Promise.allSettled(
      lists.map((at) => {
        const taking: ListChange = (entries) => {
          const out = entries.filter((entry) => isTaken(entry, at))
          for (const entry of out) taken.set(entry.binding.toString('hex'), { at, entry })
          return out.length === 0 ? entries : entries.filter((entry) => !out.includes(entry))
        }
        return this.change(at, taking, deadline)
      }),
    )
    const failed = results.find((result) => result.status === 'rejected')
    if (failed) throw new OutcomeUnknownError("the end of this user's sessions", failed.reason)
    return [...taken.values()]
  }

  /** Reads the header of each entry. @throws {StoreUnavailableError} when one of them was not answered. */
  async withHeaders(entries: readonly ListedEntry[], deadline: Deadline): Promise<Listed[]> {
    const servers = [...new Set(entries.map(({ at }) => at.server))]
    const listed = servers.map((server) => {
      const there = entries.filter(({ at }) => at.server === server)
      return this.#headersOn(server, there, deadline)
    })
    return (await Promise.all(listed)).flat()
  }

  async #headersOn(server: string, entries: readonly ListedEntry[], deadline: Deadline): Promise<Listed[]> {
    const { keys } = this.#context
    const sids = entries.map(({ entry }) => `${entry.uuid}${server}`)
    const requests = sids.map((sid): GetRequest => ({ op: 'get', key: keys.header(sid) }))
    const { answers, serverTime = 0 } = await send(this.#context, server, requests, deadline)
    return entries.map(({ at, entry }, index) => {
      const sid = sids[index] as string
      const answer = answers[index] as AnswerTo<GetRequest>
      if ('error' in answer) throw unavailable(answer.error)
      const found = answer.result === 'found' ? answer : undefined
      const header = found && this.#carrying(sid, at, entry, found.value, serverTime)
      return { at, entry, sid, header, ttl: found?.ttl, serverTime }
    })
  }

  /** The header, where it is that of a living session which carries the listed binding (U9). */
  #carrying(sid: string, { name }: ListAt, { binding }: ListEntry, bytes: Buffer, at: number): Header | undefined {
    try {
      const header = decodeHeader(this.#context.sealer.unseal(sid, headerName, bytes))
      const isCarried = header.user?.list === name && sameBinding(header.user.binding, binding)
      return isCarried && !isPast(header, at) ? header : undefined
    } catch (error) {
      if (isFieldwiseError(error, 'SEAL_BROKEN')) return undefined
      throw error
    }
  }

  #write(queue: WriteQueue<ListEdit, ListSwap>): Promise<void> {
    const at = { server: queue.sid, name: queue.key.slice(queue.sid.length) }
    return new ListSwap(this.#context, at, this.#queues.take(queue)).run()
  }
}

/** A login drops what cannot be living, and what is the oldest where there is no room for its own (U10, U14). */
function roomIn(entries: readonly ListEntry[], now: number): readonly ListEntry[] {
  const kept = entries.filter((entry) => now < entry.deadline)
  return kept.length < mostEntries ? kept : [...kept].sort(byAge).slice(1 - mostEntries)
}

export function newestIn(entries: readonly ListEntry[]): number {
  return entries.reduce((newest, { created }) => Math.max(newest, created), 0)
}

function holds(entries: readonly ListEntry[], binding: Binding): boolean {
  return entries.some((entry) => sameBinding(entry.binding, binding))
}

/** How many sessions of a user one server holds at most. */
export const mostEntries = 100
