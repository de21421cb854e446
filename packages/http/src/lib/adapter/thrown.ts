import type { Outgoing } from './framework-port.js'
import { isResponse, withSessionHeaders } from './web-response.js'

/** A session whose cookie may have no response to leave with. */
interface Stranded extends Outgoing {
  readonly cookie: object | undefined
  cookieLost(): void
}

/**
 * The response that takes the place of what a handler threw, so that the session's cookie leaves with it: only a response can carry one.
 *
 * @throws what was thrown, where the cookie did not change, or where that is no response and no redirect.
 */
export function answerThrown(session: Stranded, thrown: unknown): Response {
  if (session.cookie === undefined) throw thrown
  const response = isResponse(thrown) ? thrown : redirectOf(thrown)
  if (response !== undefined) return withSessionHeaders(session, response)
  session.cookieLost()
  throw thrown
}

/** What Next.js makes of its error with a `digest`, and SvelteKit of its object with a status and a location. */
function redirectOf(thrown: unknown): Response | undefined {
  if (typeof thrown !== 'object' || thrown === null) return undefined
  const { digest, status, location } = thrown as { [name: string]: unknown }
  if (typeof digest === 'string') return redirectOfDigest(digest)
  return typeof status === 'number' && typeof location === 'string' ? redirect(status, location) : undefined
}

/** `NEXT_REDIRECT;replace;/account;307;`: an address may hold semicolons of its own. */
function redirectOfDigest(digest: string): Response | undefined {
  const [, location = '', status = ''] = /^NEXT_REDIRECT;\w+;(.*);(\d+);$/.exec(digest) ?? []
  return redirect(Number(status), location)
}

function redirect(status: number, location: string): Response | undefined {
  return [301, 302, 303, 307, 308].includes(status) ? new Response(null, { status, headers: { Location: location } }) : undefined
}
