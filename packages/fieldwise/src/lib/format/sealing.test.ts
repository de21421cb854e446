import { createCipheriv, createSecretKey, hkdfSync, randomBytes, randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, test } from 'vitest'
import { BadConfigError, SealBrokenError } from '../api/errors.js'
import { systemEnvironment } from '../environment/environment.js'
import { createSealer, noSealing, type Sealer, type SealingOptions } from './sealing.js'
import { sealingKeyBytes } from './sealing-key.js'

const newKey = () => randomBytes(32).toString('base64url')
const sealerOf = (options: Partial<SealingOptions & { prefix: string }> = {}) =>
  createSealer({ keys: [newKey()], prefix: 'shop:', ...options }, systemEnvironment)

const sid = `${randomUUID()}~a1`
const plain = Buffer.from('\x21{"username":"ada"}')

function isBroken(open: () => Buffer): boolean {
  try {
    open()
    return false
  } catch (error) {
    if (error instanceof SealBrokenError) return true
    throw error
  }
}

describe('what is sealed', () => {
  test.each([0, 1, 15, 16, 17, 1_000, 1_048_000])('opens as the %i bytes that it was', (length) => {
    const sealer = sealerOf()
    const bytes = randomBytes(length)
    expect(sealer.unseal(sid, 'cart', sealer.seal(sid, 'cart', bytes)).equals(bytes)).toBe(true)
  })

  test('is longer than the plain bytes by the overhead', () => {
    const sealer = sealerOf()
    for (const length of [0, 1, 100]) expect(sealer.seal(sid, 'cart', randomBytes(length)).length).toBe(length + sealer.overhead)
    expect(sealer.overhead).toBe(33)
  })

  test('begins with a byte that no plain item begins with', () => {
    expect(sealerOf().seal(sid, 'cart', plain)[0]).toBe(0x81)
  })

  test('holds nothing of the plain bytes, and is different each time', () => {
    const sealer = sealerOf()
    const bytes = Buffer.alloc(64, 'canary')
    const [one, other] = [sealer.seal(sid, 'cart', bytes), sealer.seal(sid, 'cart', bytes)]
    expect(one.includes('canar')).toBe(false)
    expect(one.subarray(17).equals(other.subarray(17))).toBe(false)
  })

  test('leaves the plain bytes as they were', () => {
    const bytes = Buffer.from(plain)
    sealerOf().seal(sid, 'cart', bytes)
    expect(bytes).toEqual(plain)
  })

  test('opens in another process that has the same keys and prefix', () => {
    const key = newKey()
    const sealed = sealerOf({ keys: [key] }).seal(sid, '@', plain)
    expect(sealerOf({ keys: [key] }).unseal(sid, '@', sealed)).toEqual(plain)
  })

  test('opens although more sessions came in between than keys are remembered', () => {
    const sealer = sealerOf()
    const sealed = sealer.seal(sid, 'cart', plain)
    for (let index = 0; index < 1_100; index++) sealer.seal(`${index}`, 'cart', plain)
    expect(sealer.unseal(sid, 'cart', sealed)).toEqual(plain)
  })

  test('never has a nonce twice, in 100,000', () => {
    const sealer = sealerOf()
    const nonces = new Set<string>()
    for (let index = 0; index < 100_000; index++) nonces.add(sealer.seal(sid, 'cart', plain).toString('latin1', 5, 17))
    expect(nonces.size).toBe(100_000)
  })

  test('takes its nonces from the runtime, 12 bytes for each item', () => {
    const asked: number[] = []
    const bytes = (size: number) => Buffer.alloc(size, asked.push(size))
    const sealer = createSealer({ keys: [newKey()], prefix: '' }, { bytes })
    const nonces = [sealer.seal(sid, 'a', plain), sealer.seal(sid, 'b', plain)].map((sealed) => sealed.subarray(5, 17))
    expect(nonces).toEqual([Buffer.alloc(12, 1), Buffer.alloc(12, 2)])
    expect(asked).toEqual([12, 12])
  })
})

describe('open refuses', () => {
  test('every item of which one bit was flipped', () => {
    const sealer = sealerOf()
    const sealed = sealer.seal(sid, 'cart', plain)
    let refused = 0
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed)
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (1 << (bit & 7))
      if (isBroken(() => sealer.unseal(sid, 'cart', changed))) refused++
    }
    expect(refused).toBe(sealed.length * 8)
  })

  test('every item that was cut short or made longer', () => {
    const sealer = sealerOf()
    const sealed = sealer.seal(sid, 'cart', plain)
    for (let length = 0; length < sealed.length; length++) {
      expect(isBroken(() => sealer.unseal(sid, 'cart', sealed.subarray(0, length)))).toBe(true)
      expect(isBroken(() => sealer.unseal(sid, 'cart', sealed.subarray(sealed.length - length)))).toBe(true)
    }
    for (const more of [Buffer.of(0), sealed])
      expect(isBroken(() => sealer.unseal(sid, 'cart', Buffer.concat([sealed, more])))).toBe(true)
  })

  test('tags of 4 to 15 bytes, even where GCM itself would call them right', () => {
    const [key, prefix] = [newKey(), 'shop:']
    const sealer = sealerOf({ keys: [key], prefix })
    const whole = sealedByHand({ key, prefix, sid, name: 'cart', tagLength: 16 })
    expect(sealer.unseal(sid, 'cart', whole)).toEqual(plain)
    for (let tagLength = 4; tagLength < 16; tagLength++) {
      // Node makes GCM tags of 4, 8 and 12 to 16 bytes; the others are the whole tag, cut.
      const made = [4, 8, 12, 13, 14, 15].includes(tagLength)
        ? sealedByHand({ key, prefix, sid, name: 'cart', tagLength })
        : whole
      const short = made.subarray(0, 17 + plain.length + tagLength)
      expect(isBroken(() => sealer.unseal(sid, 'cart', short))).toBe(true)
      const wrongEnd = whole.subarray(17 + plain.length + tagLength).map((byte) => ~byte)
      const filled = Buffer.concat([whole.subarray(0, 17 + plain.length + tagLength), wrongEnd])
      expect(isBroken(() => sealer.unseal(sid, 'cart', filled))).toBe(true)
    }
  })

  test('every item that was moved to another field, session or prefix', () => {
    const key = newKey()
    const sids = [sid, sid.slice(0, 36), `${sid.slice(0, 36)}~b2`, randomUUID()]
    const places = ['', 'shop:', 'shop:a', 's'].flatMap((prefix) => {
      const sealer = sealerOf({ keys: [key], prefix })
      return sids.flatMap((id) => ['@', 'cart', 'car', 'username'].map((name) => ({ sealer, id, name })))
    })
    let [opened, refused] = [0, 0]
    for (const from of places) {
      const sealed = from.sealer.seal(from.id, from.name, plain)
      for (const to of places) {
        if (isBroken(() => to.sealer.unseal(to.id, to.name, sealed))) refused++
        else opened++
      }
    }
    expect({ opened, refused }).toEqual({ opened: places.length, refused: places.length * (places.length - 1) })
  })

  test('an item whose prefix, sid and name are the same characters, parted elsewhere', () => {
    const key = newKey()
    const sealed = sealerOf({ keys: [key], prefix: 'ab' }).seal('cd', 'ef', plain)
    expect(isBroken(() => sealerOf({ keys: [key], prefix: 'a' }).unseal('bcd', 'ef', sealed))).toBe(true)
    expect(isBroken(() => sealerOf({ keys: [key], prefix: 'ab' }).unseal('c', 'def', sealed))).toBe(true)
    expect(isBroken(() => sealerOf({ keys: [key], prefix: 'abcd' }).unseal('', 'ef', sealed))).toBe(true)
  })

  test('an item of a key that it does not have, also under the id of one that it has', () => {
    const [mine, foreign] = [sealerOf(), sealerOf()]
    const sealed = foreign.seal(sid, 'cart', plain)
    expect(() => mine.unseal(sid, 'cart', sealed)).toThrow('a key that is not among sealing.keys')
    mine.seal(sid, 'cart', plain).copy(sealed, 0, 0, 5)
    expect(isBroken(() => mine.unseal(sid, 'cart', sealed))).toBe(true)
  })

  test('a later version of sealing', () => {
    const sealer = sealerOf()
    const sealed = sealer.seal(sid, 'cart', plain)
    sealed[0] = 0x82
    expect(() => sealer.unseal(sid, 'cart', sealed)).toThrow('in a way that this version does not know')
  })

  test('with the name of the field or header, and without any byte of the value', () => {
    const sealer = sealerOf()
    const value = Buffer.from('canary canary canary')
    const broken = sealer.seal(sid, 'cart', value).fill(0, 40)
    const attempts: [Sealer, Buffer][] = [
      [sealer, broken],
      [sealer, value],
      [sealerOf(), sealer.seal(sid, 'cart', value)],
      [noSealing, sealer.seal(sid, 'cart', value)],
    ]
    for (const [opener, stored] of attempts) {
      for (const [name, field] of Object.entries({ cart: 'cart', '@': 'header' })) {
        const error = errorOf(() => opener.unseal(sid, name, stored))
        expect(error).toMatchObject({ code: 'SEAL_BROKEN', field })
        expect(inspect(error, { depth: 9, showHidden: true })).not.toMatch(/canary|63 61 6e 61/)
      }
    }
  })
})

describe('keys', () => {
  test('rotate: the first seals, all open, in every order of a rolling deploy', () => {
    const keys = [newKey(), newKey(), newKey()] as const
    const [a, b, c] = keys
    const orders = [
      [a, b, c],
      [b, a, c],
      [c, b, a],
      [b, c, a],
    ]
    for (const sealing of orders) {
      for (const opening of orders) {
        const sealed = sealerOf({ keys: sealing }).seal(sid, 'cart', plain)
        expect(sealerOf({ keys: opening }).unseal(sid, 'cart', sealed)).toEqual(plain)
        expect(sealerOf({ keys: [sealing[0] as string] }).unseal(sid, 'cart', sealed)).toEqual(plain)
        expect(isBroken(() => sealerOf({ keys: sealing.slice(1) }).unseal(sid, 'cart', sealed))).toBe(true)
      }
    }
  })

  test('of an item are replaced by the first when it is sealed again', () => {
    const [old, young] = [newKey(), newKey()]
    const sealed = sealerOf({ keys: [old] }).seal(sid, 'cart', plain)
    const both = sealerOf({ keys: [young, old] })
    const again = both.seal(sid, 'cart', both.unseal(sid, 'cart', sealed))
    expect(sealerOf({ keys: [young] }).unseal(sid, 'cart', again)).toEqual(plain)
  })

  test('are taken as base64url, base64 and hex, and are the same in each', () => {
    const bytes = randomBytes(48)
    const spellings = [
      bytes.toString('base64url'),
      bytes.toString('base64'),
      bytes.toString('hex'),
      bytes.toString('hex').toUpperCase(),
    ]
    const sealed = sealerOf({ keys: [bytes.toString('base64')] }).seal(sid, 'cart', plain)
    for (const spelling of spellings) expect(sealerOf({ keys: [spelling] }).unseal(sid, 'cart', sealed)).toEqual(plain)
  })

  test('made by chance are always taken: 20,000 of 32 bytes', () => {
    for (let index = 0; index < 10_000; index++) {
      const bytes = randomBytes(32)
      for (const encoding of ['base64', 'hex'] as const) sealingKeyBytes(bytes.toString(encoding), 'key')
    }
  })

  test.each([
    ['not set', undefined],
    ['empty', ''],
    ['a Buffer', randomBytes(32)],
    ['too short', randomBytes(31).toString('base64url')],
    ['too short in hex', randomBytes(31).toString('hex')],
    ['with a line end', `${newKey()}\n`],
    ['with a space', ` ${newKey()}`],
    ['a sentence', 'correct horse battery staple, correct horse battery staple'],
    ['joined words', 'correct-horse-battery-staple-correct-horse-battery-staple'],
    ['joined words with capitals', 'CorrectHorseBatteryStapleCorrectHorseBatteryStaple'],
    ['joined words of all letters', 'thequickbrownfoxjumpsoverthelazydogwhileeverybodysleeps'],
    ['joined words of all capitals', 'THEQUICKBROWNFOXJUMPSOVERTHELAZYDOGWHILEEVERYBODYSLEEPS'],
    ['of few different bytes', 'fd0dfd307afd6a1b917a0d6afd7c1eb091fd0b1b7a1e1e30eb912d0b91d4301b'],
    ['one character', 'a'.repeat(64)],
    ['zeros', '0'.repeat(64)],
    ['a short piece repeated', randomBytes(8).toString('hex').repeat(4)],
    ['counted bytes', Buffer.from(Array.from({ length: 32 }, (_, index) => index)).toString('hex')],
    ['the alphabet', 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'],
    ['base64 of an impossible length', `${randomBytes(33).toString('base64url')}A`],
    ['of two alphabets', `${randomBytes(33).toString('base64url').slice(0, 42)}+_`],
  ])('that are %s are refused, with how to make one and without the key', (_what, key) => {
    const error = errorOf(() => sealerOf({ keys: [newKey(), key as string] }))
    expect(error).toBeInstanceOf(BadConfigError)
    expect((error as Error).message).toMatch(/^sealing\.keys\[1\] .*randomBytes\(32\)\.toString\('base64url'\)/)
    if (typeof key === 'string' && key.trim() !== '') expect(inspect(error)).not.toContain(key.trim())
  })

  test('given twice are refused, also in another spelling', () => {
    const bytes = randomBytes(32)
    const keys = [newKey(), bytes.toString('base64url'), bytes.toString('hex')]
    expect(() => sealerOf({ keys })).toThrow('sealing.keys[2] is the same key as sealing.keys[1]')
  })

  test('are needed', () => {
    expect(() => sealerOf({ keys: [] })).toThrow(BadConfigError)
    expect(() => sealerOf({ keys: newKey() as never })).toThrow(BadConfigError)
  })

  test('do not show when the sealer is inspected', () => {
    const bytes = randomBytes(32)
    const sealer = sealerOf({ keys: [bytes.toString('base64url')] })
    sealer.seal(sid, 'cart', plain)
    const shown = inspect(sealer, { depth: 9, showHidden: true }) + JSON.stringify(sealer)
    expect(shown).not.toContain(bytes.toString('base64url'))
    expect(shown).not.toContain(bytes.toString('hex').slice(0, 8))
  })
})

describe('values that are not sealed', () => {
  test('are refused', () => {
    for (const stored of [plain, Buffer.alloc(0), Buffer.from([0x7f])]) {
      expect(() => sealerOf().unseal(sid, 'cart', stored)).toThrow('it is not sealed')
    }
  })

  test('are accepted while sealing is being introduced, and sealed ones are checked as ever', () => {
    const sealer = sealerOf({ acceptUnsealed: true })
    expect(sealer.unseal(sid, 'cart', plain)).toEqual(plain)
    const sealed = sealer.seal(sid, 'cart', plain)
    expect(sealer.unseal(sid, 'cart', sealed)).toEqual(plain)
    expect(isBroken(() => sealer.unseal(sid, '@', sealed))).toBe(true)
    expect(isBroken(() => sealer.unseal(sid, 'cart', Buffer.from([0x80, 1, 2])))).toBe(true)
  })
})

describe('without sealing', () => {
  test('plain values are stored and read as they are', () => {
    expect(noSealing.seal(sid, 'cart', plain)).toEqual(plain)
    expect(noSealing.unseal(sid, 'cart', plain)).toEqual(plain)
    expect(noSealing.overhead).toBe(0)
  })

  test('sealed values are refused, with what is missing', () => {
    const sealed = sealerOf().seal(sid, 'cart', plain)
    expect(() => noSealing.unseal(sid, 'cart', sealed)).toThrow('it is sealed, but no sealing.keys are configured')
  })
})

function errorOf(act: () => unknown): unknown {
  try {
    act()
  } catch (error) {
    return error
  }
  throw new Error('nothing was thrown')
}

/** The documented format, written down a second time, so that a change of it is noticed and tags of other lengths can be made. */
function sealedByHand(item: { key: string; prefix: string; sid: string; name: string; tagLength: number }): Buffer {
  const fields = (...parts: (string | Buffer)[]) =>
    Buffer.concat(parts.flatMap((part) => [Buffer.from([0, 0, 0, Buffer.byteLength(part)]), Buffer.from(part as string)]))
  const derive = (length: number, ...purpose: string[]) =>
    Buffer.from(hkdfSync('sha256', Buffer.from(item.key, 'base64url'), '', fields(...purpose), length))
  const id = derive(4, 'fieldwise key id')
  const key = createSecretKey(derive(32, 'fieldwise session key', item.prefix, item.sid))
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, nonce, { authTagLength: item.tagLength })
  cipher.setAAD(fields(Buffer.of(0x81), id, item.prefix, item.sid, item.name))
  const ciphertext = Buffer.concat([cipher.update(plain), cipher.final()])
  return Buffer.concat([Buffer.of(0x81), id, nonce, ciphertext, cipher.getAuthTag()])
}
