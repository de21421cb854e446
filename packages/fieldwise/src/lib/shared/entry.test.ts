import { expect, test } from 'vitest'
import { decodeEntry, encodeEntry } from './entry.js'

const id = { process: 1, count: 2 }

test.each([
  ['a fresh value', { json: '"a\\nb"', freshUntil: 1_700_000_000_000, leaseUntil: 0 }, 1_700_000_060_000],
  ['a lease without a value', { json: undefined, freshUntil: 0, leaseUntil: 1_700_000_000_000 }, 1_700_000_000_000],
  [
    'an old value that is loaded',
    { json: '[4]', freshUntil: 1_700_000_000_000, leaseUntil: 1_700_000_090_000 },
    1_700_000_090_000,
  ],
])('%s is read as it was written, and lives until nobody may use it any more', (_, entry, deadline) => {
  const contents = encodeEntry(entry, 60_000)
  expect(contents.deadline).toBe(deadline)
  expect(decodeEntry({ ...contents, id })).toEqual({ ...entry, id })
})

test('it is written as the guide to the stored format says', () => {
  const { json } = encodeEntry({ json: '4', freshUntil: 1_700_000_000_000, leaseUntil: 0 }, 0)
  expect(json).toBe('1700000000000,0\n4')
})

test.each(['', '4', '1700000000000\n4', ',\n4', '1e3,0\n4', '-1,0\n4', '1700000000000,0 4'])('%j is no entry', (json) => {
  expect(decodeEntry({ json, deadline: 0, id })).toBeUndefined()
})
