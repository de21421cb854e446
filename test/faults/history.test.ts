import { describe, expect, test } from 'vitest'
import { type Call, checkHistory, nothingWritten, type Versioned, written } from '../support/history.js'
import { Chance, report } from '../support/scale.js'

describe('the checker of histories', () => {
  test('lets pass what one field really did, with failed calls and calls of unknown outcome', () => {
    const chance = new Chance('true histories')
    for (let round = 0; round < 500; round++) {
      const { calls, end } = trueHistory(chance, 60)
      expect(checkHistory(calls, end)).toEqual([])
    }
  })

  /** Each changes a true history in one place, as that defect would. */
  const defects: [name: string, plant: (history: History, chance: Chance) => void, found: RegExp][] = [
    [
      'an acknowledged update that is missing',
      (history, chance) => {
        const lost = history.calls.push(call('lost', [0, 10_000], 'update', 'ok'))
        history.calls[lost - 1] = { ...(history.calls[lost - 1] as Call), value: valueSeen(history, chance) }
      },
      /lost update: lost was acknowledged/,
    ],
    [
      'an update that was overwritten by one that had not seen it',
      (history, chance) => {
        const victim = chance.pick(acknowledged(history))
        const { version, recent } = victim.value as Versioned
        const value = { version, recent: [...recent.slice(0, -1), 'rival#1'] }
        history.calls.push({ ...victim, id: 'rival', value })
      },
      /lost update/,
    ],
    [
      'the last update gone in the end',
      (history) => {
        const before = history.end
        append(history, 'last#1')
        history.calls.push(call('last', [20_000, 20_001], 'update', 'ok', history.end))
        history.end = before
      },
      /lost: version/,
    ],
    [
      'an update that was applied twice',
      (history, chance) => append(history, `${chance.pick(acknowledged(history)).id}#2`),
      /applied twice/,
    ],
    [
      'an update of unknown outcome that was applied twice',
      (history) => {
        history.calls.push(call('open', [0, 1], 'update', 'unknown'))
        append(history, 'open#1')
        append(history, 'open#1')
      },
      /applied twice: open/,
    ],
    [
      'a failed update that was applied',
      (history) => {
        history.calls.push(call('failed', [0, 1], 'update', 'failed'))
        append(history, 'failed#1')
      },
      /failed, yet applied: failed/,
    ],
    [
      'a read that is stale',
      (history, chance) => {
        const old = chance.pick(acknowledged(history).slice(0, -1))
        history.calls.push(call('stale', [20_000, 20_001], 'get', 'ok', old.value))
      },
      /stale: stale/,
    ],
    [
      'a write that took effect before one that had ended when it began',
      (history) => {
        const [, ...others] = acknowledged(history)
        const late = others[0] as Call
        history.calls[history.calls.indexOf(late)] = { ...late, began: 20_000, ended: 20_001 }
      },
      /stale|before .* began/,
    ],
    ['a value that nobody wrote', (history) => append(history, 'stranger#1'), /foreign value: stranger#1/],
    [
      'a value that was seen before it was asked for',
      (history) => {
        history.calls.push(call('later', [30_000, 30_001], 'update', 'unknown'))
        append(history, 'later#1')
        history.calls.push(call('early', [20_000, 20_001], 'get', 'ok', history.end))
      },
      /seen before later began/,
    ],
    [
      'an update that resolved with the result of another run of its function',
      (history, chance) => {
        const one = chance.pick(
          acknowledged(history).filter(({ value }) => value !== undefined && value.version < history.end.version),
        )
        const { version, recent } = one.value as Versioned
        history.calls[history.calls.indexOf(one)] = {
          ...one,
          value: { version, recent: [...recent.slice(0, -1), `${one.id}#7`] },
        }
      },
      /wrong result|lost update/,
    ],
    [
      'a read of half a value',
      (history, chance) => {
        const { version, recent } = chance.pick(acknowledged(history)).value as Versioned
        history.calls.push(call('half', [0, 30_000], 'get', 'ok', { version, recent: recent.slice(1) }))
      },
      /half saw version/,
    ],
  ]

  test.each(defects)('finds %s', (name, plant, found) => {
    const chance = new Chance(name)
    for (let round = 0; round < 50; round++) {
      const history = trueHistory(chance, 60)
      plant(history, chance)
      expect(checkHistory(history.calls, history.end).join('\n')).toMatch(found)
    }
  })

  test('checks 100,000 calls, and says how long it took', () => {
    const chance = new Chance('long histories')
    const took = [10_000, 100_000].map((size) => {
      const { calls, end } = trueHistory(chance, size)
      const begun = performance.now()
      expect(checkHistory(calls, end)).toEqual([])
      return performance.now() - begun
    })
    report(`checked 10,000 calls in ${took[0]?.toFixed(0)} ms, 100,000 in ${took[1]?.toFixed(0)} ms`)
  })
})

interface History {
  readonly calls: Call[]
  /** Of every write that took effect, in order. */
  readonly tags: string[]
  end: Versioned
}

/** Calls on a value that changes at one moment within each of them: true by construction. */
function trueHistory(chance: Chance, size: number): History {
  const history: History = { calls: [], tags: [], end: nothingWritten }
  for (let index = 0; index < size; index++) {
    const moment = 10 * index
    const times: [number, number] = [moment - chance.next() * 30, moment + chance.next() * 30]
    const id = `c${index}`
    const kind = chance.next() < 0.3 ? 'get' : 'update'
    const outcome = index < 3 || chance.next() < 0.8 ? 'ok' : chance.pick(['failed', 'unknown'] as const)
    if (kind === 'update' && (outcome === 'ok' || (outcome === 'unknown' && chance.next() < 0.5))) append(history, `${id}#1`)
    history.calls.push(call(id, times, kind, outcome, outcome === 'ok' ? history.end : undefined))
  }
  return history
}

function append(history: History, tag: string): void {
  history.end = written(history.end, tag)
  history.tags.push(tag)
}

function call(
  id: string,
  [began, ended]: [number, number],
  kind: Call['kind'],
  outcome: Call['outcome'],
  value?: Versioned,
): Call {
  return { id, kind, began, ended, outcome, value }
}

function acknowledged({ calls }: History): Call[] {
  return calls.filter(({ kind, outcome }) => kind === 'update' && outcome === 'ok')
}

function valueSeen(history: History, chance: Chance): Versioned {
  return chance.pick(acknowledged(history)).value as Versioned
}
