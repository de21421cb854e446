import { expect, test } from 'vitest'
import { protocols } from '../faults/stage.js'
import { count, measured } from '../support/promise.js'
import { runSeed, scaled } from '../support/scale.js'
import { Pool } from './clients.js'
import { describeFailure, type Played, playScenario } from './scenario.js'

/** The suite plays one scenario on each wire, `npm run torture` a hundred. */
const scenarios = scaled(1) ** 2

test.concurrent.for(protocols)(
  'sessions stay linearizable while clients and servers stop, restart, evict, and get packets late (%s)',
  { timeout: 180_000 * Math.max(1, scenarios) },
  async (protocol, context) => {
    await using pool = new Pool(4)
    const played: Played[] = []
    for (let index = 0; index < scenarios; index++) played.push(await playScenario({ protocol, seed: runSeed + index }, pool))
    const failures = played.map(describeFailure).filter((failure) => failure !== '')
    for (const failure of failures) console.error(failure)
    measured(context, sizeOf(played), figuresOf(played))
    expect(failures).toEqual([])
  },
)

test.concurrent('a client that drops the versions of what it replaces is noticed', { timeout: 300_000 }, async () => {
  await using pool = new Pool(4)
  const { violations } = await playScenario({ protocol: 'binary', seed: runSeed, isForgetful: true }, pool)
  expect(violations.flatMap(({ found }) => found).join('\n')).toMatch(/not linearizable/)
})

function sizeOf(played: readonly Played[]): string {
  const { histories, calls } = totalOf(played.map(({ tally }) => tally))
  return `${count(played.length)} scenarios, ${count(histories)} histories, ${count(calls)} calls`
}

function figuresOf(played: readonly Played[]): string {
  const { unknown, lost } = totalOf(played.map(({ tally }) => tally))
  const { coldRestarts, warmRestarts, pauses, kills, cuts, evicted } = totalOf(played.map(({ deeds }) => deeds))
  const { faults, violations } = totalOf(played.map((one) => ({ faults: one.faults, violations: one.violations.length })))
  return [
    `${count(violations)} violations`,
    `${count(coldRestarts)} cold and ${count(warmRestarts)} warm restarts`,
    `${count(pauses)} pauses`,
    `${count(kills)} kills`,
    `${count(cuts)} cuts`,
    `${count(evicted)} evictions (${count(lost)} sessions ended by one)`,
    `${count(faults)} network faults`,
    `${count(unknown)} unknown outcomes`,
  ].join(', ')
}

function totalOf<K extends string>(figures: readonly { readonly [key in K]: number }[]): { readonly [key in K]: number } {
  const total = { ...figures[0] } as { [key in K]: number }
  for (const each of figures.slice(1)) for (const key in each) total[key] += each[key]
  return total
}
