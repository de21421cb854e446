import { BadArgumentError, ClosedError, isFieldwiseError } from '../api/errors.js'
import type { OperationName } from '../api/events.js'
import type { CreateOptions, OperationOptions } from '../api/session.js'
import type { CheckOptions, OpenOptions, Sessions } from '../api/sessions.js'
import { fromCaller } from '../api/stack.js'
import type { SessionsStats } from '../api/stats.js'
import type { TokenSink } from '../api/token-sink.js'
import type { UserSessions } from '../api/user.js'
import { leastOf } from '../engine/common-options.js'
import { readDeadline, writeDeadline } from '../engine/context.js'
import type { Engine } from '../engine/engine.js'
import { Operation, type Subject } from '../engine/operation.js'
import { formatToken, isSid, parseToken, type Token } from '../format/token.js'
import { entriesOf } from '../schema/field-values.js'
import { isHomeUp, tokenOfId } from './external-id.js'
import { RequestSession } from './request-session.js'
import { SessionFacade } from './session-facade.js'
import { checkedUser, parseTerms } from './settings.js'
import type { Terms } from './terms.js'
import { UserFacade } from './user-facade.js'

type UntypedFields = Record<string, unknown>

/** Known to every copy of this package in one program: the copy that gets an object of another one calls that object's own methods. */
const brand = Symbol.for('fieldwise.sessions')

/** The implementation of `Sessions`. */
export class SessionsFacade implements Sessions<UntypedFields> {
  readonly #engine: Engine

  constructor(engine: Engine) {
    this.#engine = engine
  }

  get [brand](): true {
    return true
  }

  create(values: UntypedFields = {}, options: CreateOptions = {}): Promise<StoredFacade> {
    const session = new RequestSession(this.#engine, [])
    const operation = this.#operation<StoredFacade>('create', [], session)
    return operation.runAsync(options, async () => {
      const terms = parseTerms(options)
      await session.create(this.#encodeAll(values), terms, deadlineOf(terms)(this.#engine, operation.started))
      return this.#stored(session)
    })
  }

  open(text: string, options: OpenOptions<UntypedFields> = {}): Promise<StoredFacade | null> {
    const preload = options?.preload ?? []
    const session = new RequestSession(this.#engine, tokensOf([text]))
    const operation = this.#operation<StoredFacade | null>('open', preload, session)
    return operation.runAsync(options, async () => {
      if (!Array.isArray(preload)) throw new BadArgumentError("preload takes an array of names: { preload: ['username'] }")
      // A copy, since the caller may change the array while the call is under way.
      const ahead = preload.map((field) => this.#engine.schema.field(field).name)
      try {
        const snapshot = await session.reads.snapshot(ahead, readDeadline(this.#engine, operation.started))
        return snapshot ? this.#stored(session).preload(ahead, snapshot) : null
      } catch (error) {
        if (isFieldwiseError(error, 'SESSION_GONE')) return null
        throw error
      }
    })
  }

  resume(token?: string): SessionFacade {
    return fromCaller(this.resume, () => this.resumeAny(token === undefined ? [] : [token]))
  }

  resumeAny(tokens: readonly string[], sink?: TokenSink): SessionFacade {
    if (this.#engine.calls.isClosed) throw new ClosedError('This session store')
    return new SessionFacade(this.#engine, new RequestSession(this.#engine, tokensOf(tokens), sink))
  }

  tokenOfExternalId(id: string): string {
    return formatToken(tokenOfId(this.#engine.store, id))
  }

  createWithExternalId(id: string, values: UntypedFields, options: CreateOptions): Promise<StoredFacade | null> {
    const session = new RequestSession(this.#engine, [])
    const operation = this.#operation<StoredFacade | null>('create', [], session)
    return operation.runAsync(options, async () => {
      const token = tokenOfId(this.#engine.store, id)
      const terms = parseTerms(options)
      const deadline = deadlineOf(terms)(this.#engine, operation.started)
      const isCreated = await session.createWithToken(token, this.#encodeAll(values), terms, deadline)
      return isCreated ? this.#stored(session) : null
    })
  }

  canCreateWithExternalId(id: string): boolean {
    return isHomeUp(this.#engine.store, id)
  }

  valueOfJson(name: string, json: string): unknown {
    return this.#engine.schema.field(name).decode(json)
  }

  user(id: string): UserSessions<UntypedFields> {
    return fromCaller(this.user, () => new UserFacade(this.#engine, checkedUser(id)))
  }

  revoke(sid: string, options: OperationOptions = {}): Promise<void> {
    const operation = this.#operation<void>('revoke', [], { sid })
    return operation.runAsync(options, async () => {
      if (!isSid(sid)) throw new BadArgumentError('revoke needs the id of a session')
      const { store, headers, telemetry } = this.#engine
      if (!store.holds(sid)) return
      await headers.end(sid, [], writeDeadline(this.#engine, operation.started))
      telemetry.sessionEnded(sid)
    })
  }

  check(options: CheckOptions = {}): Promise<void> {
    const operation = this.#operation<void>('check', [], nobody)
    return operation.runAsync(undefined, () => {
      return this.#engine.store.check(readDeadline(this.#engine, operation.started), leastOf(options))
    })
  }

  stats(): SessionsStats {
    return this.#engine.telemetry.stats()
  }

  close(): Promise<void> {
    return this.#engine.calls.close(this.#engine.store)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #operation<T>(name: OperationName & keyof SessionsFacade, fields: readonly string[], subject: Subject): Operation<T> {
    return new Operation<T>(this.#engine, { name, entry: this[name] }, fields, subject)
  }

  /** The session is stored or verified, so its id, token and times are known. */
  #stored(session: RequestSession): StoredFacade {
    return new SessionFacade(this.#engine, session) as StoredFacade
  }

  #encodeAll(values: UntypedFields): Map<string, string> {
    const encoded = new Map<string, string>()
    for (const [name, value] of entriesOf('create', values)) {
      const field = this.#engine.schema.field(name)
      if (value === undefined) throw new BadArgumentError(`Field '${name}' needs a value; leave it out to keep it unset`)
      encoded.set(name, field.encode(value))
    }
    return encoded
  }
}

type StoredFacade = SessionFacade & {
  readonly id: string
  readonly token: string
  readonly createdAt: Date
  readonly expiresAt: Date
}

/** @throws {BadArgumentError} for anything but the result of a `createSessions`, of whichever copy of this package */
export function sessionsFacadeOf(sessions: object): SessionsFacade {
  if ((sessions as Partial<SessionsFacade> | undefined)?.[brand]) return sessions as SessionsFacade
  throw new BadArgumentError('This needs what createSessions returned')
}

function tokensOf(texts: readonly string[]): Token[] {
  return texts.map(parseToken).filter((token) => token !== undefined)
}

/** With a user there are several round trips, as there are in a call that writes. */
function deadlineOf({ user }: Terms) {
  return user === undefined ? readDeadline : writeDeadline
}

const nobody = { sid: undefined }
