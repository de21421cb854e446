import { setTimeout as sleep } from 'node:timers/promises'
import { isFieldwiseError } from 'fieldwise'
import { createWithExternalId, tokenOfExternalId } from 'fieldwise/adapter'
import { begin, SessionCopy, type SessionSource, valuesOf } from './copy.js'
import { fieldsOf, plainCookie } from './data.js'

/** What is needed of the store that an app used before: any store of express-session has it. */
export interface OldStore {
  /** The session of an id, or nothing. */
  get(id: string, callback: (error: unknown, session?: object | null) => void): void
  /** Ends the session of an id. */
  destroy(id: string, callback: (error?: unknown) => void): void
}

/**
 * Brings sessions over from an old store, each when it is first asked for. A session is brought over once, whatever process asks, and
 * never after it was ended: whoever does either first leaves a claim behind. That is a session of its own, under an id made from the
 * other's; it has a field as soon as nobody needs to wait any more.
 */
export class Migration {
  readonly #origin: SessionSource
  readonly #old: OldStore

  constructor(origin: SessionSource, old: OldStore) {
    this.#origin = origin
    this.#old = old
  }

  /** The session of `id`, if the old store has it and it was not brought over before. */
  async bring(id: string): Promise<SessionCopy | undefined> {
    const data = await this.#find(id)
    if (data === undefined) return undefined
    const fields = fieldsOf(data)
    // What does not fit the schema is to be found out before the session is claimed.
    valuesOf(this.#origin, fields)
    const claim = await this.#claim(id)
    if (claim === null) return this.#wait(id)
    try {
      await begin(this.#origin, id, fields)
    } catch (error) {
      if (!isFieldwiseError(error, 'SESSION_GONE')) throw error
    } finally {
      await claim.set(this.#settled)
    }
    return SessionCopy.load(this.#origin, id)
  }

  /** Ends the session in the old store, and sees to it that nobody brings it over any more. */
  async end(id: string): Promise<void> {
    await this.#claim(id, this.#settled)
    await called((callback) => this.#old.destroy(id, callback))
  }

  async #find(id: string): Promise<object | undefined> {
    try {
      return (await called<object | null | undefined>((callback) => this.#old.get(id, callback))) ?? undefined
    } catch (error) {
      // express-session takes this error of a store for "not found".
      if ((error as { code?: unknown }).code === 'ENOENT') return undefined
      throw error
    }
  }

  /** `null` where there is a claim already. */
  #claim(id: string, values = {}) {
    return createWithExternalId(this.#origin.sessions, claimOf(id), values, { lifetime: { idle: claimed, absolute: claimed } })
  }

  /** Somebody else is bringing it over at this moment, or it has ended since. */
  async #wait(id: string): Promise<SessionCopy | undefined> {
    const { sessions } = this.#origin
    const claim = sessions.resume(tokenOfExternalId(sessions, claimOf(id)))
    for (const pause of pauses) {
      // In this order: what is settled by now is there by now, or has ended.
      const isSettled = await claim.has('cookie')
      const copy = await SessionCopy.load(this.#origin, id)
      if (copy !== undefined || isSettled) return copy
      await sleep(pause)
    }
    return undefined
  }

  get #settled() {
    return valuesOf(this.#origin, new Map([['cookie', plainCookie]]))
  }
}

/** As long as an old store may hold a session that nobody uses. */
const claimed = '30d'

/** In milliseconds. */
const pauses = [5, 20, 80, 320, 0]

/** What `work` calls back with. Node warns of its own `promisify` where a store gives a promise besides. */
function called<T>(work: (callback: (error: unknown, result?: T) => void) => void): Promise<T | undefined> {
  return new Promise((resolve, reject) => work((error, result) => (error ? reject(error) : resolve(result))))
}

function claimOf(id: string): string {
  return `claim of\n${id}`
}
