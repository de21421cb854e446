import * as z from 'zod'
import type { Shared } from '../../../packages/fieldwise/src/lib/shared/create-shared.js'
import { ticket } from '../../../packages/fieldwise/src/lib/shared/kinds.js'
import { checkDeadlines, checkField, tagOf } from '../checker.js'
import type { History, Operation } from '../history.js'
import type { Scenario } from '../scenario.js'
import { defaultDeadlines } from '../visitor.js'
import type { Host } from '../world.js'
import { beginShared, callAll } from './shared-scene.js'

/** A ticket is put and taken, by many at once: each is taken once at most, and none but by eviction or its end is gone untaken. */
export const sharedTickets: Scenario = {
  name: 'shared-tickets',
  async play(world, history) {
    const { random } = world
    const isShort = random.chance(0.2)
    const expires = isShort ? 1_500 : 3_600_000
    const kinds = { list: ticket(z.array(z.string()), { expires: `${expires}ms` }) }
    const scene = beginShared(world, history, kinds, [3, 30, 300, 3_000])
    await callAll(world, scene, (host, shared) => (random.chance(0.3) ? put(history, host, shared) : take(history, host, shared)))
    const late = checkDeadlines(history.operations, defaultDeadlines)
    if (!isShort) return [...late, ...checkField(history.operations.map(asField), scene.endings)]
    return [...late, ...checkTakers(history.operations), ...checkExpiry(history.operations, expires)]
  },
}

type Tickets = Shared<{ readonly list: ReturnType<typeof ticket<z.ZodArray<z.ZodString>>> }>

function put(history: History, host: Host, { list }: Tickets): Promise<Operation> {
  return history.record(host, 'put', 'a', (id) => list.put('one', [tagOf(id, 1)]).then(() => tagOf(id, 1)))
}

function take(history: History, host: Host, { list }: Tickets): Promise<Operation> {
  return history.record(host, 'take', 'a', () => list.take('one'))
}

/** To put a ticket is to set a field. */
function asField(operation: Operation): Operation {
  return operation.kind === 'put' ? { ...operation, kind: 'set' } : operation
}

function takersOf(operations: readonly Operation[]): Operation[] {
  return operations.filter(({ kind, outcome, value }) => kind === 'take' && outcome === 'ok' && value !== undefined)
}

function checkTakers(operations: readonly Operation[]): string[] {
  const taken = takersOf(operations).map(({ value }) => String(value))
  return taken.filter((tag, index) => taken.indexOf(tag) !== index).map((tag) => `taken twice: ${tag}`)
}

/** Two processes may see its end a second apart, and an answer may be as old as the call. */
function checkExpiry(operations: readonly Operation[], expires: number): string[] {
  return takersOf(operations).flatMap((take) => {
    const put = operations.find(({ id }) => id === Number.parseInt(String(take.value), 10))
    if (put === undefined) return [`foreign value: ${String(take.value)}, which nobody put`]
    const latest = put.endedAt + expires + 1_000
    return take.beganAt > latest ? [`expired: #${take.id} took ${String(take.value)} after its end`] : []
  })
}
