import { isFieldwiseError, SessionGoneError } from '../api/errors.js'
import type { DeleteRequest } from '../api/store.js'
import { type Deadline, readDeadline, send } from '../engine/context.js'
import type { Engine } from '../engine/engine.js'
import type { ListAt, SeenList } from '../engine/list-swap.js'
import { EndOfSession, headerIn, type Snapshot } from '../engine/snapshot.js'
import type { Listed, ListedEntry } from '../engine/user-lists.js'
import type { BoundUser } from '../format/header.js'
import { byAge, sameBinding } from '../format/user-list.js'

/** After which an entry that no header carries is taken for one of a login that failed (U10). */
const abandonedAfter = 60_000

/** The living sessions of a user, the newest first: listed, with headers that carry the binding (U9). */
export async function livingSessions(engine: Engine, user: string, deadline: Deadline): Promise<Listed[]> {
  const { userLists } = engine
  const lists = await userLists.readAll(userLists.of(user), deadline)
  const listed = await userLists.withHeaders(lists.flatMap(entriesIn), deadline)
  beside(engine, (deadline) => dropDead(engine, listed, deadline))
  return listed.filter(({ header }) => header !== undefined).sort((one, other) => byAge(other.entry, one.entry))
}

/** Fields of a session of the user; undefined where it has ended meanwhile. It ends where one that it lists is lost (R3). */
export async function readListed(
  { reader, headers }: Engine,
  sid: string,
  fields: readonly string[],
  deadline: Deadline,
): Promise<Snapshot | undefined> {
  try {
    const snapshot = await reader.settle(await reader.read(sid, fields, deadline), fields, deadline)
    headerIn(snapshot)
    return snapshot
  } catch (error) {
    const failure = error instanceof EndOfSession ? await headers.endOver(error, deadline) : error
    if (isFieldwiseError(failure, 'SESSION_GONE')) return undefined
    throw failure
  }
}

/**
 * Ends all sessions of a user, but the one that is kept. Resolves with how many living ones there were.
 *
 * @throws {OutcomeUnknownError} when one of the servers did not confirm.
 */
export async function endSessions(
  engine: Engine,
  user: string,
  kept: BoundUser | undefined,
  deadline: Deadline,
): Promise<number> {
  const { userLists } = engine
  const isTaken = (entry: ListedEntry['entry']) => kept === undefined || !sameBinding(entry.binding, kept.binding)
  const taken = await userLists.takeOut(userLists.of(user), isTaken, deadline)
  const living = await userLists.withHeaders(taken, deadline).catch(() => [])
  return clearUp(engine, living, deadline)
}

/**
 * Deletes the fields of sessions that have been taken out of their lists (U8). Their headers stay until they expire, to say how they ended: a
 * binding that was taken out never comes back. Resolves with how many sessions there were.
 */
export async function clearUp(engine: Engine, sessions: readonly Listed[], deadline: Deadline): Promise<number> {
  const { keys, telemetry } = engine
  const living = sessions.filter(({ header }) => header !== undefined)
  const clearing = living.map(({ sid, header }) => {
    telemetry.sessionEnded(sid)
    const fields = [...(header?.manifest.keys() ?? [])]
    const requests = fields.map((field): DeleteRequest => ({ op: 'delete', key: keys.field(sid, field) }))
    return requests.length === 0 ? undefined : send(engine, sid, requests, deadline)
  })
  await Promise.all(clearing)
  return living.length
}

/** The user's session that a call is to spare, as its header says. @throws {SessionGoneError} where it is not the user's any more (U7). */
export function boundTo(engine: Engine, user: string, bound: BoundUser | undefined): BoundUser {
  if (bound && engine.userLists.isOf(user, bound.list)) return bound
  throw new SessionGoneError('ended')
}

/** A session was destroyed, or never came to be: its entry goes too, as well as it can, beside the call (U10, U13). */
export function forgetEntry(engine: Engine, server: string, { list, binding }: BoundUser): void {
  beside(engine, (deadline) => {
    return engine.userLists.takeOut([{ server, name: list }], (entry) => sameBinding(entry.binding, binding), deadline)
  })
}

/** Nobody carries it, and it is too old for anybody to carry it yet. */
export function isDead({ header, entry, serverTime }: Pick<Listed, 'header' | 'entry' | 'serverTime'>): boolean {
  return header === undefined && serverTime >= entry.created + abandonedAfter
}

/** Takes out what nobody will carry any more (U10). */
export async function dropDead({ userLists }: Engine, listed: readonly Listed[], deadline: Deadline): Promise<void> {
  const dead = listed.filter(isDead)
  if (dead.length === 0) return
  const isOf = (at: ListAt) => (one: Listed) => one.at.server === at.server && one.at.name === at.name
  const lists = dead.map(({ at }) => at).filter((at, index) => dead.findIndex(isOf(at)) === index)
  await userLists.takeOut(lists, (entry) => dead.some((one) => sameBinding(one.entry.binding, entry.binding)), deadline)
}

export function entriesIn({ server, name, entries }: SeenList): ListedEntry[] {
  return entries.map((entry) => ({ at: { server, name }, entry }))
}

/** Work that no call waits for, but closing does. */
function beside(engine: Engine, work: (deadline: Deadline) => Promise<unknown>): void {
  engine.calls.enter()
  void work(readDeadline(engine))
    .catch(() => {})
    .finally(() => engine.calls.leave())
}
