import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { systemEnvironment } from '../environment/environment.js'
import { formatToken, isSid, newSecret, parseToken, sameHash } from './token.js'

const sid = randomUUID()
const secret = randomBytes(32).toString('base64url')

describe('a token', () => {
  test.each([sid, `${sid}~a`, `${sid}~cache-1_B`, `${sid}~${'x'.repeat(32)}`])('is read back as it was written: %s', (id) => {
    const token = parseToken(`${id}.${secret}`)
    expect(token?.sid).toBe(id)
    expect(token && formatToken(token)).toBe(`${id}.${secret}`)
  })

  test('carries 32 random bytes of which only the SHA-256 is kept', () => {
    const made = newSecret(systemEnvironment)
    expect(Buffer.from(made.text, 'base64url')).toHaveLength(32)
    expect(made.hash).toEqual(createHash('sha256').update(Buffer.from(made.text, 'base64url')).digest())
    expect(newSecret(systemEnvironment).text).not.toBe(made.text)
  })

  const malformed: [what: string, text: unknown][] = [
    ['nothing', ''],
    ['no text', undefined],
    ['null', null],
    ['a number', 5],
    ['a list', [`${sid}.${secret}`]],
    ['an object that reads as one', { toString: () => `${sid}.${secret}`, length: 80 }],
    ['the id alone', sid],
    ['the secret alone', secret],
    ['a dot', '.'],
    ['an id without its secret', `${sid}.`],
    ['a secret without its id', `.${secret}`],
    ['a short secret', `${sid}.${secret.slice(0, -1)}`],
    ['a long secret', `${sid}.${secret}A`],
    ['a long token', `${sid}~${'x'.repeat(33)}.${secret}`],
    ['a very long token', `${sid}.${secret}`.repeat(1_000)],
    ['white space before', ` ${sid}.${secret}`],
    ['white space behind', `${sid}.${secret} `],
    ['a line end behind', `${sid}.${secret}\n`],
    ['a line end inside', `${sid}\r\n.${secret}`],
    ['a NUL', `${sid}\0.${secret}`],
    ['capitals in the id', `${sid.toUpperCase().replace(/[0-9-]/g, 'A')}.${secret}`],
    ['another version of UUID', `${sid.slice(0, 14)}1${sid.slice(15)}.${secret}`],
    ['another variant of UUID', `${sid.slice(0, 19)}f${sid.slice(20)}.${secret}`],
    ['the nil UUID', `00000000-0000-0000-0000-000000000000.${secret}`],
    ['an empty label', `${sid}~.${secret}`],
    ['two labels', `${sid}~a~b.${secret}`],
    ['a colon in the label', `${sid}~a:b.${secret}`],
    ['a dot in the label', `${sid}~a.b.${secret}`],
    ['base64 instead of base64url', `${sid}.${'+/'.repeat(21)}A`],
    ['padding', `${sid}.${secret.slice(0, -1)}=`],
    ['another separator', `${sid}:${secret}`],
    ['digits of another script', `${sid}.${'٣'.repeat(43)}`],
    ['a key of its own making', `../../${sid}.${secret}`],
    ['what every object inherits', '__proto__'],
  ]
  test.each(malformed)('is not %s', (_what, text) => {
    expect(parseToken(text)).toBeUndefined()
  })

  test('has one spelling: of the four that decode to the same 32 bytes only one is taken', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const last = alphabet.indexOf(secret.at(-1) as string)
    const spellings = [0, 1, 2, 3].map((bits) => secret.slice(0, -1) + alphabet[(last & ~3) | bits])
    expect(new Set(spellings.map((text) => Buffer.from(text, 'base64url').toString('hex'))).size).toBe(1)
    expect(spellings.filter((text) => parseToken(`${sid}.${text}`) !== undefined)).toEqual([secret])
  })
})

describe('isSid', () => {
  test('takes ids with and without a label, and nothing else', () => {
    expect([sid, `${sid}~a1`].every(isSid)).toBe(true)
    for (const other of [`${sid}.`, `${sid}~`, `x${sid}`, `${sid}\n`, '', '*', undefined, null, 5, {}])
      expect(isSid(other)).toBe(false)
  })
})

describe('sameHash', () => {
  const hash = createHash('sha256').update('a').digest()

  test('tells equal hashes from different ones', () => {
    expect(sameHash(hash, Buffer.from(hash))).toBe(true)
    for (let bit = 0; bit < 256; bit++) {
      const other = Buffer.from(hash)
      other[bit >> 3] = (other[bit >> 3] as number) ^ (1 << (bit & 7))
      expect(sameHash(hash, other)).toBe(false)
    }
  })

  test('takes hashes of other lengths for different ones', () => {
    expect(sameHash(hash, hash.subarray(0, 31))).toBe(false)
    expect(sameHash(hash, Buffer.alloc(0))).toBe(false)
    expect(sameHash(hash, Buffer.concat([hash, Buffer.alloc(1)]))).toBe(false)
  })
})
