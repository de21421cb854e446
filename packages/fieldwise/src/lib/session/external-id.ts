import { createHash } from 'node:crypto'
import { v4 as uuid } from 'uuid'
import { BadArgumentError } from '../api/errors.js'
import type { Store } from '../api/store.js'
import { secretOf, type Token } from '../format/token.js'

/**
 * The token of the session that is kept under an id of the caller's own. Both halves are hashes of the id, each with a purpose of its own,
 * so that what is stored (the sid, and the hash of the secret) leads back to neither the id nor the other half.
 */
export function tokenOfId(store: Store, id: string): Token {
  return { sid: homeOf(store, uuidOf(id)), secret: secretOf(hash('secret', id)) }
}

/** Whether the server of this id may take a new session: `place` leaves out what is known to be down. */
export function isHomeUp(store: Store, id: string): boolean {
  const own = uuidOf(id)
  return store.place(own) === homeOf(store, own)
}

function homeOf(store: Store, own: string): string {
  return store.placeById?.(own) ?? store.place(own)
}

function uuidOf(id: string): string {
  if (typeof id !== 'string' || id === '') throw new BadArgumentError('An id of your own is a string of at least one character')
  return uuid({ random: hash('sid', id).subarray(0, 16) })
}

function hash(purpose: string, id: string): Buffer {
  return createHash('sha256').update(`fieldwise ${purpose} of\n${id}`).digest()
}
