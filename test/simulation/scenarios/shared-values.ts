import * as z from 'zod'
import type { Shared } from '../../../packages/fieldwise/src/lib/shared/create-shared.js'
import { value } from '../../../packages/fieldwise/src/lib/shared/kinds.js'
import { checkDeadlines, checkField, type Tag, tagOf } from '../checker.js'
import { type History, type Operation, Refused } from '../history.js'
import type { Scenario } from '../scenario.js'
import { defaultDeadlines } from '../visitor.js'
import type { Host, World } from '../world.js'
import { beginShared, callAll, sharedOn } from './shared-scene.js'

const kinds = { list: value(z.array(z.string())) }

/** Everything that can be done with one shared value. */
export const sharedValues: Scenario = {
  name: 'shared-values',
  async play(world, history) {
    const scene = beginShared(world, history, kinds, [3, 30, 300, 3_000])
    await callAll(world, scene, (host, shared) => callOne(world, history, host, shared))
    const last = world.host()
    await callGet(history, last, sharedOn(last, kinds))
    return [...checkField(history.operations, scene.endings), ...checkDeadlines(history.operations, defaultDeadlines)]
  },
}

function callOne(world: World, history: History, host: Host, { list }: Shared<typeof kinds>): Promise<Operation> {
  const call = world.random.weighted({ get: 4, set: 2, update: 4, refuse: 0.3, take: 1.5, delete: 1 })
  switch (call) {
    case 'get':
      return history.record(host, 'get', 'a', () => list.get('one'))
    case 'set':
      return history.record(host, 'set', 'a', (id) => list.set('one', [tagOf(id, 1)]).then(() => tagOf(id, 1)))
    case 'update':
      return history.record(host, 'update', 'a', (id) => {
        let run = 0
        return list.update('one', (tags: Tag[] | undefined) => [...(tags ?? []), tagOf(id, ++run)])
      })
    case 'refuse':
      return history.record(host, 'update', 'a', () =>
        list.update('one', (): Tag[] => {
          throw new Refused()
        }),
      )
    case 'take':
      return history.record(host, 'take', 'a', () => list.take('one'))
    default:
      return history.record(host, 'delete', 'a', () => list.delete('one'))
  }
}

function callGet(history: History, host: Host, { list }: Shared<typeof kinds>): Promise<Operation> {
  return history.record(host, 'get', 'a', () => list.get('one'))
}
