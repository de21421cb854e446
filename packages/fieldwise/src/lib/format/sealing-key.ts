import { BadConfigError } from '../api/errors.js'

/**
 * The bytes of one of `sealing.keys`, which is written as base64url, base64 or hex. There must be at least 32, and they must look random:
 * whoever holds a copy of the store could guess a passphrase or a pattern.
 *
 * @throws {BadConfigError} (`BAD_CONFIG`) naming `where` and how to make a key, never the key.
 */
export function sealingKeyBytes(key: unknown, where: string): Buffer {
  if (key === undefined || key === '') throw bad(where, 'is not set')
  if (typeof key !== 'string') throw bad(where, 'is not a string')
  const encoding = encodingOf(key)
  if (encoding === undefined) throw bad(where, 'is not base64url, base64 or hex (a space or line end at its end, perhaps)')
  const bytes = Buffer.from(key, encoding)
  if (bytes.length < leastBytes) throw bad(where, `has ${bytes.length} bytes; ${leastBytes} are the least`)
  if (isGuessable(key, encoding, bytes)) throw bad(where, 'is not random: it looks like a pattern or a passphrase')
  return bytes
}

type Encoding = 'hex' | 'base64' | 'base64url'

const leastBytes = 32

function encodingOf(key: string): Encoding | undefined {
  if (/^(?:[0-9a-f]{2})+$/.test(key) || /^(?:[0-9A-F]{2})+$/.test(key)) return 'hex'
  if (key.replace(/={1,2}$/, '').length % 4 === 1) return undefined
  if (/^[A-Za-z0-9_-]+={0,2}$/.test(key)) return 'base64url'
  return /^[A-Za-z0-9+/]+={0,2}$/.test(key) ? 'base64' : undefined
}

/** Each of these limits refuses fewer than one in 10,000,000 keys of 32 random bytes. */
function isGuessable(key: string, encoding: Encoding, bytes: Buffer): boolean {
  const differences = bytes.map((byte, index) => byte - (bytes[index - 1] ?? 0))
  if (new Set(bytes).size < 20 || new Set(differences).size < 20) return true
  if (encoding === 'hex') return false
  // Words have letters of one case, few different ones, and runs such as `abc` and `123`.
  return !/[a-z]/.test(key) || !/[A-Z]/.test(key) || new Set(key).size < 18 || neighbours(key) * 3 > key.length
}

/** How many characters stand next to their equal or their neighbour in the alphabet. */
function neighbours(key: string): number {
  let count = 0
  for (let index = 1; index < key.length; index++) {
    if (Math.abs(key.charCodeAt(index) - key.charCodeAt(index - 1)) <= 1) count++
  }
  return count
}

function bad(where: string, what: string): BadConfigError {
  return new BadConfigError(
    `${where} ${what}. Make a key with: node -e "console.log(require('node:crypto').randomBytes(32).toString('base64url'))"`,
  )
}
