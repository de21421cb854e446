import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { isFieldwiseError } from '../../packages/fieldwise/src/lib/api/errors.js'
import type { SessionOf } from '../../packages/fieldwise/src/lib/api/sessions.js'
import { everyChoice } from '../support/interleavings.js'
import { count, measured } from '../support/promise.js'
import { scaled } from '../support/scale.js'
import type { Process } from '../support/world.js'
import { play, scene, withFaults } from './scene.js'

const schema = z.object({ list: z.array(z.string()).default([]), username: z.string() })
type Session = SessionOf<Process<typeof schema>['sessions']>

interface Plot {
  readonly what: string
  /** How many processes append to the list at once. */
  readonly writers: number
  /** The list was never stored before. */
  readonly isFirst: boolean
  /** How many flights go wrong. */
  readonly faults: number
}

const plots: readonly Plot[] = [
  { what: '2 updates, a fault', writers: 2, isFirst: false, faults: 1 },
  { what: '2 first writes, a fault', writers: 2, isFirst: true, faults: 1 },
  { what: '3 updates', writers: 3, isFirst: false, faults: 0 },
  { what: 'one update, two faults', writers: 1, isFirst: false, faults: 2 },
  { what: 'one first write, two faults', writers: 1, isFirst: true, faults: 2 },
]
const largePlots: readonly Plot[] = [
  { what: '2 updates, two faults', writers: 2, isFirst: false, faults: 2 },
  { what: '3 updates, a fault', writers: 3, isFirst: false, faults: 1 },
  { what: 'one first write, three faults', writers: 1, isFirst: true, faults: 3 },
]

describe('an update is applied exactly once, or says so', () => {
  test.for(scaled(1) > 1 ? [...plots, ...largePlots] : plots)('in every order of $what', async (plot, context) => {
    const told = { ok: 0, failed: 0, unknown: 0 }
    const plays = await everyChoice(async (choose) => {
      const stage = scene(schema, plot.writers)
      const made = await stage.here.sessions.create(plot.isFirst ? { username: 'ada' } : { list: ['start'] })
      const writers = await Promise.all(stage.others.map(({ sessions }) => sessions.open(made.token)))
      const all = await play(stage, withFaults(choose, plot.faults), () =>
        writers.map((writer, index) => append(writer as Session, `writer${index}`)),
      )
      for (const { outcome } of all) told[outcome]++
      const list = await made.get('list')
      // Where an item was stored and never listed, the next writer builds on it.
      const after = await made.update('list', (before) => [...before, 'end'])
      for (const one of all) {
        check(one, list)
        check(one, after)
      }
      if (!plot.isFirst && after[0] !== 'start') throw new Error('what was there before is lost')
    })
    measured(
      context,
      `${count(plays)} orders`,
      `0 lost, 0 twice; ${told.ok} applied, ${told.failed} failed, ${told.unknown} unknown`,
    )
    expect(told.ok).toBeGreaterThan(0)
  })
})

interface Told {
  readonly name: string
  readonly outcome: 'ok' | 'failed' | 'unknown'
  readonly result: readonly string[]
}

/** Appends to the list; each run of the function appends something else. */
async function append(session: Session, name: string): Promise<Told> {
  let run = 0
  try {
    const result = await session.update('list', (list) => [...list, `${name} run ${++run}`])
    return { name, outcome: 'ok', result }
  } catch (error) {
    if (isFieldwiseError(error, 'OUTCOME_UNKNOWN')) return { name, outcome: 'unknown', result: [] }
    if (isFieldwiseError(error, 'STORE_UNAVAILABLE') || isFieldwiseError(error, 'UPDATE_CONFLICT')) {
      return { name, outcome: 'failed', result: [] }
    }
    throw error
  }
}

function check({ name, outcome, result }: Told, list: readonly string[]): void {
  const applied = list.filter((entry) => entry.startsWith(name))
  if (applied.length > 1) throw new Error(`${name} was applied twice: ${list}`)
  if (outcome === 'failed' && applied.length > 0) throw new Error(`${name} failed, and is there: ${list}`)
  if (outcome !== 'ok') return
  if (applied.length === 0) throw new Error(`${name} was acknowledged, and is lost: ${list}`)
  if (!result.every((entry, index) => list[index] === entry)) throw new Error(`${name} was told ${result}, stored is ${list}`)
}
