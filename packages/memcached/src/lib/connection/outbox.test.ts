import { describe, expect, test } from 'vitest'
import { Outbox } from './outbox.js'

describe('what is to leave together', () => {
  test('is one part as long as all of it is text and small buffers, one character a byte', () => {
    const out = new Outbox()
    expect([out.isEmpty, out.parts]).toEqual([true, []])
    out.text('é')
    out.bytes(Buffer.from([0, 255]))
    out.add('b')
    out.add(Buffer.alloc(4_096, 'c'))
    expect([out.isEmpty, out.parts]).toEqual([false, [`é\0\xffb${'c'.repeat(4_096)}`]])
  })

  test('keeps a large buffer as it is, between what comes before and behind it', () => {
    const out = new Outbox()
    const large = Buffer.alloc(4_097)
    out.bytes(large)
    expect([out.isEmpty, out.parts]).toEqual([false, [large]])
    out.text('a')
    out.text('b')
    out.add(large)
    out.text('c')
    expect(out.parts).toEqual([large, 'ab', large, 'c'])
  })
})
