import { isFieldwiseError, SessionGoneError } from '../api/errors.js'
import type { Deadline } from '../engine/context.js'
import type { Engine } from '../engine/engine.js'
import type { HeaderChange } from '../engine/header-swap.js'
import { type ListChange, nothingStored } from '../engine/list-swap.js'
import { headerIn, type Snapshot } from '../engine/snapshot.js'
import { afterUnanswered } from '../engine/swap.js'
import type { Bound } from '../engine/user-lists.js'
import type { Header } from '../format/header.js'
import { newSecret, type Secret, sameHash } from '../format/token.js'
import { type Binding, type ListEntry, sameBinding, serverOf } from '../format/user-list.js'
import { entryMargin, type Login } from './login.js'
import { assertTerms, rotated, type Terms } from './terms.js'
import type { Verified } from './verified.js'

/**
 * Swaps the secret's hash, only from the one that this request was verified with: one that comes second is cut off at once (T1). Where the
 * outcome of an attempt before is open, it is continued with the same secret (T3).
 *
 * @param beforeChange called before anything is sent
 * @throws {SessionGoneError} (superseded), {BadConfigError} for terms that do not fit, and as `Lifetimes.change`
 */
export async function rotate(
  engine: Engine,
  verified: Verified,
  terms: Terms,
  deadline: Deadline,
  beforeChange: () => void,
): Promise<void> {
  const secret = begin(engine, verified, terms, beforeChange)
  if (verified.header.user) await lengthenEntry(engine, verified, terms, deadline)
  const swap = rotation(verified, secret, (header, at) => rotated(header, secret, terms, at))
  end(engine, verified, await engine.lifetimes.change(verified.token.sid, swap, deadline, 'this rotation'), secret)
}

/**
 * The same for a session that becomes a user's: the binding is put into the user's list first, and written into the header together with the new
 * secret (U2).
 *
 * @param open reads the session
 * @throws as {@link rotate}, {BadArgumentError} for another user's session, {TooManySessionsError}
 */
export async function logIn(
  engine: Engine,
  verified: Verified,
  terms: Terms,
  login: Login,
  open: () => Promise<Snapshot | undefined>,
  deadline: Deadline,
  beforeChange: () => void,
): Promise<void> {
  const secret = begin(engine, verified, terms, beforeChange)
  const { sid } = verified.token
  for (;;) {
    const [seen, lists] = await Promise.all([open(), login.read(sid)])
    const before = seen && headerIn(seen).value
    const isOwn = before?.user !== undefined && sameHash(before.hash, secret.hash)
    if (before?.user && !isOwn) {
      login.assertSame(before.user)
      return rotate(engine, verified, terms, deadline, () => {})
    }
    const bound = isOwn ? undefined : await login.bind(sid, (at) => endOf(verified.header, terms, at), lists)
    const user = bound && { list: bound.at.name, binding: bound.entry.binding }
    const swap = rotation(verified, secret, (header, at) => {
      if (bound && !login.isFresh(bound)) throw new StaleBinding()
      return rotated(header, secret, terms, at, header.user ?? user)
    })
    try {
      const header = await engine.lifetimes.change(sid, swap, deadline, 'this login', seen)
      if (header.user) await keepLimit(login, header.user.binding)
      return end(engine, verified, header, secret)
    } catch (error) {
      if (error instanceof StaleBinding) continue
      if (bound) forgetUnlessUnknown(login, bound, error)
      throw error
    }
  }
}

/** The session is bound by now: nothing may say that nothing was stored. Calling again keeps the limit, too (T3). */
function keepLimit(login: Login, binding: Binding): Promise<void> {
  return login.keepLimit(binding).catch((error) => {
    throw afterUnanswered('this login', error)
  })
}

/** Where no header carries the binding, nor will, it stands in nobody's way. */
function forgetUnlessUnknown(login: Login, bound: Bound, error: unknown): void {
  if (!isFieldwiseError(error, 'OUTCOME_UNKNOWN')) login.forget(bound)
}

/** The process stood still between the two writes: another binding is drawn (U10). */
class StaleBinding extends Error {}

function begin({ environment }: Engine, verified: Verified, terms: Terms, beforeChange: () => void): Secret {
  assertTerms(verified.header, terms)
  beforeChange()
  verified.pending ??= newSecret(environment)
  return verified.pending
}

/** Makes a change of the header that comes with the new secret, once (T1, T3). */
function rotation({ token }: Verified, secret: Secret, change: HeaderChange): HeaderChange {
  const before = token.secret.hash
  return (header, at) => {
    if (sameHash(header.hash, secret.hash)) return header
    if (!sameHash(header.hash, before)) throw new SessionGoneError('superseded')
    return change(header, at)
  }
}

function end({ known, telemetry }: Engine, verified: Verified, header: Header, secret: Secret): void {
  verified.changed(header, secret)
  telemetry.rotated(verified.token.sid)
  known.noteLife(verified.token.sid, header, header.rotated)
}

/** A longer absolute lifetime goes into the entry first, so that its list lives as long (U11). */
async function lengthenEntry(
  { userLists }: Engine,
  { header, token }: Verified,
  terms: Terms,
  deadline: Deadline,
): Promise<void> {
  if (header.user === undefined || terms.lifetime?.absolute === undefined) return
  const { list, binding } = header.user
  const lengthening: ListChange = (entries, at) => {
    const until = endOf(header, terms, at) + entryMargin
    const isShorter = (entry: ListEntry) => sameBinding(entry.binding, binding) && entry.deadline < until - entryMargin / 2
    if (!entries.some(isShorter)) return entries
    return entries.map((entry) => (isShorter(entry) ? { ...entry, deadline: until } : entry))
  }
  await userLists.change({ server: serverOf(token.sid), name: list }, lengthening, deadline).catch((error) => {
    throw nothingStored(error)
  })
}

/** The absolute end on these terms. */
function endOf(header: Header, terms: Terms, at: number): number {
  const absolute = terms.lifetime?.absolute
  return absolute === undefined ? header.deadline : Math.floor(at + absolute)
}

/**
 * Makes a session a user's without a new secret: for sessions under ids of the caller's own, which have none to change. Nothing is done where it is
 * that user's already.
 *
 * @throws as {@link logIn}
 */
export async function bindTo(
  engine: Engine,
  verified: Verified,
  login: Login,
  open: () => Promise<Snapshot | undefined>,
  deadline: Deadline,
): Promise<void> {
  const { token } = verified
  for (;;) {
    const [seen, lists] = await Promise.all([open(), login.read(token.sid)])
    const before = seen && headerIn(seen).value
    if (before?.user) return login.assertSame(before.user)
    const bound = await login.bind(token.sid, () => verified.header.deadline, lists)
    const binding = (header: Header, at: number): Header => {
      if (!verified.isGoodFor(header, at)) throw new SessionGoneError('superseded')
      if (header.user) login.assertSame(header.user)
      if (header.user === undefined && !login.isFresh(bound)) throw new StaleBinding()
      return header.user ? header : { ...header, user: { list: bound.at.name, binding: bound.entry.binding } }
    }
    try {
      const header = await engine.lifetimes.change(token.sid, binding, deadline, 'this login', seen)
      if (header.user) await keepLimit(login, header.user.binding)
      return verified.changed(header)
    } catch (error) {
      if (error instanceof StaleBinding) continue
      forgetUnlessUnknown(login, bound, error)
      throw error
    }
  }
}

/** Changes how long the session lives unused. No input or output where it is that long already. */
export async function keepFor({ lifetimes }: Engine, verified: Verified, idle: number, deadline: Deadline): Promise<void> {
  if (verified.header.idle === idle) return
  assertTerms(verified.header, { lifetime: { idle } })
  const change = (header: Header, at: number): Header => {
    if (!verified.isGoodFor(header, at)) throw new SessionGoneError('superseded')
    return header.idle === idle ? header : { ...header, idle }
  }
  verified.changed(await lifetimes.change(verified.token.sid, change, deadline, 'this change of the idle time'))
}
