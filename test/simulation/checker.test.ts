import { describe, expect, test } from 'vitest'
import { checkCounter, checkDeadlines, checkField, type Tag, tagOf } from './checker.js'
import type { Kind, Operation, Outcome } from './history.js'
import { Random } from './random.js'
import { World } from './world.js'

const host = new World({ seed: 1 }).host()

/** An operation that took from `began` to `ended` and had this outcome. */
function op(id: number, kind: Kind, [began, ended]: [number, number], value?: unknown, outcome: Outcome = 'ok'): Operation {
  const times = { began, ended, beganAt: began, endedAt: ended }
  return { id, host, kind, field: 'a', ...times, outcome, value, session: undefined, code: undefined, reason: undefined }
}

const set1 = op(1, 'set', [0, 1], '1.1')
const update2 = op(2, 'update', [2, 3], ['1.1', '2.1'])
const update3 = op(3, 'update', [4, 5], ['1.1', '2.1', '3.1'])

describe('a history with one defect is refused', () => {
  const planted: [what: string, operations: Operation[], found: RegExp][] = [
    ['an acknowledged update is missing', [set1, update2, op(3, 'get', [4, 5], ['1.1'])], /stale/],
    ['an acknowledged update was overwritten', [set1, update2, op(3, 'update', [4, 5], ['1.1', '3.1'])], /lost update/],
    ['the last update is missing at the end', [set1, update2, update3, op(4, 'get', [6, 7], ['1.1', '2.1'])], /stale/],
    ['an update was applied twice', [set1, update2, op(3, 'get', [4, 5], ['1.1', '2.1', '2.1'])], /applied twice/],
    [
      'an unknown update was applied twice',
      [set1, op(2, 'update', [2, 3], undefined, 'unknown'), op(3, 'get', [4, 5], ['1.1', '2.1', '2.2'])],
      /applied twice/,
    ],
    [
      'a failed update was applied',
      [set1, op(2, 'update', [2, 3], undefined, 'failed'), op(3, 'get', [4, 5], ['1.1', '2.1'])],
      /failed, yet applied/,
    ],
    [
      'a failed set was applied',
      [set1, op(2, 'set', [2, 3], undefined, 'failed'), op(3, 'get', [4, 5], ['2.1'])],
      /failed, yet applied/,
    ],
    [
      'an update returned what it did not store',
      [set1, op(2, 'update', [2, 3], ['1.1', '2.1']), op(3, 'get', [4, 5], ['1.1', '2.2'])],
      /wrong result|lost update/,
    ],
    [
      'an update was applied in two lists',
      [set1, op(2, 'update', [2, 9], undefined, 'unknown'), op(3, 'get', [3, 4], ['1.1', '2.1']), op(4, 'get', [5, 6], ['2.2'])],
      /applied twice/,
    ],
    ['a read is stale', [set1, op(2, 'set', [2, 3], '2.1'), op(3, 'get', [4, 5], ['1.1'])], /stale/],
    [
      'a read goes back',
      [set1, op(2, 'set', [2, 9], '2.1'), op(3, 'get', [3, 4], ['2.1']), op(4, 'get', [5, 6], ['1.1'])],
      /stale/,
    ],
    [
      'two values were there at once',
      [set1, op(2, 'set', [2, 3], '2.1'), op(3, 'get', [4, 5], ['1.1']), op(4, 'get', [6, 7], ['2.1'])],
      /stale/,
    ],
    [
      'a value is seen before it was written',
      [op(1, 'get', [0, 1], ['2.1']), op(2, 'set', [2, 3], '2.1')],
      /stale|before it began/,
    ],
    ['a value is nobody’s', [op(1, 'get', [0, 1], ['9.1'])], /foreign value/],
    ['a value was lost', [set1, op(2, 'get', [2, 3], undefined)], /lost/],
    [
      'a value was lost between two reads',
      [
        op(1, 'set', [0, 1], undefined, 'unknown'),
        op(2, 'get', [2, 3], ['1.1']),
        op(3, 'get', [4, 5]),
        op(4, 'get', [6, 7], ['1.1']),
      ],
      /lost/,
    ],
    ['an update found nothing where there was something', [set1, op(2, 'update', [2, 3], ['2.1'])], /lost/],
    ['two takers got one value', [set1, op(2, 'take', [2, 5], ['1.1']), op(3, 'take', [2, 5], ['1.1'])], /taken twice/],
    ['a taken value is read again', [set1, op(2, 'take', [2, 3], ['1.1']), op(3, 'get', [4, 5], ['1.1'])], /back from the dead/],
    [
      'a taken value is built on',
      [set1, op(2, 'take', [2, 3], ['1.1']), op(3, 'update', [4, 5], ['1.1', '3.1'])],
      /left out|back from the dead/,
    ],
    ['a taker got less than there was', [set1, update2, op(3, 'take', [2, 5], ['1.1'])], /stale|left out/],
    [
      'a deleted value is read again',
      [set1, op(2, 'delete', [2, 3]), op(3, 'get', [4, 5], undefined), op(4, 'get', [6, 7], ['1.1'])],
      /lost/,
    ],
    [
      'a failed delete was applied',
      [set1, op(2, 'delete', [2, 3], undefined, 'failed'), op(3, 'get', [4, 5], undefined)],
      /lost/,
    ],
    [
      'a set kept what it should have replaced',
      [set1, op(2, 'set', [2, 9], '2.1'), op(3, 'get', [4, 5], ['1.1', '2.1'])],
      /built on/,
    ],
  ]
  test.each(planted)('%s', (_what, operations, found) => {
    expect(checkField(operations).join('\n')).toMatch(found)
  })
})

describe('what may happen is let pass', () => {
  const allowed: [what: string, operations: Operation[]][] = [
    [
      'one thing after another',
      [set1, update2, update3, op(4, 'take', [6, 7], ['1.1', '2.1', '3.1']), op(5, 'get', [8, 9], undefined)],
    ],
    [
      'reads beside a write that see either',
      [set1, op(2, 'set', [2, 9], '2.1'), op(3, 'get', [3, 4], ['1.1']), op(4, 'get', [5, 6], ['2.1'])],
    ],
    [
      'an unknown update that was applied',
      [set1, op(2, 'update', [2, 3], undefined, 'unknown'), op(3, 'get', [9, 10], ['1.1', '2.4'])],
    ],
    [
      'an unknown update that was applied late',
      [set1, op(2, 'update', [2, 3], undefined, 'unknown'), op(3, 'get', [4, 5], ['1.1']), op(4, 'get', [6, 7], ['1.1', '2.1'])],
    ],
    ['an unknown update that was not', [set1, op(2, 'update', [2, 3], undefined, 'unknown'), op(3, 'get', [4, 5], ['1.1'])]],
    [
      'an unknown delete that was applied late',
      [set1, op(2, 'delete', [2, 3], undefined, 'unknown'), op(3, 'get', [4, 5], ['1.1']), op(4, 'get', [6, 7], undefined)],
    ],
    ['an unknown take', [set1, op(2, 'take', [2, 3], undefined, 'unknown'), op(3, 'get', [4, 5], undefined)]],
    [
      'two sets at once, seen in either order',
      [op(1, 'set', [0, 9], '1.1'), op(2, 'set', [0, 9], '2.1'), op(3, 'get', [1, 2], ['2.1']), op(4, 'get', [3, 4], ['1.1'])],
    ],
    ['a second taker that gets nothing', [set1, op(2, 'take', [2, 5], ['1.1']), op(3, 'take', [2, 5], undefined)]],
  ]
  test.each(allowed)('%s', (_what, operations) => {
    expect(checkField(operations)).toEqual([])
  })

  test('an eviction of a field that may be absent', () => {
    const operations = [set1, op(2, 'get', [6, 7], undefined)]
    expect(checkField(operations, [{ began: 3, ended: 4 }])).toEqual([])
    expect(checkField(operations, [{ began: 8, ended: 9 }])).not.toEqual([])
  })

  test('5,000 histories of a field that is changed in one place', () => {
    for (let seed = 1; seed <= 5_000; seed++) expect([seed, checkField(trueHistory(seed))]).toEqual([seed, []])
  })
})

test('in a true history, an operation that is made to see another moment is found as a rule', () => {
  let found = 0
  for (let seed = 1; seed <= 2_000; seed++) {
    const operations = trueHistory(seed)
    const reads = operations.filter((operation) => operation.kind === 'get')
    const [one, other] = [reads[0], reads.at(-1)]
    if (!one || !other || JSON.stringify(one.value) === JSON.stringify(other.value)) {
      found++
      continue
    }
    const value = one.value
    one.value = other.value
    other.value = value
    if (checkField(operations).length > 0) found++
  }
  // The rest are swaps that the times of the calls allow.
  expect(found).toBeGreaterThan(1_700)
})

describe('a counter', () => {
  const one = op(1, 'increment', [0, 1], 1)
  const planted: [what: string, operations: Operation[], end: number, found: RegExp][] = [
    ['lost an increment', [one, op(2, 'increment', [2, 3], 2)], 1, /lost update/],
    ['counted one twice', [one], 2, /applied twice/],
    ['counted a failed one', [one, op(2, 'increment', [2, 3], undefined, 'failed')], 2, /applied twice/],
    ['gave one number to two', [one, op(2, 'increment', [0, 3], 1)], 2, /same number/],
    ['went back', [one, op(2, 'increment', [2, 3], 2), op(3, 'get', [4, 5], 1)], 2, /stale/],
  ]
  test.each(planted)('that %s is refused', (_what, operations, end, found) => {
    expect(checkCounter(operations, end).join('\n')).toMatch(found)
  })

  test('that counted each once is let pass, with or without those of unknown outcome', () => {
    const operations = [one, op(2, 'increment', [0, 5], undefined, 'unknown'), op(3, 'increment', [6, 7], 3)]
    expect(checkCounter(operations, 3)).toEqual([])
    expect(checkCounter([one, op(2, 'increment', [0, 5], undefined, 'unknown')], 1)).toEqual([])
  })
})

test('a call that took longer than its deadline is refused', () => {
  const deadlines = { read: 500, write: 2_000 }
  expect(checkDeadlines([op(1, 'set', [0, 2_040]), op(2, 'get', [0, 540])], deadlines)).toEqual([])
  expect(checkDeadlines([op(1, 'set', [0, 2_060])], deadlines).join()).toMatch(/late/)
  expect(checkDeadlines([op(1, 'get', [0, 560])], deadlines).join()).toMatch(/late/)
})

/** Operations on a list that is changed at one moment within each call: linearizable by construction. */
function trueHistory(seed: number): Operation[] {
  const random = new Random(seed)
  const operations: Operation[] = []
  let list: readonly Tag[] | undefined
  for (let moment = 10; moment < 210; moment += 10) {
    const id = operations.length + 1
    const times: [number, number] = [moment - random.below(40) - id / 100, moment + random.below(40) + 1 + id / 100]
    const kind = random.pick(['get', 'get', 'set', 'update', 'update', 'take', 'delete'] as const)
    const isTold = random.chance(0.8) || kind === 'get'
    const before = list
    if (kind === 'set') list = [tagOf(id, 1)]
    if (kind === 'update') list = [...(list ?? []), tagOf(id, 1)]
    if (kind === 'take' || kind === 'delete') list = undefined
    const value = { get: before, take: before, update: list, set: tagOf(id, 1), delete: undefined }[kind]
    operations.push(isTold ? op(id, kind, times, value) : op(id, kind, times, undefined, 'unknown'))
  }
  return operations
}
