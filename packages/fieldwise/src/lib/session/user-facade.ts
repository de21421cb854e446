import { BadArgumentError } from '../api/errors.js'
import type { OperationName } from '../api/events.js'
import type { OperationOptions } from '../api/session.js'
import type { EndedSessions, EndOptions, ListedSession, ListOptions, UserSessions } from '../api/user.js'
import { jsonIn } from '../engine/contents.js'
import { type Deadline, readDeadline, writeDeadline } from '../engine/context.js'
import type { Engine } from '../engine/engine.js'
import { headerLife } from '../engine/lifetime.js'
import { Operation } from '../engine/operation.js'
import type { Listed } from '../engine/user-lists.js'
import type { BoundUser } from '../format/header.js'
import { collect } from '../schema/field-values.js'
import type { CompiledField } from '../schema/schema.js'
import { SessionFacade } from './session-facade.js'
import { boundTo, endSessions, livingSessions, readListed } from './user-sessions.js'

/** The implementation of `UserSessions`. */
export class UserFacade implements UserSessions<Record<string, unknown>> {
  readonly #engine: Engine
  readonly #user: string

  constructor(engine: Engine, user: string) {
    this.#engine = engine
    this.#user = user
  }

  list<K extends string = never>(options: ListOptions<K> = {}): Promise<readonly ListedSession<Record<K, unknown>>[]> {
    const preload = options?.preload ?? []
    const operation = this.#operation<readonly ListedSession<Record<K, unknown>>[]>('user.list', this.list, preload)
    return operation.runAsync(options, async () => {
      if (!Array.isArray(preload)) throw new BadArgumentError("preload takes an array of names: { preload: ['device'] }")
      const fields = preload.map((name) => this.#engine.schema.field(name))
      const current = options.current?.id
      const deadline = readDeadline(this.#engine, operation.started)
      const living = await livingSessions(this.#engine, this.#user, deadline)
      const values = await Promise.all(living.map(({ sid }) => this.#valuesOf<K>(sid, fields, deadline)))
      return living.flatMap((session, index) => {
        const its = values[index]
        return its === undefined ? [] : [listedSession(session, its, current)]
      })
    })
  }

  count(options?: OperationOptions): Promise<number> {
    const operation = this.#operation<number>('user.count', this.count)
    return operation.runAsync(options, async () => {
      return (await livingSessions(this.#engine, this.#user, readDeadline(this.#engine, operation.started))).length
    })
  }

  end(options: EndOptions = {}): Promise<EndedSessions> {
    const operation = this.#operation<EndedSessions>('user.end', this.end)
    return operation.runAsync(options, async () => {
      const deadline = writeDeadline(this.#engine, operation.started)
      const kept = options.except === undefined ? undefined : await this.#spared(options.except, deadline)
      return { ended: await endSessions(this.#engine, this.#user, kept, deadline) }
    })
  }

  async #spared(session: object, deadline: Deadline): Promise<BoundUser> {
    if (!(session instanceof SessionFacade)) throw new BadArgumentError('user.end: except is a session of createSessions')
    if (!session.isBeside(this.#engine)) {
      throw new BadArgumentError('user.end: except is a session of another store or prefix, where this user has other sessions')
    }
    return boundTo(this.#engine, this.#user, await session.boundUser(deadline))
  }

  #operation<T>(name: OperationName, entry: (options?: never) => Promise<T>, fields: readonly string[] = []): Operation<T> {
    return new Operation<T>(this.#engine, { name, entry }, fields, nobody)
  }

  /** Undefined where the session has ended since it was seen. */
  async #valuesOf<K extends string>(
    sid: string,
    fields: readonly CompiledField[],
    deadline: Deadline,
  ): Promise<Record<K, unknown> | undefined> {
    if (fields.length === 0) return collect([], nothing)
    const names = fields.map(({ name }) => name)
    const snapshot = await readListed(this.#engine, sid, names, deadline)
    return snapshot && collect(fields, (name) => jsonIn(this.#engine, snapshot, name))
  }
}

function listedSession<V extends object>(
  { sid, entry, header, ttl, serverTime }: Listed,
  values: V,
  current: string | undefined,
): ListedSession<V> {
  if (header === undefined) throw new Error('a session without a header is not listed')
  const life = ttl ?? headerLife(header, serverTime)
  return {
    id: sid,
    createdAt: new Date(header.created),
    boundAt: new Date(entry.created),
    expiresAt: new Date(Math.min(header.deadline, serverTime + life)),
    isCurrent: sid === current,
    values,
  }
}

const nobody = { sid: undefined }

const nothing = (): undefined => undefined
