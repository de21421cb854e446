import { describe, expect, test } from 'vitest'
import * as z from 'zod'
import { isFieldwiseError } from '../../packages/fieldwise/src/lib/api/errors.js'
import type { SessionOf } from '../../packages/fieldwise/src/lib/api/sessions.js'
import { everyChoice } from '../support/interleavings.js'
import { count, measured } from '../support/promise.js'
import { scaled } from '../support/scale.js'
import type { Process } from '../support/world.js'
import { play, scene, withFaults } from './scene.js'

const schema = z.object({ flash: z.string(), username: z.string() })
type Session = SessionOf<Process<typeof schema>['sessions']>

interface Plot {
  readonly what: string
  readonly takers: number
  readonly inOneProcess: boolean
  /** How many flights go wrong. */
  readonly faults: number
}

const plots: readonly Plot[] = [
  { what: '2 takers in 2 processes, a fault', takers: 2, inOneProcess: false, faults: 1 },
  { what: '2 takers in one process, a fault', takers: 2, inOneProcess: true, faults: 1 },
  { what: '3 takers in 3 processes', takers: 3, inOneProcess: false, faults: 0 },
]
const largePlots: readonly Plot[] = [
  { what: '2 takers in 2 processes, two faults', takers: 2, inOneProcess: false, faults: 2 },
  { what: '3 takers in 3 processes, a fault', takers: 3, inOneProcess: false, faults: 1 },
]

describe('take gives a value to exactly one', () => {
  test.for(scaled(1) > 1 ? [...plots, ...largePlots] : plots)('in every order of $what', async (plot, context) => {
    const told = { taken: 0, nobody: 0 }
    const plays = await everyChoice(async (choose) => {
      const stage = scene(schema, plot.takers, plot.inOneProcess)
      const made = await stage.here.sessions.create({ flash: 'saved' })
      const takers = await Promise.all(stage.others.map(({ sessions }) => sessions.open(made.token)))
      const all = await play(stage, withFaults(choose, plot.faults), () => takers.map((taker) => outcomeOf(taker as Session)))
      const got = all.filter((outcome) => outcome === 'saved').length
      const isLeft = await stage.here.sessions.resume(made.token).has('flash')
      if (got > 1) throw new Error('two takers got it')
      if (got === 1 && isLeft) throw new Error('it was taken and is still there')
      // Nobody got it: then it is still there, or it cannot be told who took it.
      if (got === 0 && !isLeft && !all.includes('unknown')) throw new Error('it is gone, and nobody got it')
      if (plot.faults === 0 && got !== 1) throw new Error('nobody got it')
      told[got === 1 ? 'taken' : 'nobody']++
    })
    measured(
      context,
      `${count(plays)} orders`,
      `taken once in ${count(told.taken)}, twice in 0, unknown or left in ${count(told.nobody)}`,
    )
    expect(told.taken).toBeGreaterThan(0)
  })
})

/** What a taker was told: the value, nothing, that it failed or that it cannot be known. */
async function outcomeOf(session: Session): Promise<string> {
  try {
    return (await session.take('flash')) ?? 'nothing'
  } catch (error) {
    if (isFieldwiseError(error, 'OUTCOME_UNKNOWN')) return 'unknown'
    if (isFieldwiseError(error, 'STORE_UNAVAILABLE')) return 'failed'
    throw error
  }
}
