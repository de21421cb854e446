import type * as z from 'zod'
import type { Defaulted, Fields } from '../api/fields.js'
import type { CreateOptions, Session, StoredSession } from '../api/session.js'
import type { Sessions } from '../api/sessions.js'
import { fromCaller } from '../api/stack.js'
import type { TokenSink } from '../api/token-sink.js'
import { createEngine } from '../engine/engine.js'
import { currentEnvironment, type Environment } from '../environment/environment.js'
import { createContext } from './create-context.js'
import { SessionsFacade, sessionsFacadeOf } from './sessions-facade.js'
import type { SessionsOptions } from './settings.js'

/**
 * Creates the sessions of an application, from the schema of their fields. Does not connect to the store: the first call does.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for options that are wrong or contradict each other, and for a schema whose values cannot be
 * stored as JSON. The message says what to write instead.
 *
 * @example
 * const sessions = createSessions({
 *   schema: z.object({ username: z.string(), visits: z.int().default(0) }),
 *   lifetime: { idle: '30m', absolute: '12h' },
 * })
 * const session = await sessions.create({ username: 'ada' })
 * await session.increment('visits') // 1
 */
export function createSessions<S extends z.ZodObject>(
  options: SessionsOptions<S>,
  // Written out here, so that editors and errors show plain value types and nothing of zod's.
): Sessions<{ [K in keyof Fields<S>]: Fields<S>[K] }, { [K in Defaulted<S>]: K }[Defaulted<S>]> {
  return fromCaller(createSessions, () => createSessionsOn(currentEnvironment(), options))
}

/**
 * {@link createSessions} with the sources of time and randomness given, for tests and the simulation.
 *
 * @internal
 */
export function createSessionsOn<S extends z.ZodObject>(
  environment: Environment,
  options: SessionsOptions<S>,
): ReturnType<typeof createSessions<S>> {
  // Names and values are checked at run time from here on; the schema gives them their types.
  return new SessionsFacade(createEngine(createContext(environment, options))) as unknown as ReturnType<typeof createSessions<S>>
}

/**
 * The session of one request, for web adapters. As `resume`, without I/O, but with any number of tokens, and with a `sink` that is told
 * of changes of the token. The first operation verifies the tokens: if exactly one opens a session, that is the session; otherwise it is new.
 *
 * @throws `CLOSED` after `close()`.
 */
export function resumeFor<F extends object, D extends keyof F>(
  sessions: Sessions<F, D>,
  tokens: readonly string[],
  sink: TokenSink,
): Session<F, D> {
  return fromCaller(resumeFor, () => sessionsFacadeOf(sessions).resumeAny(tokens, sink)) as unknown as Session<F, D>
}

/**
 * The token of the session with an external id: an id that another library has made and puts into its cookie. Whoever has the id has the
 * session, so ids must be as hard to guess as tokens. Neither the id nor the token can be derived from what is stored.
 *
 * With several memcached servers, the server follows from the id and the list of servers. Adding a server therefore moves its share of the
 * ids to it, and the sessions that those ids had are no longer found.
 *
 * @throws `BAD_ARGUMENT` for an id that is not a string, or is empty.
 *
 * @example
 * const session = sessions.resume(tokenOfExternalId(sessions, 'an id of your own'))
 */
export function tokenOfExternalId<F extends object, D extends keyof F>(sessions: Sessions<F, D>, id: string): string {
  return fromCaller(tokenOfExternalId, () => sessionsFacadeOf(sessions).tokenOfExternalId(id))
}

/**
 * Stores a new session under an external id. Resolves with `null` if a session with this id exists; it is left as it is. Call it only once
 * for an id, even if the call fails: a packet of the failed call may still arrive, and could bring back a session that was ended since.
 *
 * @throws `FIELD_INVALID`, `VALUE_TOO_LARGE`, `STORE_UNAVAILABLE`.
 *
 * @example
 * const session = await createWithExternalId(sessions, 'an id of your own', { username: 'ada' })
 */
export function createWithExternalId<F extends object, D extends keyof F>(
  sessions: Sessions<F, D>,
  id: string,
  values: Partial<F> = {},
  options: CreateOptions = {},
): Promise<StoredSession<F, D> | null> {
  return sessionsFacadeOf(sessions).createWithExternalId(id, values as Record<string, unknown>, options) as Promise<StoredSession<
    F,
    D
  > | null>
}

/** Whether a session with this external id could be created now: the server that would hold it is not known to be down. No I/O. */
export function canCreateWithExternalId<F extends object, D extends keyof F>(sessions: Sessions<F, D>, id: string): boolean {
  return fromCaller(canCreateWithExternalId, () => sessionsFacadeOf(sessions).canCreateWithExternalId(id))
}

/**
 * The value that `get` would return for a field if this JSON text were stored. No I/O.
 *
 * @throws `FIELD_INVALID`; `BAD_ARGUMENT` for a name that is not a field.
 */
export function valueOfJson<F extends object, D extends keyof F, K extends keyof F & string>(
  sessions: Sessions<F, D>,
  name: K,
  json: string,
): F[K] {
  return fromCaller(valueOfJson, () => sessionsFacadeOf(sessions).valueOfJson(name, json)) as F[K]
}
