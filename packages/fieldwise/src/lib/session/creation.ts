import { v4 as uuid } from 'uuid'
import { BadArgumentError, isFieldwiseError, SessionGoneError, StoreUnavailableError, ValueTooLargeError } from '../api/errors.js'
import type { AddRequest, DeleteRequest } from '../api/store.js'
import { type Context, type Deadline, longestCall, send } from '../engine/context.js'
import type { Engine } from '../engine/engine.js'
import { fieldLife, headerLife, type Lifetime } from '../engine/lifetime.js'
import { isListed, type ListAnswer, listRequest } from '../engine/listing.js'
import { unavailable } from '../engine/reader.js'
import type { Bound } from '../engine/user-lists.js'
import { encodeHeader, type Header, headerName, mostFields } from '../format/header.js'
import { encodeItem, type Item } from '../format/item.js'
import { newSecret, type Token } from '../format/token.js'
import { Login } from './login.js'
import { assertGrace, assertLifetime, type Terms } from './terms.js'

/** A session that has just been stored. */
export interface Created {
  readonly token: Token
  readonly header: Header
  /** The server's time when the header was made. */
  readonly at: number
}

/**
 * Stores a new session: its fields and then its header, in one flight (C2). Every attempt draws a new id and a new secret, so that a
 * late packet of one that failed can make nothing but a session that nobody can open (C1).
 *
 * @throws {StoreUnavailableError} when no attempt succeeded by `deadline`; nothing that anybody could open was stored.
 */
export async function createSession(
  context: Context,
  values: ReadonlyMap<string, string>,
  options: NewSession,
): Promise<Created> {
  for (let attempt = 1; ; attempt++) {
    try {
      const sid = context.store.place(uuid({ random: context.environment.bytes(16) }))
      return await attemptCreation(context, { sid, secret: newSecret(context.environment) }, values, options)
    } catch (error) {
      const isFinal = attempt === mostAttempts || context.environment.running() >= options.deadline
      if (isFinal || !isFieldwiseError(error, 'STORE_UNAVAILABLE')) throw error
    }
  }
}

/**
 * Stores the header of a new session, without fields, under a token of the caller's own. There is one attempt: the same id must never be
 * tried again (C1). Undefined where a session has this id already, which is left as it is.
 *
 * @throws {StoreUnavailableError} when it cannot be told to be stored.
 */
export async function createSessionWithToken(context: Context, token: Token, options: NewSession): Promise<Created | undefined> {
  try {
    return await attemptCreation(context, token, new Map(), options)
  } catch (error) {
    if (error instanceof Taken) return undefined
    throw error
  }
}

/** What a new session is to be, on the terms of `create` or `regenerate`. @throws {BadConfigError} for terms that contradict themselves */
export function newSession(engine: Engine, terms: Terms, deadline: Deadline): NewSession {
  const lifetime = { ...engine.settings.lifetime, ...terms.lifetime }
  assertLifetime(lifetime)
  assertGrace(terms.grace, lifetime.idle)
  const login = terms.user === undefined ? undefined : new Login(engine, terms.user, deadline)
  return { lifetime, persist: terms.persist ?? false, deadline, login }
}

export interface NewSession {
  readonly lifetime: Lifetime
  readonly persist: boolean
  readonly deadline: Deadline
  /** Whose session it is to be, if anybody's. */
  readonly login: Login | undefined
}

const mostAttempts = 3

/** An attempt that fails leaves no entry in the list of its user, as well as it goes (U13). */
async function attemptCreation(
  context: Context,
  token: Token,
  values: ReadonlyMap<string, string>,
  options: NewSession,
): Promise<Created> {
  const bound = await bind(token.sid, options)
  try {
    return await storeNew(context, token, values, options, bound)
  } catch (error) {
    if (bound) options.login?.forget(bound)
    throw error
  }
}

async function storeNew(
  context: Context,
  token: Token,
  values: ReadonlyMap<string, string>,
  options: NewSession,
  bound: Bound | undefined,
): Promise<Created> {
  const { store, environment, keys } = context
  const { sid } = token
  const at = await store.now(sid, Math.min(options.deadline, environment.running() + store.traits.timeout))
  const items = new Map(Array.from(values, ([field, json]) => [field, newItem(context, field, json, at)]))
  const header = newHeader(context, token, items, at, options, bound)
  const adds = [...items].map(([field, item]) =>
    addition(context, sid, field, keys.field(sid, field), encodeItem(item), header, at),
  )
  adds.push(addition(context, sid, headerName, keys.header(sid), encodeHeader(header), header, at))
  if (bound && !options.login?.isFresh(bound)) {
    throw new StoreUnavailableError('The new session was not stored while its binding was fresh')
  }
  const requests = header.user ? [...adds, listRequest(context, header.user)] : adds
  const { answers } = await send(context, sid, requests, options.deadline)
  const failed = answers.find(({ result }) => result !== 'stored' && result !== 'found' && result !== 'missing')
  const list = answers[adds.length]
  if (failed === undefined) {
    if (header.user && list && !isListed(context, sid, header.user, list as ListAnswer)) {
      await discard(context, sid, adds, options.deadline)
      throw new SessionGoneError('ended')
    }
    tellWrites(context, sid, adds, [...items.keys()])
    if (bound) await keepLimit(context, sid, adds, bound, options)
    return { token, header, at }
  }
  if (answers[adds.length - 1]?.result === 'conflict') throw new Taken()
  await discard(context, sid, adds, options.deadline)
  throw 'error' in failed ? unavailable(failed.error) : new StoreUnavailableError('The new session could not be stored')
}

async function bind(sid: string, { login, lifetime }: NewSession): Promise<Bound | undefined> {
  if (login === undefined) return undefined
  return login.bind(sid, (at) => at + lifetime.absolute, await login.read(sid))
}

/** A session whose user's limit could not be kept is not handed out: nobody has its token. */
async function keepLimit(
  context: Context,
  sid: string,
  adds: readonly AddRequest[],
  bound: Bound,
  { login, deadline }: NewSession,
): Promise<void> {
  try {
    await login?.keepLimit(bound.entry.binding)
  } catch (error) {
    await discard(context, sid, adds, deadline)
    throw error
  }
}

/** The header, which comes last, is no field. */
function tellWrites(context: Context, sid: string, adds: readonly AddRequest[], fields: readonly string[]): void {
  for (const [index, field] of fields.entries()) {
    const size = adds[index]?.value.length ?? 0
    context.telemetry.wrote(sid, field, size, false, 1)
  }
}

/** There is a header under this id, of another session: nothing of it may be touched. */
class Taken extends StoreUnavailableError {
  constructor() {
    super('Another session has the id of the new one')
  }
}

function newItem(context: Context, field: string, json: string, at: number): Item {
  const own = context.settings.expires(field)
  return {
    id: context.ids.next(),
    birth: context.ids.birth(),
    earlier: [],
    deadline: own === undefined ? 0 : Math.ceil(at + own),
    json,
  }
}

function newHeader(
  context: Context,
  token: Token,
  items: ReadonlyMap<string, Item>,
  at: number,
  options: NewSession,
  bound: Bound | undefined,
): Header {
  if (items.size > mostFields) throw new BadArgumentError(`A session holds at most ${mostFields} fields`)
  const { idle, absolute } = options.lifetime
  const created = Math.floor(at)
  return {
    hash: token.secret.hash,
    persist: options.persist,
    created,
    deadline: created + absolute,
    idle,
    fieldsUntil: Math.floor(at + fieldLife(idle, longestCall(context))),
    rotated: 0,
    previous: undefined,
    user: bound && { list: bound.at.name, binding: bound.entry.binding },
    manifest: new Map(Array.from(items, ([field, item]) => [field, item.birth])),
  }
}

function addition(
  context: Context,
  sid: string,
  name: string,
  key: string,
  bytes: Buffer,
  header: Header,
  at: number,
): AddRequest {
  const value = context.sealer.seal(sid, name, bytes)
  const limit = context.store.largestValue(sid, key.length)
  if (value.length > limit) throw new ValueTooLargeError(name === headerName ? 'header' : name, value.length, limit)
  const ttl = name === headerName ? headerLife(header, at) : fieldLife(header.idle, longestCall(context))
  return { op: 'add', key, value, ttl }
}

/** A creation that failed half-way leaves nothing that could be opened. What it did store is deleted, or left to expire. */
async function discard(context: Context, sid: string, adds: readonly AddRequest[], deadline: Deadline): Promise<void> {
  const requests = adds.map((add): DeleteRequest => ({ op: 'delete', key: add.key })).reverse()
  await send(context, sid, requests, deadline)
}
