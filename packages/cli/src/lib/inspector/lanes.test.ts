import { expect, test } from 'vitest'
import { writeEvent } from '../../testing/events.js'
import { Lanes, mostNames, otherFields } from './lanes.js'

const start = 1_700_000_000_000

test('puts the writes of a field in one second together', () => {
  const lanes = new Lanes(10)
  lanes.add(start, writeEvent({ field: 'cart', combined: 3 }))
  lanes.add(start + 400, writeEvent({ field: 'cart', deleted: true, bytes: 0 }))
  lanes.add(start + 500, writeEvent({ field: 'visits' }))
  lanes.add(start + 1_000, writeEvent({ field: 'visits' }))
  expect(lanes.after(Number.NEGATIVE_INFINITY, start + 1_200)).toEqual([
    { at: start, field: 'cart', writes: 2, deleted: 1, combined: 2 },
    { at: start, field: 'visits', writes: 1, deleted: 0, combined: 0 },
  ])
  expect(lanes.after(start, start + 2_000)).toMatchObject([{ at: start + 1_000, field: 'visits' }])
})

test('forgets what is older than it is long', () => {
  const lanes = new Lanes(3)
  for (let second = 0; second < 6; second++) lanes.add(start + second * 1_000, writeEvent())
  expect(lanes.after(Number.NEGATIVE_INFINITY, start + 6_000).map(({ at }) => at - start)).toEqual([4_000, 5_000])
})

test('a schema without end of names has as many lanes as any other', () => {
  const lanes = new Lanes(10)
  for (let name = 0; name < 1_000; name++) lanes.add(start, writeEvent({ field: `field${name}` }))
  const told = lanes.after(Number.NEGATIVE_INFINITY, start + 1_000)
  expect(told).toHaveLength(mostNames + 1)
  expect(told.at(-1)).toMatchObject({ field: otherFields, writes: 1_000 - mostNames })
})
