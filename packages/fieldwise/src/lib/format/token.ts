import { hash, timingSafeEqual } from 'node:crypto'
import type { Environment } from '../environment/environment.js'

/** What a token says: which session, and the secret that proves ownership. */
export interface Token {
  readonly sid: string
  readonly secret: Secret
}

/** 32 random bytes as base64url, with their SHA-256: only the hash is ever stored. */
export interface Secret {
  readonly text: string
  readonly hash: Buffer
}

const uuid = '[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}'
const sidPattern = new RegExp(`^${uuid}(?:~[A-Za-z0-9_-]{1,32})?$`)
// 43 characters carry 258 bits, of which the last two are 0: one spelling for each secret.
const secretPattern = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/
const sidMost = 69
const secretLength = 43

/** Whether this is written as a session's id is. It says nothing about whether there is such a session. */
export function isSid(text: unknown): text is string {
  return typeof text === 'string' && text.length <= sidMost && sidPattern.test(text)
}

/** Reads a token from what a visitor sent; undefined for anything that is not one, which then costs no request to a store. */
export function parseToken(text: unknown): Token | undefined {
  if (typeof text !== 'string' || text.length > sidMost + 1 + secretLength) return undefined
  const dot = text.length - secretLength - 1
  if (text[dot] !== '.') return undefined
  const sid = text.slice(0, dot)
  const secret = text.slice(dot + 1)
  if (!isSid(sid) || !secretPattern.test(secret)) return undefined
  return { sid, secret: { text: secret, hash: hashSecret(secret) } }
}

/** @internal */
export function formatToken(token: Token): string {
  return `${token.sid}.${token.secret.text}`
}

/** @internal */
export function newSecret(environment: Environment): Secret {
  return secretOf(environment.bytes(32))
}

/**
 * The secret that 32 bytes are.
 *
 * @internal
 */
export function secretOf(bytes: Buffer): Secret {
  const text = bytes.toString('base64url')
  return { text, hash: hashSecret(text) }
}

/**
 * Compares two SHA-256 hashes in constant time.
 *
 * @internal
 */
export function sameHash(one: Buffer, other: Buffer): boolean {
  return one.length === other.length && timingSafeEqual(one, other)
}

/** Hashes to text first: Node takes nearly three times as long to give a hash as a buffer. */
function hashSecret(text: string): Buffer {
  return Buffer.from(hash('sha256', Buffer.from(text, 'base64url'), 'binary'), 'latin1')
}
