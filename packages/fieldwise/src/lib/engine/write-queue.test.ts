import { describe, expect, test } from 'vitest'
import { systemEnvironment } from '../environment/environment.js'
import { Edit, type Writing } from './edit.js'
import { WriteQueue, WriteQueues } from './write-queue.js'

const edit = () => new Edit({ field: 'visits', isBlind: true, apply: () => '1' }, {} as Writing)

type Queues = WriteQueues<Edit, object>

function queuesOf(): Queues {
  return new WriteQueues(
    systemEnvironment,
    async () => {},
    () => new Error('late'),
  )
}

describe('a queue', () => {
  test('is busy until nothing waits, and idle from that very step on', () => {
    const queue = new WriteQueue<Edit, object>('sid', 'sid:visits')
    queue.isBusy = true
    queue.waiting.push(edit())
    expect([queue.rest(), queue.isBusy]).toEqual([false, true])
    queue.waiting.length = 0
    expect([queue.rest(), queue.isBusy]).toEqual([true, false])
  })
})

describe('queues', () => {
  const fill = (queues: Queues, count: number, isBusy: boolean) => {
    for (let index = 0; index < count; index++) queues.of('sid', `${isBusy} ${index}`).isBusy = isBusy
  }

  test('are the same for the same field, as long as some thousand are in use', () => {
    const queues = queuesOf()
    const queue = queues.of('sid', 'sid:visits')
    expect([queue.sid, queue.key]).toEqual(['sid', 'sid:visits'])
    fill(queues, 2_047, false)
    expect(queues.of('sid', 'sid:visits')).toBe(queue)
    expect(queues.of('sid', 'sid:note')).not.toBe(queue)
  })

  test('that are idle are forgotten after some thousand others, so that memory has a bound', () => {
    const queues = queuesOf()
    const queue = queues.of('sid', 'sid:visits')
    fill(queues, 2_048, false)
    const next = queues.of('sid', 'sid:visits')
    expect(next).not.toBe(queue)
    fill(queues, 1_000, false)
    expect(queues.of('sid', 'sid:visits')).toBe(next)
  })

  test('that are busy are kept, however many others there are', () => {
    const queues = queuesOf()
    const queue = queues.of('sid', 'sid:visits')
    queue.isBusy = true
    fill(queues, 5_000, true)
    fill(queues, 30_000, false)
    expect(queues.of('sid', 'sid:visits')).toBe(queue)
  })
})
