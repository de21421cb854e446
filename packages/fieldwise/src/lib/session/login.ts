import { BadArgumentError, SessionGoneError, TooManySessionsError } from '../api/errors.js'
import { Backoff } from '../engine/backoff.js'
import type { Deadline } from '../engine/context.js'
import type { Engine } from '../engine/engine.js'
import type { SeenList } from '../engine/list-swap.js'
import { type Bound, type Listed, mostEntries, newestIn } from '../engine/user-lists.js'
import type { BoundUser } from '../format/header.js'
import { type Binding, byAge, sameBinding } from '../format/user-list.js'
import { clearUp, dropDead, entriesIn, forgetEntry, isDead } from './user-sessions.js'

/** The entry has to be younger, when the header that carries it is sent, than others may take it for one that nobody will carry (U10). */
const freshFor = 24_000
/** An entry outlives its session by as much at least, since the header is written later. */
export const entryMargin = 2 * freshFor

/** Binds a session to a user, and keeps the user's limit. One for each call that logs in. */
export class Login {
  readonly user: string
  readonly #engine: Engine
  readonly #deadline: Deadline

  constructor(engine: Engine, user: string, deadline: Deadline) {
    this.#engine = engine
    this.user = user
    this.#deadline = deadline
  }

  /** The lists that a new binding has to know: all of the user's where there is a limit (U12), otherwise the one that it will stand in. */
  read(sid: string): Promise<readonly SeenList[]> {
    const { userLists, settings } = this.#engine
    const lists = settings.userLimit ? userLists.of(this.user) : [userLists.homeOf(this.user, sid)]
    return userLists.readAll(lists, this.#deadline)
  }

  /**
   * Puts a new binding into the user's list, and waits there for its turn where more sessions are refused. `lifetime` says until when the session may live.
   *
   * @throws {TooManySessionsError}
   */
  async bind(sid: string, lifetime: (at: number) => number, lists: readonly SeenList[]): Promise<Bound> {
    const { userLists } = this.#engine
    const home = userLists.homeOf(this.user, sid)
    const seen = lists.find(({ server, name }) => server === home.server && name === home.name)
    const isFull = seen !== undefined && seen.entries.length >= mostEntries
    if (isFull) await dropDead(this.#engine, await userLists.withHeaders(entriesIn(seen), this.#deadline), this.#deadline)
    const newest = Math.max(...lists.map(({ entries }) => newestIn(entries)))
    const deadline = (at: number) => Math.floor(lifetime(at)) + entryMargin
    const bound = await userLists.bind(home, { sid, deadline, newest }, this.#deadline, isFull ? undefined : seen)
    await this.#admit(bound)
    return bound
  }

  /** The attempt that was bound has failed, and nobody can open what it may have stored (U13). */
  forget({ at, entry }: Bound): void {
    forgetEntry(this.#engine, at.server, { list: at.name, binding: entry.binding })
  }

  /** Whether the binding may still be written into a header (U10). */
  isFresh({ drawnAt }: Bound): boolean {
    return this.#engine.environment.monotonic() - drawnAt <= freshFor
  }

  /** @throws {BadArgumentError} for a session that is another user's (U4). */
  assertSame({ list }: BoundUser): void {
    if (this.#engine.userLists.isOf(this.user, list)) return
    throw new BadArgumentError(
      "This session is another user's: destroy() it first, and then regenerate({ user }) begins a new one. A session never goes from one user to another",
    )
  }

  /**
   * Ends the user's oldest sessions above the limit (U12). Called when the header carries the binding.
   *
   * @throws {SessionGoneError} (ended) where the login itself is among them.
   */
  async keepLimit(binding: Binding): Promise<void> {
    const { userLists, settings } = this.#engine
    if (settings.userLimit?.whenFull !== 'end-oldest') return
    const { max } = settings.userLimit
    const lists = userLists.of(this.user)
    const listed = (await userLists.readAll(lists, this.#deadline)).flatMap(entriesIn)
    if (listed.length <= max) return
    const living = (await userLists.withHeaders(listed, this.#deadline)).filter(({ header }) => header !== undefined)
    const over = living.sort((one, other) => byAge(other.entry, one.entry)).slice(max)
    if (over.length === 0) return
    const isOver = (its: Binding) => over.some(({ entry }) => sameBinding(entry.binding, its))
    const affected = lists.filter((at) => over.some((one) => one.at.server === at.server && one.at.name === at.name))
    await userLists.takeOut(affected, (entry) => isOver(entry.binding), this.#deadline)
    await clearUp(this.#engine, over, this.#deadline)
    if (isOver(binding)) throw new SessionGoneError('ended')
  }

  /**
   * Where more sessions are refused, a login counts all others, those about to be bound too. Of several that come at once the older goes first:
   * it waits for what becomes of the younger, which give way.
   */
  async #admit(bound: Bound): Promise<void> {
    const { settings } = this.#engine
    if (settings.userLimit?.whenFull !== 'refuse') return
    const { max } = settings.userLimit
    const backoff = new Backoff(this.#engine, this.#deadline)
    try {
      for (;;) {
        const others = await this.#others(bound, max)
        if (others.length < max) return
        const isFull = others.filter((other) => other.header || byAge(other.entry, bound.entry) < 0).length >= max
        if (isFull || !(await backoff.pause())) throw new TooManySessionsError(max)
      }
    } catch (error) {
      await this.#takeBack(bound)
      throw error
    }
  }

  /** The user's other sessions, with those about to be bound; not looked at closely where there are fewer than `max`. */
  async #others({ entry: own }: Bound, max: number): Promise<readonly Pick<Listed, 'entry' | 'header'>[]> {
    const { userLists } = this.#engine
    const listed = (await userLists.readAll(userLists.of(this.user), this.#deadline)).flatMap(entriesIn)
    const others = listed.filter(({ entry }) => !sameBinding(entry.binding, own.binding))
    if (others.length < max) return others.map(({ entry }) => ({ entry, header: undefined }))
    return (await userLists.withHeaders(others, this.#deadline)).filter((other) => !isDead(other))
  }

  /** Nothing carries it, and nothing will. */
  async #takeBack({ at, entry: own }: Bound): Promise<void> {
    const isOwn = (entry: { binding: Binding }) => sameBinding(entry.binding, own.binding)
    await this.#engine.userLists.takeOut([at], isOwn, this.#deadline).catch(() => {})
  }
}
