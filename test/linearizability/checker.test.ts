import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { runSeed } from '../support/scale.js'
import { checkHistory } from './checker.js'
import { checkField } from './fields.js'
import type { Call, Incident, Outcome, Value } from './history.js'
import { deadEndOf, type Step } from './linearize.js'

describe('a history that could have been is let pass', () => {
  test.each<[name: string, calls: readonly Call[]]>([
    ['calls one after the other', [set('s', 0, 1), update('u', 2, 3, ['s.1', 'u.1']), get('g', 4, 5, ['s.1', 'u.1'])]],
    [
      'a read that saw one of two writes at once',
      [set('s', 0, 9), set('t', 0, 9), get('g', 1, 2, ['t.1']), get('h', 10, 11, ['s.1'])],
    ],
    ['a write of unknown outcome that nobody saw', [set('s', 0, 1), set('t', 2, 3, 'unknown'), get('g', 4, 5, ['s.1'])]],
    [
      'one that took effect long after its call had ended',
      [set('s', 0, 1), set('t', 2, 3, 'unknown'), get('g', 4, 5, ['s.1']), get('h', 6, 7, ['t.1'])],
    ],
    ['a removal of unknown outcome, that made room', [set('s', 0, 1), remove('d', 2, 3, 'unknown'), get('g', 4, 5, undefined)]],
    ['a failed write that is nowhere', [set('s', 0, 1), set('t', 2, 3, 'failed'), get('g', 4, 5, ['s.1'])]],
    ['an update of which another run was stored', [update('u', 0, 9, ['t.1', 'u.2']), set('t', 1, 2)]],
    [
      'a take that found nothing while a write was under way',
      [set('s', 0, 9), take('t', 1, 2, undefined), get('g', 10, 11, ['s.1'])],
    ],
  ])('%s', (_name, calls) => {
    expect(checkField(calls, undefined)).toEqual([])
  })

  test('increments of which some are of unknown outcome', () => {
    const calls = [
      increment('i', 0, 1, 5, 5),
      increment('j', 0, 9, 16, undefined),
      increment('k', 2, 3, 32, undefined),
      increment('l', 4, 5, 64, 5 + 32 + 64),
    ]
    expect(checkField(calls, 0)).toEqual([])
  })
})

describe('a history that cannot have been is noticed', () => {
  test.each<[name: string, calls: readonly Call[], found: RegExp]>([
    [
      'a version was dropped: two updates were built on one value',
      [set('s', 0, 1), update('u', 2, 4, ['s.1', 'u.1']), update('v', 3, 5, ['s.1', 'v.1'])],
      /not linearizable/,
    ],
    ['a stale read', [set('s', 0, 1), set('t', 2, 3), get('g', 4, 5, ['s.1'])], /not linearizable.*g get/],
    [
      'a read that is older than another one before it',
      [set('s', 0, 1), set('t', 2, 9), get('g', 3, 4, ['t.1']), get('h', 5, 6, ['s.1'])],
      /not linearizable.*h get/,
    ],
    ['an acknowledged write that is lost', [set('s', 0, 1), get('g', 2, 3, undefined)], /not linearizable.*g get/],
    [
      'an acknowledged removal that is lost',
      [set('s', 0, 1), remove('d', 2, 3), get('g', 4, 5, ['s.1'])],
      /not linearizable.*g get/,
    ],
    ['a double apply', [update('u', 0, 1, ['u.1']), get('g', 2, 3, ['u.1', 'u.1'])], /applied twice/],
    [
      'an update of unknown outcome that was applied twice, by two runs of its function',
      [set('s', 0, 1), update('u', 2, 3, 'unknown'), get('g', 4, 5, ['s.1', 'u.1', 'u.2'])],
      /applied twice/,
    ],
    [
      'a write of unknown outcome that came back after it had been overwritten',
      [set('s', 0, 1, 'unknown'), get('f', 2, 3, ['s.1']), set('t', 4, 5), get('g', 6, 7, ['t.1']), get('h', 8, 9, ['s.1'])],
      /not linearizable/,
    ],
    ['a failed write that was applied', [set('s', 0, 1, 'failed'), get('g', 2, 3, ['s.1'])], /failed, yet applied: s\.1/],
    ['a value of nobody', [get('g', 0, 1, ['x.1'])], /nobody wrote x\.1/],
    ['a value that was seen before it was written', [get('g', 0, 1, ['s.1']), set('s', 2, 3)], /not linearizable/],
    ['one value that was taken twice', [set('s', 0, 1), take('t', 2, 5, ['s.1']), take('u', 3, 4, ['s.1'])], /not linearizable/],
    ['half a value', [set('s', 0, 1), update('u', 2, 3, ['s.1', 'u.1']), get('g', 4, 5, ['u.1'])], /not linearizable/],
    [
      'an update that resolved with what it did not store',
      [update('u', 0, 1, ['u.1']), get('g', 2, 3, ['u.2'])],
      /not linearizable/,
    ],
    ['a field that is there and is not', [set('s', 0, 1), { ...get('h', 2, 3, undefined), kind: 'has', value: false }], /h has/],
  ])('%s', (_name, calls, found) => {
    expect(checkField(calls, undefined).join('\n')).toMatch(found)
  })

  test.each<[name: string, last: number]>([
    ['an increment is lost', 5],
    ['an increment is counted twice', 5 + 16 + 16],
    ['an increment of unknown outcome is counted twice', 5 + 16 + 32 + 32],
  ])('%s', (_name, last) => {
    const calls = [
      increment('i', 0, 1, 5, 5),
      increment('j', 2, 3, 16, 21),
      increment('k', 4, 5, 32, undefined),
      get('g', 6, 7, last),
    ]
    expect(checkField(calls, 0).join('\n')).toMatch(/not linearizable.*g get/)
  })

  test('a search that takes too long is not taken for a history that is right', () => {
    const open = Array.from({ length: 30 }, (_, index) => stepOf(increment(`i${index}`, 0, 1, 2 ** index + 1, undefined)))
    const read: Step = { id: 'g', began: 2, ended: 3, isRead: true, apply: (state) => (state === '-1' ? state : undefined) }
    expect(deadEndOf(open, '0', 1_000)).toBeUndefined()
    expect(deadEndOf([...open, read], '0', 1_000)).toMatchObject({ isCertain: false, next: ['g'] })
  })
})

describe('the search agrees with one that tries every order there is', () => {
  test('on small histories of every kind, true ones and false ones', () => {
    const verdicts = { possible: 0, impossible: 0 }
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 6 }), (drawn) => {
        const steps = drawn.map((step, index) => ({ ...step, id: `${index}` }))
        const isPossible = hasOrder(steps, '')
        verdicts[isPossible ? 'possible' : 'impossible']++
        expect(deadEndOf(steps, '') === undefined).toBe(isPossible)
      }),
      { seed: runSeed, numRuns: 5_000 },
    )
    expect(Math.min(verdicts.possible, verdicts.impossible)).toBeGreaterThan(500)
  })
})

describe('of a session as a whole it is noticed that', () => {
  test.each<[name: string, calls: readonly Call[], found: RegExp]>([
    [
      'it is revived after an acknowledged end',
      [destroy('d', 2, 3), on(get('g', 4, 5, undefined))],
      /revived: .*g get.*after .*d destroy/,
    ],
    ['it is revived after a revocation', [{ ...destroy('d', 2, 3), kind: 'revoke' }, on(set('s', 4, 5))], /revived: .*s set/],
    [
      'it comes back after somebody was told of its end',
      [destroy('d', 2, 9), gone('g', 3, 4, 'destroyed'), opened('o', 5, 6)],
      /revived: .*o open/,
    ],
    ['it is gone though nobody ended it', [gone('g', 2, 3, 'destroyed')], /lost session: .*g get/],
    ['its token opens nothing though nobody ended it', [gone('o', 2, 3, 'absent')], /lost session/],
    ['it is gone before anybody asked for its end', [gone('g', 2, 3, 'destroyed'), destroy('d', 4, 5)], /lost session/],
    ['it is gone by an end that failed', [destroy('d', 2, 3, 'failed'), gone('g', 4, 5, 'destroyed')], /lost session/],
    ['it has expired, long before its time', [destroy('d', 2, 3), gone('g', 4, 5, 'expired')], /lost session/],
    ['a field of it is lost, though nothing was evicted', [destroy('d', 2, 3), gone('g', 4, 5, 'lost')], /lost session/],
    ['an old token is good', [rotate('r', 2, 3, 'old', 'new'), opened('o', 4, 5, 'old')], /old token was good: .*o open/],
    ['the newest token is not', [rotate('r', 2, 3, 'old', 'new'), gone('o', 4, 5, 'superseded', 'new')], /lost session: .*o get/],
    ['a token is superseded though nobody rotated', [gone('o', 4, 5, 'superseded', 'old')], /lost session/],
  ])('%s', (_name, calls, found) => {
    expect(violationsOf(calls)).toMatch(found)
  })

  test.each<[name: string, calls: readonly Call[], incidents?: readonly Incident[]]>([
    [
      'use until its end',
      [opened('o', 2, 3), destroy('d', 4, 8), opened('p', 5, 6), gone('g', 7, 9, 'destroyed'), gone('h', 10, 11, 'absent')],
    ],
    ['an end of unknown outcome, or none', [destroy('d', 2, 3, 'unknown'), opened('o', 4, 5), gone('g', 6, 7, 'destroyed')]],
    ['a server that lost its memory', [gone('g', 5, 6, 'destroyed')], [incident('cold restart', 'one', 3, 4)]],
    ['a server that evicted', [opened('o', 4, 5), gone('g', 5, 6, 'lost')], [incident('eviction', 'one', 3, 9)]],
    [
      'rotation',
      [rotate('r', 2, 4, 'old', 'new'), opened('o', 3, 5, 'old'), gone('g', 5, 6, 'superseded', 'old'), opened('p', 5, 6, 'new')],
    ],
    [
      'a rotation that came second and issued nothing',
      [rotate('q', 1, 5, 'old', 'old'), rotate('r', 2, 3, 'old', 'new'), gone('g', 6, 7, 'absent'), opened('p', 8, 9, 'new')],
    ],
    [
      'a request that was verified before a rotation',
      [rotate('r', 2, 3, 'old', 'new'), { ...opened('o', 4, 5, 'old'), shown: 1 }],
    ],
    ['a rotation of unknown outcome', [rotate('r', 2, 3, 'old', undefined), gone('o', 4, 5, 'absent', 'old')]],
  ])('nothing is wrong with %s', (_name, calls, incidents = []) => {
    expect(violationsOf(calls, incidents)).toBe('')
  })

  test('another server that lost its memory, or one that did before, explains nothing', () => {
    const calls = [gone('g', 5, 6, 'destroyed')]
    expect(violationsOf(calls, [incident('cold restart', 'two', 3, 4)])).toMatch(/lost session/)
    expect(violationsOf(calls, [incident('cold restart', 'one', -9, -8)])).toMatch(/lost session/)
  })
})

function call(id: string, kind: Call['kind'], began: number, ended: number, rest: Partial<Call> = {}): Call {
  return { id, kind, session: 'x~one', field: 'a', began, ended, outcome: 'ok', ...rest }
}

function get(id: string, began: number, ended: number, value: Value): Call {
  return call(id, 'get', began, ended, { value })
}

function set(id: string, began: number, ended: number, outcome: Outcome = 'ok'): Call {
  return call(id, 'set', began, ended, { outcome, value: outcome === 'ok' ? [`${id}.1`] : undefined })
}

function update(id: string, began: number, ended: number, value: readonly string[] | 'unknown'): Call {
  return value === 'unknown' ? call(id, 'update', began, ended, { outcome: value }) : call(id, 'update', began, ended, { value })
}

function take(id: string, began: number, ended: number, value: Value): Call {
  return call(id, 'take', began, ended, { value })
}

function remove(id: string, began: number, ended: number, outcome: Outcome = 'ok'): Call {
  return call(id, 'delete', began, ended, { outcome })
}

/** Without a result: of unknown outcome. */
function increment(id: string, began: number, ended: number, by: number, value: number | undefined): Call {
  return call(id, 'increment', began, ended, { by, value, outcome: value === undefined ? 'unknown' : 'ok' })
}

/** A call that says nothing of what the field holds. */
function on(of: Call): Call {
  return { ...of, field: undefined }
}

function destroy(id: string, began: number, ended: number, outcome: Outcome = 'ok'): Call {
  return on(call(id, 'destroy', began, ended, { outcome }))
}

function opened(id: string, began: number, ended: number, token = 'old'): Call {
  return on(call(id, 'open', began, ended, { token, shown: began }))
}

function gone(id: string, began: number, ended: number, reason: Call['gone'], token = 'old'): Call {
  return on(call(id, 'get', began, ended, { outcome: 'failed', gone: reason, token, shown: began }))
}

/** Without a new token: of unknown outcome. */
function rotate(id: string, began: number, ended: number, token: string, issued: string | undefined): Call {
  return on(
    call(id, 'regenerate', began, ended, { token, issued, shown: began, outcome: issued === undefined ? 'unknown' : 'ok' }),
  )
}

function incident(kind: Incident['kind'], server: string, began: number, ended: number): Incident {
  return { kind, server, began, ended }
}

const creation = on(call('c', 'create', 0, 1, { value: {}, issued: 'old' }))

function violationsOf(calls: readonly Call[], incidents: readonly Incident[] = []): string {
  return checkHistory([creation, ...calls], incidents)
    .flatMap(({ found }) => found)
    .join('\n')
}

function stepOf({ id, by, began }: Call): Step {
  return { id, began, ended: Number.POSITIVE_INFINITY, isRead: false, apply: (state) => String(Number(state) + (by as number)) }
}

/** A step on a register of few values, so that many histories are true. */
const anyStep = fc
  .record({
    kind: fc.constantFrom('read', 'write', 'append', 'clear'),
    value: fc.constantFrom('', 'x', 'y', 'xx'),
    began: fc.integer({ min: 0, max: 8 }),
    length: fc.integer({ min: 1, max: 6 }),
    isOpen: fc.boolean(),
  })
  .map(({ kind, value, began, length, isOpen }): Step => {
    const ended = isOpen && kind !== 'read' ? Number.POSITIVE_INFINITY : began + length
    const apply = (state: string) => {
      if (kind === 'read') return state === value ? state : undefined
      if (kind === 'append') return state.length > 2 ? undefined : `${state}x`
      return kind === 'clear' ? '' : value
    }
    return { id: '', began, ended, isRead: kind === 'read', apply }
  })

/** Tries every order of the steps that real time allows, with and without each one that has no end. */
function hasOrder(steps: readonly Step[], state: string): boolean {
  if (steps.every(({ ended }) => ended === Number.POSITIVE_INFINITY)) return true
  return steps.some((step) => {
    const others = steps.filter((other) => other !== step)
    if (others.some(({ ended }) => ended < step.began)) return false
    const next = step.apply(state)
    return next !== undefined && hasOrder(others, next)
  })
}
