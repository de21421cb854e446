import { BadConfigError } from '../api/errors.js'
import type { Lifetime } from '../engine/lifetime.js'
import type { Header } from '../format/header.js'
import type { Secret } from '../format/token.js'

/**
 * What `regenerate` and `create` may ask for, in milliseconds.
 *
 * @internal
 */
export interface Terms {
  readonly lifetime?: Partial<Lifetime> | undefined
  readonly persist?: boolean | undefined
  readonly grace?: number | undefined
  /** Whose session it is to be. */
  readonly user?: string | undefined
}

/** What is left out stays as it is, so what is asked for has to fit the session's own lifetime. @throws {BadConfigError} */
export function assertTerms(header: Header, terms: Terms): void {
  const { idle = header.idle, absolute = header.deadline - header.created } = terms.lifetime ?? {}
  // What nobody asks for stays, also where two readings of the server's clock have made it contradict itself by a second.
  if (idle !== header.idle || terms.lifetime?.absolute !== undefined) assertLifetime({ idle, absolute })
  assertGrace(terms.grace, idle)
}

/** The header with another secret, on these terms. One that is bound already stays what it is (U4). */
export function rotated(header: Header, secret: Secret, terms: Terms, at: number, user = header.user): Header {
  return {
    ...header,
    hash: secret.hash,
    user,
    rotated: Math.floor(at),
    previous: terms.grace ? { hash: header.hash, until: Math.floor(at + terms.grace) } : undefined,
    persist: terms.persist ?? header.persist,
    idle: terms.lifetime?.idle ?? header.idle,
    deadline: terms.lifetime?.absolute === undefined ? header.deadline : Math.floor(at + terms.lifetime.absolute),
  }
}

/**
 * @throws {BadConfigError} for a lifetime that contradicts itself.
 *
 * @internal
 */
export function assertLifetime({ idle, absolute }: Lifetime): void {
  if (absolute >= idle) return
  throw new BadConfigError(
    'lifetime.absolute is shorter than lifetime.idle, so the idle time could never pass; write an absolute lifetime that is longer, or a shorter idle time',
  )
}

/**
 * @throws {BadConfigError} for a grace that is longer than the session lives unused.
 *
 * @internal
 */
export function assertGrace(grace: number | undefined, idle: number): void {
  if (grace === undefined || grace <= idle) return
  throw new BadConfigError('grace is longer than lifetime.idle: the old secret would outlive the session; write a shorter one')
}
