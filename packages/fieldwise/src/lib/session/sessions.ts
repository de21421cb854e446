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
 * Sessions of one schema in one store.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) for options that contradict each other and for a schema that JSON cannot carry.
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
 * {@link createSessions} with the sources of time and chance given.
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

/** The session of one request, for adapters: of several tokens the one that opens a session counts, if exactly one does. No I/O. */
export function resumeFor<F extends object, D extends keyof F>(
  sessions: Sessions<F, D>,
  tokens: readonly string[],
  host: TokenSink,
): Session<F, D> {
  return fromCaller(resumeFor, () => sessionsFacadeOf(sessions).resumeAny(tokens, host)) as unknown as Session<F, D>
}

/**
 * The token of the session that is kept under an id of the caller's own, such as the one that another library puts into its cookie. Whoever
 * has the id has the session, so ids must be as hard to guess as a token. What is stored leads back to neither.
 *
 * With several memcached servers a session is found by its id alone, so its server follows from the id and the list of servers: one
 * more server takes over its share of the ids, and the sessions under those are not found any more.
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
 * Stores a new session under an id of the caller's own; `null` where a session has it already, which is left as it is. Call it once
 * for each id, whatever the outcome: a packet of a call that failed may still arrive, and what was ended could come to life again.
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

/** Whether a session could be created under this id now: nothing is known against the server that would hold it. No I/O. */
export function canCreateWithExternalId<F extends object, D extends keyof F>(sessions: Sessions<F, D>, id: string): boolean {
  return fromCaller(canCreateWithExternalId, () => sessionsFacadeOf(sessions).canCreateWithExternalId(id))
}

/**
 * The value of a field that a piece of JSON text stands for, as it would be if that were stored.
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
