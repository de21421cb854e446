import { describe, expect, test } from 'vitest'
import { Edit } from './edit.js'
import { Lane, Lanes } from './write-queues.js'

const edit = () => new Edit('visits', 0, true, () => '1')

describe('a lane', () => {
  test('is busy until nothing waits, and idle from that very step on', () => {
    const lane = new Lane('sid', 'sid:visits')
    lane.isBusy = true
    lane.waiting.push(edit())
    expect([lane.rest(), lane.isBusy]).toEqual([false, true])
    lane.waiting.length = 0
    expect([lane.rest(), lane.isBusy]).toEqual([true, false])
  })
})

describe('lanes', () => {
  const fill = (lanes: Lanes, count: number, isBusy: boolean) => {
    for (let index = 0; index < count; index++) lanes.of('sid', `${isBusy} ${index}`).isBusy = isBusy
  }

  test('are the same for the same field, as long as some thousand are in use', () => {
    const lanes = new Lanes()
    const lane = lanes.of('sid', 'sid:visits')
    expect([lane.sid, lane.key]).toEqual(['sid', 'sid:visits'])
    fill(lanes, 2_047, false)
    expect(lanes.of('sid', 'sid:visits')).toBe(lane)
    expect(lanes.of('sid', 'sid:note')).not.toBe(lane)
  })

  test('that are idle are forgotten after some thousand others, so that memory has a bound', () => {
    const lanes = new Lanes()
    const lane = lanes.of('sid', 'sid:visits')
    fill(lanes, 2_048, false)
    const next = lanes.of('sid', 'sid:visits')
    expect(next).not.toBe(lane)
    fill(lanes, 1_000, false)
    expect(lanes.of('sid', 'sid:visits')).toBe(next)
  })

  test('that are busy are kept, however many others there are', () => {
    const lanes = new Lanes()
    const lane = lanes.of('sid', 'sid:visits')
    lane.isBusy = true
    fill(lanes, 5_000, true)
    fill(lanes, 30_000, false)
    expect(lanes.of('sid', 'sid:visits')).toBe(lane)
  })
})
