import { describe, expect, test, vi } from 'vitest'
import { Inbox } from './inbox.js'

describe('the inbox of a connection', () => {
  test('hands on a chunk as it is while nothing is left over', () => {
    const chunk = Buffer.from('whole')
    expect(new Inbox().add(chunk)).toBe(chunk)
  })

  test('holds chunks back until what is needed is there, then gives all in one piece', () => {
    const inbox = new Inbox()
    inbox.keep(Buffer.from('ab'), 5)
    expect(inbox.add(Buffer.from('c'))).toBeUndefined()
    expect(inbox.add(Buffer.from('d'))).toBeUndefined()
    expect(inbox.size).toBe(4)
    expect(String(inbox.add(Buffer.from('efg')))).toBe('abcdefg')
    expect(inbox.size).toBe(0)
  })

  test('copies each byte of a large reply once, whatever the size of the segments', () => {
    const inbox = new Inbox()
    const size = 1_000_000
    const concat = vi.spyOn(Buffer, 'concat')
    inbox.keep(Buffer.alloc(1_460), size)
    for (let there = 1_460; there < size; there += 1_460) inbox.add(Buffer.alloc(1_460))
    const copied = concat.mock.results.reduce((sum, { value }) => sum + value.length, 0)
    concat.mockRestore()
    expect(copied).toBeLessThan(size + 1_460)
  })

  test('forgets everything when it is cleared', () => {
    const inbox = new Inbox()
    inbox.keep(Buffer.from('old'), 10)
    inbox.clear()
    expect(String(inbox.add(Buffer.from('new')))).toBe('new')
  })
})
