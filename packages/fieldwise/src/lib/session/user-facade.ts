import { BadArgumentError } from '../api/errors.js'
import type { OperationName } from '../api/events.js'
import type { OperationOptions } from '../api/session.js'
import type { EndedSessions, EndOptions, ListedSession, ListOptions, UserSessions } from '../api/user.js'
import { readDeadline, writeDeadline } from '../engine/context.js'
import type { Engine } from '../engine/engine.js'
import { headerLife } from '../engine/lifetime.js'
import { Operation } from '../engine/operation.js'
import type { Listed } from '../engine/user-lists.js'
import { SessionFacade } from './session-facade.js'
import { boundTo, endSessions, livingSessions } from './user-sessions.js'

/** The implementation of `UserSessions`. */
export class UserFacade implements UserSessions {
  readonly #engine: Engine
  readonly #user: string

  constructor(engine: Engine, user: string) {
    this.#engine = engine
    this.#user = user
  }

  list(options: ListOptions = {}): Promise<readonly ListedSession[]> {
    const operation = this.#operation<readonly ListedSession[]>('user.list', this.list)
    return operation.runAsync(options, async () => {
      const current = options.current?.id
      const living = await livingSessions(this.#engine, this.#user, readDeadline(this.#engine, operation.started))
      return living.map((session) => listedSession(session, current))
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
      const { except } = options
      if (except === undefined) return { ended: await endSessions(this.#engine, this.#user, undefined, deadline) }
      if (!(except instanceof SessionFacade)) throw new BadArgumentError('user.end: except is a session of createSessions')
      const kept = boundTo(this.#engine, this.#user, await except.boundUser(deadline))
      return { ended: await endSessions(this.#engine, this.#user, kept, deadline) }
    })
  }

  #operation<T>(name: OperationName, entry: (options?: never) => Promise<T>): Operation<T> {
    return new Operation<T>(this.#engine, { name, entry }, [], nobody)
  }
}

function listedSession({ sid, entry, header, ttl, serverTime }: Listed, current: string | undefined): ListedSession {
  if (header === undefined) throw new Error('a session without a header is not listed')
  const life = ttl ?? headerLife(header, serverTime)
  return {
    id: sid,
    createdAt: new Date(header.created),
    boundAt: new Date(entry.created),
    expiresAt: new Date(Math.min(header.deadline, serverTime + life)),
    isCurrent: sid === current,
  }
}

const nobody = { sid: undefined }
