import { describe, expect, test } from 'vitest'
import { runSeed, scaled } from '../support/scale.js'
import { describeFailure, playHistories, playHistory } from './scenario.js'
import { scenarios } from './scenarios/index.js'

console.log(`simulation: repeat with FIELDWISE_SEED=${runSeed}`)

/** A fiftieth of the full size at size 1. */
const histories = scaled(2_000)

describe('the protocol holds on a simulated memcached, network and clock', () => {
  test.each(scenarios)(`in ${histories} histories of $name`, { timeout: 120_000 }, async (scenario) => {
    const { failures } = await playHistories(scenario, runSeed, 0, histories, 3)
    expect(failures.map(describeFailure).join('\n')).toBe('')
  })
})

test('a seed gives the same history each time it is played', async () => {
  for (const scenario of scenarios) {
    const [first, second]: [string[], string[]] = [[], []]
    await playHistory(scenario, 12_345, (line) => first.push(line))
    await playHistory(scenario, 12_345, (line) => second.push(line))
    expect(first.length).toBeGreaterThan(10)
    expect(second).toEqual(first)
  }
})
