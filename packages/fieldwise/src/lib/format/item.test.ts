import { randomBytes } from 'node:crypto'
import { describe, expect, test } from 'vitest'
import { SealBrokenError } from '../api/errors.js'
import { systemEnvironment } from '../environment/environment.js'
import {
  decodeItem,
  earlierWrites,
  encodeItem,
  hasOtherBirth,
  type Item,
  itemSize,
  jsonOf,
  living,
  remembers,
  remembersAllSince,
} from './item.js'
import { WriteIds, writeIdText } from './write-ids.js'

const [ada, bob, eve] = [new WriteIds(systemEnvironment), new WriteIds(systemEnvironment), new WriteIds(systemEnvironment)]
const now = 1_767_225_600_000
const plain: Item = { id: ada.next(), birth: ada.birth(), earlier: [], deadline: 0, json: '{"sku":"tea"}' }

/** The item that a process stores over `base`. */
function written(base: Item, by: WriteIds, at = now): Item {
  const id = by.next()
  return { ...base, id, earlier: earlierWrites(base, id, at) }
}

describe('an item', () => {
  const earlier = [bob, eve].map((process, index) => ({ id: process.next(), until: 1_767_225_600 + index }))
  const items: [what: string, item: Item][] = [
    ['a value', plain],
    ['an empty text', { ...plain, json: '""' }],
    ['a value in many scripts', { ...plain, json: '"ä€𝄞"' }],
    ['a tombstone', { ...plain, json: undefined }],
    ['a value with a deadline', { ...plain, deadline: now }],
    ['a value of several writers', { ...plain, earlier }],
    ['a tombstone of several writers with a deadline', { ...plain, earlier, deadline: 2 ** 48 - 1, json: undefined }],
  ]
  test.each(items)('%s is read back as it was stored', (_what, item) => {
    const bytes = encodeItem(item)
    expect(decodeItem('cart', bytes)).toEqual(item)
    expect(bytes).toHaveLength(itemSize(item))
  })

  test.each(items)('%s: its JSON is found without the rest', (_what, item) => {
    expect(jsonOf('cart', encodeItem(item), now - 1)).toBe(item.json)
  })

  test('that is quiet costs 13 bytes besides its JSON', () => {
    expect(itemSize(plain)).toBe(13 + 13)
  })

  test.each(items)('%s: cut short within its head, it is refused', (_what, item) => {
    const bytes = encodeItem(item)
    const head = bytes.length - Buffer.byteLength(item.json ?? '')
    for (let length = 0; length < head; length++) {
      expect(() => decodeItem('cart', bytes.subarray(0, length))).toThrow(SealBrokenError)
      expect(() => jsonOf('cart', bytes.subarray(0, length), now)).toThrow(SealBrokenError)
    }
  })

  test('of another version, a header and what is sealed are refused', () => {
    const bytes = encodeItem(plain)
    for (let first = 0; first < 256; first++) {
      bytes[0] = first
      if ((first & 0xf8) !== 0x10) expect(() => jsonOf('cart', bytes, now)).toThrow(SealBrokenError)
    }
  })

  test('of random bytes is refused or read, and never anything else', () => {
    const others: unknown[] = []
    for (let round = 0; round < 20_000; round++) {
      const bytes = randomBytes(round % 100)
      if (bytes.length > 0) bytes[0] = 0x10 | (round & 7)
      try {
        jsonOf('cart', bytes, now)
      } catch (error) {
        if (!(error instanceof SealBrokenError)) others.push(error)
      }
    }
    expect(others).toEqual([])
  })
})

describe('a deadline of its own', () => {
  const item = { ...plain, deadline: now }

  test('unsets a field from that millisecond on', () => {
    expect(living(item, now - 1)).toBe(plain.json)
    expect(living(item, now)).toBeUndefined()
    expect(jsonOf('cart', encodeItem(item), now)).toBeUndefined()
  })

  test('of 0 is never', () => {
    expect(living(plain, Number.MAX_SAFE_INTEGER)).toBe(plain.json)
  })
})

describe('a birth', () => {
  test('tells an item from the one that was listed', () => {
    const bytes = encodeItem(plain)
    expect(hasOtherBirth(bytes, plain.birth)).toBe(false)
    expect(hasOtherBirth(bytes, ada.birth())).toBe(true)
  })

  test('says nothing about bytes that are no item: those are for the reader of the field', () => {
    expect(hasOtherBirth(Buffer.from('nonsense, and long enough'), plain.birth)).toBe(false)
    expect(hasOtherBirth(Buffer.of(0x10), plain.birth)).toBe(false)
  })
})

describe('write ids (W1)', () => {
  test('are at least 64 bits, and no two of 100,000 are the same', () => {
    const ids = Array.from({ length: 100_000 }, () => ada.next())
    expect(ids.map(writeIdText)[0]).toHaveLength(16)
    expect(new Set(ids.map(writeIdText)).size).toBe(100_000)
  })

  test('a value carries the last one of each process that wrote recently', () => {
    const byBob = written(plain, bob)
    const byEve = written(byBob, eve)
    const byBobAgain = written(byEve, bob)
    expect([plain, byEve, byBobAgain].map((item) => remembers(byBobAgain, item.id))).toEqual([true, true, true])
    expect(remembers(byBobAgain, byBob.id)).toBe(false)
    expect(byBobAgain.earlier).toHaveLength(2)
  })

  test('a process that writes alone leaves no trace but the newest', () => {
    expect(written(written(plain, ada), ada).earlier).toEqual([])
  })

  test('are dropped a minute after another took their place, oldest first', () => {
    const byBob = written(plain, bob)
    expect(remembers(written(byBob, eve, now + 60_000), plain.id)).toBe(true)
    expect(written(byBob, bob, now + 61_000).earlier).toEqual([])
    const late = written(byBob, eve, now + 61_000)
    expect(remembers(late, plain.id)).toBe(false)
    expect(remembers(late, byBob.id)).toBe(true)
  })

  test('are never more than 65, of however many processes', () => {
    let item = plain
    for (let count = 0; count < 300; count++) item = written(item, new WriteIds(systemEnvironment))
    expect(item.earlier).toHaveLength(64)
    expect(decodeItem('cart', encodeItem(item))).toEqual(item)
  })
})

describe('what has changed since a write was lost (W4)', () => {
  test('a base that is still remembered proves that nothing unknown came in between', () => {
    const base = written(plain, bob)
    expect(remembersAllSince(written(base, eve), base)).toBe(true)
  })

  test('a base whose process wrote again is remembered by what it carried', () => {
    const base = written(plain, bob)
    expect(remembersAllSince(written(base, bob), base)).toBe(true)
  })

  test('a base that nothing reminds of proves nothing', () => {
    expect(remembersAllSince({ ...plain, id: eve.next() }, plain)).toBe(false)
    expect(remembersAllSince(written(plain, ada), plain)).toBe(false)
  })

  test('an item of another birth proves nothing', () => {
    expect(remembersAllSince({ ...written(plain, bob), birth: ada.birth() }, plain)).toBe(false)
  })

  test('a write that was applied is remembered at least as long as its base', () => {
    // Whatever happens afterwards: a later value that remembers the base but not the lost write shows that it was not applied.
    const processes = Array.from({ length: 70 }, () => new WriteIds(systemEnvironment))
    let forgotten = 0
    for (let round = 0; round < 1_000; round++) {
      const base = written(written(plain, bob), eve)
      const lost = written(base, ada)
      let item = lost
      let at = now
      for (let step = 0; step < round % 90; step++) {
        at += (round * 7_919 + step * 104_729) % 9_000
        item = written(item, processes[(round * 31 + step * 17) % (2 + (round % 69))] as WriteIds, at)
        if (remembers(item, lost.id)) continue
        forgotten++
        if (remembersAllSince(item, base)) throw new Error(`round ${round}: the base is remembered for longer`)
      }
    }
    expect(forgotten).toBeGreaterThan(1_000)
  })
})
