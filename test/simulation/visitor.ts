import * as z from 'zod'
import { createSessionsOn } from '../../packages/fieldwise/src/lib/session/sessions.js'
import type { UsersOptions } from '../../packages/fieldwise/src/lib/session/settings.js'
import { type Deadlines, type Tag, tagOf } from './checker.js'
import { type History, type Operation, Refused } from './history.js'
import type { Host } from './world.js'

const tags = z.array(z.string())

/** The fields that histories write: lists of tags, so that each value tells which writes made it. And one number. */
const schema = z.object({ a: tags, b: tags, c: tags, d: tags, e: tags, f: tags, visits: z.int().default(0) })

export type ListField = 'a' | 'b' | 'c' | 'd' | 'e' | 'f'
export const listFields: readonly ListField[] = ['a', 'b', 'c', 'd', 'e', 'f']

export interface SystemOptions {
  readonly idle?: number
  readonly absolute?: number
  readonly retry?: number
  readonly lost?: 'end' | 'absent'
  readonly users?: UsersOptions | undefined
}

/** By when calls settle, as long as the options say nothing else. */
export const defaultDeadlines: Deadlines = { read: 500, write: 2_000 }

/** The real sessions on a simulated process. */
export function sessionsOn(host: Host, options: SystemOptions = {}) {
  const { idle = 1_800_000, absolute = 43_200_000, retry = 2_000, lost = 'end', users } = options
  return createSessionsOn(host.runtime, {
    schema,
    store: host.store,
    lifetime: { idle: `${idle}ms`, absolute: `${absolute}ms` },
    retry: { deadline: `${retry}ms` },
    lost,
    users,
    clock: host.clock,
  })
}

export type SimulatedSessions = ReturnType<typeof sessionsOn>
export type SimulatedSession = ReturnType<SimulatedSessions['resume']>

/** One request's use of a session, every call of it recorded. */
export class Visitor {
  readonly session: SimulatedSession
  readonly #host: Host
  readonly #history: History
  readonly #home: string | undefined

  /** With `home`, a call that succeeds on any session but that one is a surprise: it was sent elsewhere, or began anew. */
  constructor(host: Host, history: History, session: SimulatedSession, home?: string) {
    this.#host = host
    this.#history = history
    this.session = session
    this.#home = home
  }

  get(field: ListField): Promise<Operation> {
    return this.#record('get', field, () => this.session.get(field))
  }

  has(field: ListField): Promise<Operation> {
    return this.#record('has', field, () => this.session.has(field))
  }

  /** Stores a list of one tag; the operation's value is that tag. */
  set(field: ListField): Promise<Operation> {
    return this.#record('set', field, async (id) => {
      await this.session.set(field, [tagOf(id, 1)])
      return tagOf(id, 1)
    })
  }

  /** Appends a tag that says which run of the function it was. */
  update(field: ListField): Promise<Operation> {
    return this.#record('update', field, (id) => {
      let run = 0
      return this.session.update(field, (list: Tag[] | undefined) => [...(list ?? []), tagOf(id, ++run)])
    })
  }

  /** The same, by changing the list in place. */
  push(field: ListField): Promise<Operation> {
    return this.#record('update', field, (id) => {
      let run = 0
      return this.session.update(field, (list: Tag[] | undefined) => {
        if (list === undefined) return [tagOf(id, ++run)]
        list.push(tagOf(id, ++run))
      })
    })
  }

  /** An update whose function changes the value and then throws. */
  refuse(field: ListField): Promise<Operation> {
    return this.#record('update', field, (id) =>
      this.session.update(field, (list: Tag[] | undefined) => {
        list?.push(tagOf(id, 1))
        throw new Refused()
      }),
    )
  }

  /** An update to something that does not fit the schema. */
  spoil(field: ListField): Promise<Operation> {
    return this.#record('update', field, (id) =>
      this.session.update(field, (list: Tag[] | undefined) => [...(list ?? []), tagOf(id, 1), 7 as unknown as Tag]),
    )
  }

  take(field: ListField): Promise<Operation> {
    return this.#record('take', field, () => this.session.take(field))
  }

  delete(field: ListField): Promise<Operation> {
    return this.#record('delete', field, () => this.session.delete(field))
  }

  increment(): Promise<Operation> {
    return this.#record('increment', 'visits', () => this.session.increment('visits'))
  }

  count(): Promise<Operation> {
    return this.#record('get', 'visits', () => this.session.get('visits'))
  }

  getAll(): Promise<Operation> {
    return this.#record('getAll', '*', () => this.session.getAll())
  }

  regenerate(options: Parameters<SimulatedSession['regenerate']>[0] = {}): Promise<Operation> {
    return this.#record('regenerate', '*', () => this.session.regenerate(options))
  }

  destroy(): Promise<Operation> {
    return this.#record('destroy', '*', () => this.session.destroy())
  }

  async #record(kind: Operation['kind'], field: string, call: (id: number) => Promise<unknown>): Promise<Operation> {
    const operation = await this.#history.record(this.#host, kind, field, call)
    operation.session = this.session.id
    if (operation.outcome === 'ok' && this.#home !== undefined && operation.session !== this.#home) {
      this.#history.surprises.push(`lost session: #${operation.id} ${kind} ${field} succeeded as '${this.session.state}'`)
    }
    return operation
  }
}
