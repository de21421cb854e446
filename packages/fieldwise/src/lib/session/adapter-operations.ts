import type { Duration } from '../api/duration.js'
import { BadArgumentError } from '../api/errors.js'
import type { Session } from '../api/session.js'
import { SessionFacade } from './session-facade.js'
import { parseTerms } from './settings.js'

/**
 * The JSON text of every stored field of a session, by name; unset fields and their defaults are left out. Values are not checked against
 * the schema. Fields of a catchall take a second round trip.
 *
 * @throws as `getAll`, except `FIELD_INVALID`.
 *
 * @example
 * const session = await sessions.create({ username: 'ada' })
 * const json = await storedJson(session)
 * json.get('username') // '"ada"'
 */
export function storedJson<F extends object, D extends keyof F>(session: Session<F, D>): Promise<ReadonlyMap<string, string>> {
  return facadeOf(session).storedJson()
}

/**
 * Changes how long a stored session lives without being used. Without `idle`, it becomes the idle time of `createSessions`. No I/O where it
 * is that already.
 *
 * @throws `BAD_CONFIG` for more than the session's absolute lifetime.
 *
 * @example
 * const session = await sessions.create()
 * await keepFor(session, '2h')
 */
export function keepFor<F extends object, D extends keyof F>(session: Session<F, D>, idle?: Duration): Promise<void> {
  const terms = idle === undefined ? {} : parseTerms({ lifetime: { idle } })
  return facadeOf(session).keepFor(terms.lifetime?.idle)
}

/**
 * Makes a stored session a user's, without a new secret: for a session under an id of the caller's own, whose library changes that id itself.
 * Everybody else passes `user` to `regenerate`. Costs nothing where it is known to be that user's.
 *
 * @throws `BAD_ARGUMENT` where it is another user's; as `regenerate`.
 *
 * @example
 * const session = await sessions.create()
 * await bindUser(session, 'ada')
 * await sessions.user('ada').count() // 1
 */
export function bindUser<F extends object, D extends keyof F>(session: Session<F, D>, user: string): Promise<void> {
  return facadeOf(session).bindTo(user)
}

function facadeOf(session: object): SessionFacade {
  if (session instanceof SessionFacade) return session
  throw new BadArgumentError('This needs a session of createSessions')
}
